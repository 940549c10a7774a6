//! Plain counts of finished calls: the last n, or those of the last stretch of time.
//!
//! A plain success, which is neither weighed nor slow, changes a window as any other does. So the circuit counts them apart
//! and adds them here many at a time, before anything else happens.

mod count;
mod time;

pub(crate) use self::{count::CountWindow, time::TimeWindow};

use std::time::Duration;

use crate::{
    config::Window,
    time::{Instant, nanos},
};

/// What one finished call adds to a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Weight of the failure in hundredths, zero for a success.
    pub(crate) failures: u32,
    pub(crate) slow: bool,
}

/// The sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    /// Weight of the failures in hundredths.
    pub(crate) failures: u64,
    pub(crate) slow: u64,
}

impl Totals {
    /// The share of failures, at most 1; none while the window is empty.
    pub(crate) fn failure_rate(self) -> Option<f64> {
        share(self.failures, self.calls.saturating_mul(100))
    }

    /// The share of slow calls; none while the window is empty.
    pub(crate) fn slow_rate(self) -> Option<f64> {
        share(self.slow, self.calls)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64).min(1.0))
}

/// Either window, as configured.
#[derive(Clone, Debug)]
pub(crate) enum AnyWindow {
    /// In a box, since few circuits count so, and all pay for the larger of the two.
    Count(Box<CountWindow>),
    Time(TimeWindow),
}

impl AnyWindow {
    /// An empty window whose first bucket begins at `start`.
    pub(crate) fn new(window: Window, start: Instant) -> Self {
        match window {
            Window::Count { calls } => Self::Count(Box::new(CountWindow::new(calls))),
            Window::Time { length, buckets } => Self::Time(TimeWindow::new(length, buckets, start)),
        }
    }

    /// Counts a call; [`AnyWindow::turn`] has been told the time.
    pub(crate) fn record(&mut self, entry: Entry) {
        match self {
            Self::Count(window) => window.record(entry),
            Self::Time(window) => window.record(entry),
        }
    }

    /// Counts plain successes that ended before [`AnyWindow::turns_at`].
    pub(crate) fn successes(&mut self, calls: u64) {
        match self {
            Self::Count(window) => window.successes(calls),
            Self::Time(window) => window.successes(calls),
        }
    }

    /// Takes note of the time; true if it is that of a new bucket.
    pub(crate) fn turn(&mut self, now: Instant) -> bool {
        match self {
            Self::Count(_) => false,
            Self::Time(window) => window.turn(now),
        }
    }

    /// Until when a call counts as one of now, whenever it ends.
    pub(crate) fn turns_at(&self) -> Instant {
        match self {
            Self::Count(_) => Instant::FAR,
            Self::Time(window) => window.turns_at(),
        }
    }

    pub(crate) fn totals(&self, now: Instant) -> Totals {
        match self {
            Self::Count(window) => window.totals(),
            Self::Time(window) => window.totals(now),
        }
    }

    /// Forgets all calls: a phase begins.
    pub(crate) fn begin(&mut self, now: Instant) {
        match self {
            Self::Count(window) => window.begin(),
            Self::Time(window) => window.begin(now),
        }
    }
}

/// How time is cut into buckets of equal width, the first of which begins at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    start: Instant,
    width: u64,
}

impl Slots {
    /// A width below a nanosecond is one; no buckets are one (`Config::check` refuses both).
    pub(crate) fn new(length: Duration, buckets: u32, start: Instant) -> Self {
        Self { start, width: (nanos(length) / u64::from(buckets.max(1))).max(1) }
    }

    /// The number of the slot that holds `now`, counted from `start`.
    pub(crate) fn slot(self, now: Instant) -> u64 {
        nanos(now.since(self.start)) / self.width
    }

    /// When a slot ends.
    pub(crate) fn end(self, slot: u64) -> Instant {
        self.start.after(Duration::from_nanos(self.width.saturating_mul(slot.saturating_add(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_absent_without_calls_and_never_above_one() {
        assert_eq!(Totals::default().failure_rate(), None);
        assert_eq!(Totals { calls: 2, failures: 900, slow: 1 }.failure_rate(), Some(1.0));
        assert_eq!(Totals { calls: 2, failures: 100, slow: 1 }.slow_rate(), Some(0.5));
    }

    #[test]
    fn a_bucket_ends_where_the_next_begins_and_a_count_never_turns() {
        let start = Instant::from_nanos(500);
        let window = AnyWindow::new(Window::Time { length: Duration::from_secs(10), buckets: 10 }, start);
        assert_eq!(window.turns_at(), start.after(Duration::from_secs(1)));
        assert_eq!(AnyWindow::new(Window::count(10), start).turns_at(), Instant::FAR);
        let slots = Slots::new(Duration::from_secs(10), 10, start);
        for slot in [0, 1, 9, 10] {
            assert_eq!(
                (slots.slot(slots.end(slot)), slots.end(slot).since(start)),
                (slot + 1, Duration::from_secs(slot + 1))
            );
        }
    }
}
