//! The numbers of retries, and where they are checked.

use std::time::Duration;

use crate::{
    config::{Check, ConfigError, MS, YEAR},
    outcome::Weight,
    retry::Backoff,
};

/// How often, how late and how dearly a call may be tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a config does nothing until retries are built with it"]
pub struct RetryConfig {
    /// How many attempts a call may take, the first among them: 1 to 100. Default: 3, as in the SDKs of AWS; Google's book on
    /// SRE ("Handling overload") bounds a request to three as well.
    pub attempts: u32,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// From the beginning of a call, how long it may take until its last attempt begins: 1 ms to 365 days. A wait that would
    /// end later is not begun, and the caller has the last answer at once. Default: 30 s, the total timeout of Microsoft's
    /// standard handler.
    ///
    /// It cuts no attempt short; a timeout outside does. Set this to no more than that one.
    pub deadline: Duration,
    /// The longest wait that the server may ask for: 1 ms to 365 days. If it asks for more there is no retry. Default: 10 s;
    /// a day was seen in the wild, and a caller that waits is a connection, a task and a request in memory.
    pub max_retry_after: Duration,
    /// What the retry of an attempt that timed out costs, where another costs one. Default: 2, as in the SDKs of AWS: such an
    /// attempt has held its resources for longest, and the next will likely do so too.
    pub timeout_cost: Weight,
}

impl RetryConfig {
    /// Returns the defaults.
    pub const fn new() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::DEFAULT,
            deadline: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(10),
            timeout_cost: Weight::TWO,
        }
    }

    /// Sets how many attempts a call may take, the first among them: 1 to 100.
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Sets the waits between attempts.
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets how long after its beginning a call may begin its last attempt: 1 ms to 365 days.
    pub const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets the longest wait that the server may ask for: 1 ms to 365 days.
    pub const fn max_retry_after(self, longest: Duration) -> Self {
        Self { max_retry_after: longest, ..self }
    }

    /// Sets what the retry of an attempt that timed out costs.
    pub const fn timeout_cost(self, cost: Weight) -> Self {
        Self { timeout_cost: cost, ..self }
    }

    /// Reports whether retries can be built with these numbers.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each that is out of its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self { attempts, backoff, deadline, max_retry_after, timeout_cost: _ } = *self;
        let mut check = Check::default();
        check.within("attempts", attempts, 1, 100);
        backoff.check_into(&mut check);
        check.within("deadline", deadline, MS, YEAR);
        check.within("max_retry_after", max_retry_after, MS, YEAR);
        check.done()
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self::new()
    }
}
