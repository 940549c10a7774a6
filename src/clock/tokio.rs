//! tokio's clock, which is the system's monotonic one until a test pauses it.

use tokio::time;

use super::{Clock, Sleep};
use crate::time::Instant;

/// A clock that reads `tokio::time::Instant`; its origin is the time it was made.
///
/// Reading needs no runtime; [`Clock::sleep_until`] does, and panics without one, as all timers of tokio do.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: time::Instant,
}

impl TokioClock {
    /// Makes a clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    pub fn new() -> Self {
        Self { origin: time::Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    fn now(&self) -> Instant {
        Instant::ZERO.after(time::Instant::now().saturating_duration_since(self.origin))
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let wait = deadline.since(self.now());
        Box::pin(time::sleep(wait))
    }
}

/// Reads tokio's clock, for who waits by tokio's timers in any case.
#[expect(clippy::disallowed_methods, reason = "this module is where clocks are read")]
pub(crate) fn tokio_now() -> time::Instant {
    time::Instant::now()
}

/// Whether tokio's time stands still, or has been moved, as seen from this thread.
#[expect(clippy::disallowed_methods, reason = "this module is where clocks are read")]
pub(super) fn is_paused() -> bool {
    let before = std::time::Instant::now();
    let tokio = time::Instant::now().into_std();
    let after = std::time::Instant::now();
    !(before..=after).contains(&tokio)
}
