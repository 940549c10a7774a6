//! The calls of the last stretch of time, in buckets that expire whole.

use std::time::Duration;

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
    /// The slot of the newest bucket; the others are of the slots before it.
    current: u64,
    /// How many of the newest buckets are of this window. Those behind them are left over from before a silence: to empty
    /// them all at once would make the first call after it dear.
    live: u32,
    /// invariant: a slot lives at [`TimeWindow::index`].
    buckets: Box<[Bucket]>,
}

/// [`Totals`] in a third of the space: beyond four billion of anything in one bucket all its counts are halved, so that
/// their shares stay right.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u32,
    failures: u32,
    slow: u32,
}

impl Bucket {
    #[expect(clippy::cast_possible_truncation, reason = "shifted until the largest fits")]
    fn add(&mut self, more: Totals) {
        let sums = [
            more.calls.saturating_add(self.calls.into()),
            more.failures.saturating_add(self.failures.into()),
            more.slow.saturating_add(self.slow.into()),
        ];
        let bits = u64::BITS - (sums[0] | sums[1] | sums[2]).leading_zeros();
        let [calls, failures, slow] = sums.map(|sum| (sum >> bits.saturating_sub(u32::BITS)) as u32);
        *self = Self { calls, failures, slow };
    }
}

impl TimeWindow {
    pub(crate) fn new(length: Duration, buckets: u32, start: Instant) -> Self {
        let slots = Slots::new(length, buckets, start);
        Self { slots, current: 0, live: 1, buckets: vec![Bucket::default(); buckets.max(1) as usize].into() }
    }

    /// Counts a call in the newest bucket; [`TimeWindow::turn`] has been told the time.
    pub(crate) fn record(&mut self, entry: Entry) {
        self.newest().add(Totals { calls: 1, failures: entry.failures.into(), slow: entry.slow.into() });
    }

    /// Counts plain successes in the newest bucket.
    pub(crate) fn successes(&mut self, calls: u64) {
        self.newest().add(Totals { calls, ..Totals::default() });
    }

    fn newest(&mut self) -> &mut Bucket {
        let newest = self.index(self.current);
        &mut self.buckets[newest]
    }

    #[expect(clippy::cast_possible_truncation, reason = "it was made of a u32")]
    fn count(&self) -> u32 {
        self.buckets.len() as u32
    }

    /// Where in the ring a slot lives.
    #[expect(clippy::cast_possible_truncation, reason = "below their number")]
    fn index(&self, slot: u64) -> usize {
        (slot % self.buckets.len() as u64) as usize
    }

    /// Begins the bucket that holds `now`; false if it is the newest already, or the clock has stepped back.
    pub(crate) fn turn(&mut self, now: Instant) -> bool {
        let slot = self.slots.slot(now);
        let turns = slot > self.current;
        if turns {
            // Those that were skipped are empty. After a long silence that is all of them, at once.
            let Some(skipped) = u32::try_from(slot - self.current).ok().filter(|skipped| *skipped < self.count())
            else {
                self.forget(slot);
                return true;
            };
            for empty in self.current + 1..=slot {
                let empty = self.index(empty);
                self.buckets[empty] = Bucket::default();
            }
            self.live = self.count().min(self.live.saturating_add(skipped));
            self.current = slot;
        }
        turns
    }

    /// When the newest bucket ends.
    pub(crate) fn turns_at(&self) -> Instant {
        self.slots.end(self.current)
    }

    pub(crate) fn totals(&self, now: Instant) -> Totals {
        // From the newest back, as far as they still count.
        let expired = self.slots.slot(now).saturating_sub(self.current);
        let live = u64::from(self.count()).saturating_sub(expired).min(self.live.into());
        let (new, old) = self.buckets.split_at(self.index(self.current) + 1);
        let mut sum = Totals::default();
        for (bucket, _) in new.iter().rev().chain(old.iter().rev()).zip(0..live) {
            sum.calls += u64::from(bucket.calls);
            sum.failures += u64::from(bucket.failures);
            sum.slow += u64::from(bucket.slow);
        }
        sum
    }

    /// Forgets all calls; what is counted from now on is not older than `now`, even if the clock steps back.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.forget(self.slots.slot(now).max(self.current));
    }

    /// Begins anew with this slot.
    fn forget(&mut self, slot: u64) {
        self.current = slot;
        self.live = 1;
        *self.newest() = Bucket::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> TimeWindow {
        TimeWindow::new(Duration::from_secs(10), 10, Instant::from_nanos(500))
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

    #[test]
    fn what_was_left_over_from_before_a_silence_does_not_come_back() {
        let mut window = window();
        (0..10).for_each(|second| record(&mut window, Entry { failures: 100, slow: true }, at(second * 1_000)));
        for (second, calls) in [(10_000, 1), (10_001, 2), (10_005, 3), (10_009, 4), (10_010, 4), (10_019, 2)] {
            record(&mut window, Entry::default(), at(second * 1_000));
            assert_eq!(window.totals(at(second * 1_000)), Totals { calls, failures: 0, slow: 0 }, "at {second} s");
        }
        window.begin(at(10_020_000));
        record(&mut window, Entry::default(), at(10_022_000));
        assert_eq!(window.totals(at(10_022_000)).calls, 1, "nor what a phase had counted");
    }

    #[test]
    fn a_bucket_that_is_full_keeps_the_shares_whichever_count_is_the_largest() {
        const LARGE: u64 = 1 << 33;
        for (calls, failures, slow) in
            [(LARGE, LARGE, 0), (LARGE, 0, LARGE), (LARGE / 8, LARGE, LARGE), (LARGE / 8, LARGE, 0), (LARGE, 0, 0)]
        {
            let mut bucket = Bucket::default();
            bucket.add(Totals { calls, failures, slow });
            let shifted = [calls >> 2, failures >> 2, slow >> 2];
            assert_eq!([bucket.calls, bucket.failures, bucket.slow].map(u64::from), shifted);
            bucket.add(Totals { calls: 8, failures: 4, slow: 0 });
            let grown = [shifted[0] + 8, shifted[1] + 4, shifted[2]];
            assert_eq!([bucket.calls, bucket.failures, bucket.slow].map(u64::from), grown);
        }
    }

    #[test]
    fn buckets_that_nothing_fell_into_are_empty() {
        let mut window = window();
        for slot in 0..10 {
            record(&mut window, Entry::default(), at(slot * 1_000));
        }
        record(&mut window, Entry { failures: 100, slow: true }, at(13_500));
        assert_eq!(
            window.totals(at(13_500)),
            Totals { calls: 7, failures: 100, slow: 1 },
            "those of 4 s to 9 s, and one"
        );
        record(&mut window, Entry::default(), at(500_000));
        assert_eq!(window.totals(at(500_000)).calls, 1);
    }

    #[test]
    fn beyond_four_billion_calls_in_a_bucket_their_shares_stay() {
        let mut window = window();
        let most = u64::from(u32::MAX);
        window.successes(most - 4_000);
        (0..4_000).for_each(|_| window.record(Entry { failures: 100, slow: true }));
        assert_eq!(window.totals(at(0)), Totals { calls: most, failures: 400_000, slow: 4_000 });
        window.successes(1);
        assert_eq!(window.totals(at(0)), Totals { calls: 1 << 31, failures: 200_000, slow: 2_000 });
        window.successes(u64::MAX);
        assert_eq!(window.totals(at(0)).slow, 0, "and even a count that is out of all measure does not wrap");
    }
}
