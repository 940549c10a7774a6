//! The system's coarse clock: it stands still for some milliseconds, and is read in a fifth of the time.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{Instant, Nanos, nanos};

/// How far behind [`SystemClock`](super::SystemClock) the coarse clock may be: two of the longest ticks there are.
///
/// A reading is up to a tick old, and so was that of the origin; what is due is put off by a tick, so that it is never due
/// too early.
pub(crate) const COARSENESS: Duration = Duration::from_millis(40);

/// The longest tick of a system: 10 ms at 100 Hz, twice that to be safe.
const TICK: Duration = Duration::from_millis(20);

/// What is due later than this is never due, so that a wait for it fits into a word.
const NEVER: u64 = u64::MAX - nanos(COARSENESS);

/// The system's coarse clock, with the origin of a [`SystemClock`](super::SystemClock).
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoarseClock {
    /// What it read at the origin.
    origin: u64,
}

impl CoarseClock {
    /// Its origin is now. None on systems that have no such clock.
    #[expect(clippy::unnecessary_wraps, reason = "the other systems' is none")]
    pub(super) fn new() -> Option<Self> {
        Some(Self { origin: Self::reading() })
    }

    /// Turns an instant into what a [reading](CoarseClock::reading) can be compared with.
    pub(crate) fn due(&self, at: Instant) -> u64 {
        self.origin.saturating_add(at.after(TICK).as_nanos()).min(NEVER)
    }

    /// Returns how long after a reading something is due, at the most.
    #[inline]
    pub(crate) fn wait(due: u64, reading: u64) -> Nanos {
        Nanos(due.saturating_sub(reading) + nanos(COARSENESS))
    }

    /// Returns the time as it compares with what is [due](CoarseClock::due): nanoseconds.
    #[inline]
    #[expect(clippy::cast_sign_loss, reason = "a monotonic clock is not below zero")]
    pub(crate) fn reading() -> u64 {
        // On the usual architectures not by way of libc, which takes a quarter longer.
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::MonotonicCoarse);
        tv_sec as u64 * 1_000_000_000 + tv_nsec as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn readings_do_not_fall_and_agree_with_deadlines() {
        let coarse = SystemClock::coarse_here().expect("this system has one");
        let mut last = CoarseClock::reading();
        for _ in 0..100_000 {
            let reading = CoarseClock::reading();
            assert!(reading >= last, "{reading} after {last}");
            last = reading;
        }
        let hour = Duration::from_secs(3600);
        let due = coarse.due(SystemClock::now_here().after(hour));
        let wait = Duration::from(CoarseClock::wait(due, CoarseClock::reading()));
        assert!(wait >= hour && wait <= hour + 2 * COARSENESS, "{wait:?}");
        let least = Duration::from(CoarseClock::wait(CoarseClock::reading(), u64::MAX));
        assert!(least.abs_diff(COARSENESS) < Duration::from_micros(1), "{least:?}");
        assert!(CoarseClock::reading() < coarse.due(Instant::FAR));
    }

    #[test]
    fn a_deadline_is_not_reached_before_its_time() {
        let coarse = SystemClock::coarse_here().expect("this system has one");
        let at = SystemClock::now_here().after(Duration::from_millis(60));
        let due = coarse.due(at);
        while CoarseClock::reading() < due {}
        let late = SystemClock::now_here().since(at);
        assert!(SystemClock::now_here() >= at && late < Duration::from_millis(500), "{late:?} late");
    }
}
