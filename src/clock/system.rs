//! The default clock: the system's monotonic one, which follows a tokio that is paused.

use std::time;

use super::{Clock, CoarseClock, Sleep, TokioClock, is_paused};
use crate::time::Instant;

/// The system's monotonic clock. Its origin is the time it was made.
///
/// It follows `tokio::time::pause` wherever tests are made: in a build with debug assertions, with the feature `test-util`,
/// and if the time is paused when it is made. A release build without that feature does not follow into a pause that begins
/// later; use [`TokioClock`] there. In return a healthy circuit mostly reads the system's coarse clock, on Linux and Android,
/// where that takes a fifth of the time.
///
/// Reading needs no runtime; [`Clock::sleep_until`] does, and panics without one, as all timers of tokio do.
#[derive(Clone, Debug)]
pub struct SystemClock {
    tokio: TokioClock,
    follows_tokio: bool,
    origin: time::Instant,
    coarse: Option<CoarseClock>,
}

impl SystemClock {
    /// Makes a clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    pub fn new() -> Self {
        let follows_tokio = cfg!(any(debug_assertions, feature = "test-util")) || is_paused();
        // The coarse origin last, so that it is behind rather than ahead.
        Self { tokio: TokioClock::new(), follows_tokio, origin: time::Instant::now(), coarse: CoarseClock::new() }
    }

    /// The coarse clock with the same origin; none where tokio is followed.
    pub(super) fn coarse(&self) -> Option<CoarseClock> {
        self.coarse.filter(|_| !self.follows_tokio)
    }

    /// What the system says, whatever tokio does.
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    pub(super) fn now_here(&self) -> Instant {
        Instant::ZERO.after(time::Instant::now().saturating_duration_since(self.origin))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        if self.follows_tokio { self.tokio.now() } else { self.now_here() }
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.tokio.sleep_until(self.tokio.now().after(deadline.since(self.now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_made_while_the_time_is_paused_follows_it() {
        assert!(is_paused());
        let clock = SystemClock::new();
        let before = clock.now();
        tokio::time::advance(time::Duration::from_secs(60)).await;
        assert_eq!(clock.now().since(before).as_secs(), 60);
        assert!(clock.coarse().is_none(), "nothing else is asked then");
    }

    #[test]
    fn a_clock_that_is_not_paused_is_not_taken_for_paused() {
        assert!((0..1_000).all(|_| !is_paused()));
    }
}
