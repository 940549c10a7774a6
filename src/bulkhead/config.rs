//! The numbers of a bulkhead, and where they are checked.

use std::time::Duration;

use crate::config::{Check, ConfigError, MANY, MS, YEAR};

/// How many calls may be under way, and how many may wait for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a config does nothing until a bulkhead is made with it"]
pub struct BulkheadConfig {
    /// How many calls may be under way at once: 1 to 1,000,000. No default: it is what the dependency can bear, or what the own
    /// process can spare. By Little's law a dependency that answers *r* calls a second in *t* seconds each has *r·t* under way.
    pub limit: u32,
    /// How many callers may wait for a place: 0 to 1,000,000. Default: none, as in Resilience4j and Hystrix: where the limit is
    /// reached because the dependency is slow, a queue only makes it slower.
    pub queue: u32,
    /// How long a caller waits in the queue: 1 ms to 365 days. Without a queue it means nothing. Default: 100 ms, which outlasts a
    /// burst and is not noticed by people.
    pub max_wait: Duration,
}

impl BulkheadConfig {
    /// Returns the numbers of a bulkhead without a queue: 1 to 1,000,000 calls under way, all others are turned away.
    pub const fn new(limit: u32) -> Self {
        Self { limit, queue: 0, max_wait: Duration::from_millis(100) }
    }

    /// Sets how many callers may wait for a place (0 to 1,000,000) and for how long (1 ms to 365 days).
    pub const fn queue(self, callers: u32, max_wait: Duration) -> Self {
        Self { queue: callers, max_wait, ..self }
    }

    /// Reports whether a bulkhead can be made with these numbers.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each that is out of its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self { limit, queue, max_wait } = *self;
        let mut check = Check::default();
        check.within("limit", limit, 1, MANY);
        check.within("queue", queue, 0, MANY);
        check.within("max_wait", max_wait, MS, YEAR);
        check.done()
    }
}
