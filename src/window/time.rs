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
    /// invariant: every bucket's slot is at most this one, which has a bucket.
    current: u64,
    /// invariant: the bucket at index i holds a slot with `slots.index(slot) == i`, or nothing.
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

    /// Counts a call in the newest bucket; [`TimeWindow::turn`] has been told the time.
    pub(crate) fn record(&mut self, entry: Entry) {
        let newest = &mut self.buckets[self.slots.index(self.current)].totals;
        newest.calls += 1;
        newest.failures += u64::from(entry.failures);
        newest.slow += u64::from(entry.slow);
    }

    /// Counts plain successes in the newest bucket.
    pub(crate) fn successes(&mut self, calls: u64) {
        self.buckets[self.slots.index(self.current)].totals.calls += calls;
    }

    /// Begins the bucket that holds `now`; false if it is the newest already, or the clock has stepped back.
    pub(crate) fn turn(&mut self, now: Instant) -> bool {
        let slot = self.slots.slot(now);
        let turns = slot > self.current;
        if turns {
            self.current = slot;
            self.buckets[self.slots.index(slot)] = Bucket { slot, totals: Totals::default() };
        }
        turns
    }

    /// When the newest bucket ends.
    pub(crate) fn turns_at(&self) -> Instant {
        self.slots.end(self.current)
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
        self.current = self.slots.slot(now).max(self.current);
        self.buckets.fill(Bucket::default());
        self.buckets[self.slots.index(self.current)].slot = self.current;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn window() -> TimeWindow {
        TimeWindow::new(Slots::new(Duration::from_secs(10), 10, Instant::from_nanos(500)))
    }

    fn record(window: &mut TimeWindow, entry: Entry, now: Instant) {
        window.turn(now);
        window.record(entry);
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(500).after(Duration::from_millis(millis))
    }

    #[test]
    fn a_bucket_expires_whole_and_exactly_at_its_border() {
        let mut window = window();
        record(&mut window, Entry { failures: 100, slow: true }, at(999));
        record(&mut window, Entry::default(), at(1_000));
        assert_eq!(window.totals(at(9_999)), Totals { calls: 2, failures: 100, slow: 1 });
        assert_eq!(window.totals(at(10_000)).calls, 1, "the first bucket is gone at 10 s");
        assert_eq!(window.totals(at(10_999)).calls, 1);
        assert_eq!(window.totals(at(11_000)).calls, 0);
    }

    #[test]
    fn after_a_month_of_silence_nothing_is_left_and_a_step_back_counts_now() {
        let mut window = window();
        record(&mut window, Entry::default(), at(0));
        let month = at(30 * 24 * 3600 * 1000);
        assert_eq!(window.totals(month), Totals::default());
        record(&mut window, Entry { failures: 100, slow: false }, month);
        record(&mut window, Entry { failures: 100, slow: false }, at(0));
        assert_eq!(window.totals(month), Totals { calls: 2, failures: 200, slow: 0 });
        assert_eq!(window.totals(at(0)).calls, 2, "time does not run backwards");
    }
}
