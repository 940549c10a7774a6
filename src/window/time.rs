//! The calls of the last stretch of time, in buckets that expire whole.

use crate::{
    time::Instant,
    window::{Entry, Slots, Totals},
};

/// Counts in a ring of buckets. Recording is O(1), summing is O(buckets), however long nothing happened.
///
/// A call counts from the moment it ended until its bucket leaves the window: between `length - width` and `length`.
#[derive(Clone, Debug)]
pub(crate) struct TimeWindow {
    slots: Slots,
    /// invariant: every bucket's slot is at most this one.
    current: u64,
    /// invariant: the bucket at index i holds a slot with `slots.index(slot) == i`.
    buckets: Box<[Bucket]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    slot: u64,
    totals: Totals,
}

impl TimeWindow {
    pub(crate) fn new(slots: Slots) -> Self {
        Self { slots, current: 0, buckets: vec![Bucket::default(); slots.buckets as usize].into() }
    }

    /// Counts a call; returns how many stood in its bucket before.
    ///
    /// A clock that steps back counts in the newest bucket.
    pub(crate) fn record(&mut self, entry: Entry, now: Instant) -> u64 {
        let slot = self.slots.slot(now).max(self.current);
        self.current = slot;
        let bucket = &mut self.buckets[self.slots.index(slot)];
        if bucket.slot != slot {
            *bucket = Bucket { slot, totals: Totals::default() };
        }
        let before = bucket.totals.calls;
        bucket.totals.calls += 1;
        bucket.totals.failures += u64::from(entry.failures);
        bucket.totals.slow += u64::from(entry.slow);
        before
    }

    pub(crate) fn totals(&self, now: Instant) -> Totals {
        let current = self.slots.slot(now).max(self.current);
        let oldest = self.slots.oldest(current);
        let mut sum = Totals::default();
        for bucket in self.buckets.iter().filter(|bucket| bucket.slot >= oldest) {
            sum.calls += bucket.totals.calls;
            sum.failures += bucket.totals.failures;
            sum.slow += bucket.totals.slow;
        }
        sum
    }

    /// Forgets all calls; what is counted from now on is not older than `now`, even if the clock steps back.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.buckets.fill(Bucket::default());
        self.current = self.slots.slot(now).max(self.current);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn window() -> TimeWindow {
        TimeWindow::new(Slots::new(Duration::from_secs(10), 10, Instant::from_nanos(500)))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(500).after(Duration::from_millis(millis))
    }

    #[test]
    fn a_bucket_expires_whole_and_exactly_at_its_border() {
        let mut window = window();
        window.record(Entry { failures: 100, slow: true }, at(999));
        window.record(Entry::default(), at(1_000));
        assert_eq!(window.totals(at(9_999)), Totals { calls: 2, failures: 100, slow: 1 });
        assert_eq!(window.totals(at(10_000)).calls, 1, "the first bucket is gone at 10 s");
        assert_eq!(window.totals(at(10_999)).calls, 1);
        assert_eq!(window.totals(at(11_000)).calls, 0);
    }

    #[test]
    fn after_a_month_of_silence_nothing_is_left_and_a_step_back_counts_now() {
        let mut window = window();
        window.record(Entry::default(), at(0));
        let month = at(30 * 24 * 3600 * 1000);
        assert_eq!(window.totals(month), Totals::default());
        window.record(Entry { failures: 100, slow: false }, month);
        window.record(Entry { failures: 100, slow: false }, at(0));
        assert_eq!(window.totals(month), Totals { calls: 2, failures: 200, slow: 0 });
        assert_eq!(window.totals(at(0)).calls, 2, "time does not run backwards");
    }
}
