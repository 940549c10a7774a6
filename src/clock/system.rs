//! The default clock: the system's monotonic one, which follows a tokio that is paused.

use std::time;

use super::{Clock, Sleep, TokioClock, is_paused};
use crate::time::Instant;

/// The system's monotonic clock. Its origin is the time it was made.
///
/// It follows `tokio::time::pause` wherever tests are made: in a build with debug assertions, with the feature `test-util`,
/// and if the time is paused when it is made. A release build without that feature is not followed into a pause that begins
/// later; use [`TokioClock`] there. In return most readings of a healthy circuit are a tenth as dear, on Linux and Android,
/// where the system has a [coarse](Clock::coarse_now) clock.
///
/// Reading needs no runtime; [`Clock::sleep_until`] does, and panics without one, as all timers of tokio do.
#[derive(Clone, Debug)]
pub struct SystemClock {
    tokio: TokioClock,
    follows_tokio: bool,
    origin: time::Instant,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    coarse_origin: coarsetime::Instant,
}

impl SystemClock {
    /// Makes a clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    pub fn new() -> Self {
        let follows_tokio = cfg!(any(debug_assertions, feature = "test-util")) || is_paused();
        Self {
            tokio: TokioClock::new(),
            follows_tokio,
            origin: time::Instant::now(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            coarse_origin: coarsetime::Instant::now_without_cache_update(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    fn now(&self) -> Instant {
        if self.follows_tokio {
            return self.tokio.now();
        }
        Instant::ZERO.after(time::Instant::now().saturating_duration_since(self.origin))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn coarse_now(&self) -> Instant {
        if self.follows_tokio {
            return self.tokio.now();
        }
        let since = coarsetime::Instant::now_without_cache_update().duration_since(self.coarse_origin);
        // The reading is up to a tick old, and so was that of the origin: so much less is never ahead of `now`.
        Instant::from_nanos(since.as_nanos().saturating_sub(TICK))
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.tokio.sleep_until(self.tokio.now().after(deadline.since(self.now())))
    }
}

/// The longest tick of a system, nanoseconds: 10 ms at 100 Hz, twice that to be safe.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TICK: u64 = 20_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a release build that no test asked for.
    fn unfollowing() -> SystemClock {
        SystemClock { follows_tokio: false, ..SystemClock::new() }
    }

    #[test]
    fn the_coarse_time_is_never_ahead_and_not_far_behind() {
        let clock = unfollowing();
        let mut last = Instant::ZERO;
        for _ in 0..200_000 {
            let coarse = clock.coarse_now();
            let now = clock.now();
            assert!(coarse >= last && coarse <= now, "{coarse:?} after {last:?} at {now:?}");
            last = coarse;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_made_while_the_time_is_paused_follows_it() {
        assert!(is_paused());
        let clock = SystemClock::new();
        let before = (clock.now(), clock.coarse_now());
        tokio::time::advance(time::Duration::from_secs(60)).await;
        assert_eq!(clock.now().since(before.0).as_secs(), 60);
        assert_eq!(clock.coarse_now().since(before.1).as_secs(), 60);
    }

    #[test]
    fn a_clock_that_is_not_paused_is_not_taken_for_paused() {
        assert!((0..1_000).all(|_| !is_paused()));
    }
}
