//! The default clock: the system's monotonic one, which follows a tokio that is paused.

use std::time;

use super::{Clock, CoarseClock, Sleep, TokioClock, is_paused};
use crate::{sync::OnceLock, time::Instant};

/// The system's monotonic clock. All of a process have the same origin, but those that follow tokio: theirs is the time
/// they were made.
///
/// It follows `tokio::time::pause` wherever tests are made: in a build with debug assertions, with the feature `test-util`,
/// and if the time is paused when it is made. A release build without that feature does not follow into a pause that begins
/// later; use [`TokioClock`] there. In return a healthy circuit mostly reads the system's coarse clock, on Linux and Android,
/// where that takes a fifth of the time.
///
/// Reading needs no runtime; [`Clock::sleep_until`] does, and panics without one, as all timers of tokio do.
#[derive(Clone, Debug)]
pub struct SystemClock {
    /// The clock that is followed; in a box, since a circuit has one such clock, and few follow.
    tokio: Option<Box<TokioClock>>,
}

/// When the first clock was made.
struct Origin {
    at: time::Instant,
    coarse: Option<CoarseClock>,
}

impl Origin {
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    fn get() -> &'static Self {
        static ORIGIN: OnceLock<Origin> = OnceLock::new();
        // The coarse one last, so that it is behind rather than ahead.
        ORIGIN.get_or_init(|| Self { at: time::Instant::now(), coarse: CoarseClock::new() })
    }
}

impl SystemClock {
    /// Makes a clock.
    #[must_use]
    pub fn new() -> Self {
        let follows_tokio = cfg!(any(debug_assertions, feature = "test-util")) || is_paused();
        Self { tokio: follows_tokio.then(Box::default) }
    }

    /// A clock that follows nobody, as in a release build.
    #[cfg(test)]
    pub(crate) fn of_a_release() -> Self {
        Self { tokio: None }
    }

    /// The coarse clock with the same origin; none where tokio is followed.
    pub(super) fn coarse(&self) -> Option<CoarseClock> {
        if self.tokio.is_some() { None } else { Self::coarse_here() }
    }

    /// The coarse clock that goes with what the system says.
    pub(super) fn coarse_here() -> Option<CoarseClock> {
        Origin::get().coarse
    }

    /// What the system says, whatever tokio does.
    #[expect(clippy::disallowed_methods, reason = "this type is where the clock is read")]
    pub(super) fn now_here() -> Instant {
        Instant::ZERO.after(time::Instant::now().saturating_duration_since(Origin::get().at))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        self.tokio.as_ref().map_or_else(Self::now_here, |tokio| tokio.now())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let tokio = self.tokio.as_deref().copied().unwrap_or_default();
        tokio.sleep_until(tokio.now().after(deadline.since(self.now())))
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
