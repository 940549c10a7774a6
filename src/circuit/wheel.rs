//! The concurrent time window: a ring of buckets, each a few atomic words.

use crate::{
    circuit::cell::{Cell, Key},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
    window::{Entry, Slots, Totals},
};

/// Agrees with [`TimeWindow`](crate::window::TimeWindow) on every single-threaded trace.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Slots,
    /// The newest slot that anything was counted in; time does not run backwards.
    newest: AtomicU64,
    /// The phase that is counted now.
    phase: AtomicU64,
    buckets: Box<[Bucket]>,
}

#[derive(Debug, Default)]
struct Bucket {
    calls: Cell,
    failures: Cell,
    slow: Cell,
}

/// A slot of a phase.
///
/// | bits | meaning |
/// |---|---|
/// | 0–23 | the slot, of which the lower 24 bits are kept |
/// | 24–31 | the phase, of which the lower 8 bits are kept |
///
/// The same 24 bits come back after 16,777,216 slots, 194 days of 1 s buckets. Only a bucket that nobody has written to
/// since exactly then would be taken for new, for the length of one slot.
#[derive(Clone, Copy, Debug)]
struct SlotOf<'a> {
    bits: u32,
    slot: u64,
    epoch: u64,
    wheel: &'a Wheel,
}

const SLOT_BITS: u32 = 24;

impl Key for SlotOf<'_> {
    fn bits(self) -> u32 {
        self.bits
    }

    fn is_before(self, bits: u32) -> bool {
        // A newer phase or slot was announced before it was written to; what was not announced is old, however its few
        // bits compare. An outage of 64 failed probes is 128 phases long.
        if self.bits >> SLOT_BITS != bits >> SLOT_BITS {
            return self.wheel.phase.load(Ordering::SeqCst) != self.epoch;
        }
        let ahead = u64::from(bits.wrapping_sub(self.bits) & ((1 << SLOT_BITS) - 1));
        ahead != 0 && self.slot.saturating_add(ahead) <= self.wheel.newest.load(Ordering::SeqCst)
    }
}

impl Wheel {
    pub(super) fn new(slots: Slots) -> Self {
        let buckets = (0..slots.buckets).map(|_| Bucket::default()).collect();
        Self { slots, newest: AtomicU64::new(0), phase: AtomicU64::new(0), buckets }
    }

    /// Begins a phase: what is counted in it is not older than `now`, even if the clock steps back.
    pub(super) fn begin(&self, epoch: u64, now: Instant) {
        self.advance(self.slots.slot(now));
        // A phase whose lower bits are the same may have left its counts in a bucket that is still in the window.
        let same = |bits: u32| bits >> SLOT_BITS == (epoch & 0xff) as u32;
        for Bucket { calls, failures, slow } in &self.buckets {
            [calls, failures, slow].into_iter().for_each(|cell| cell.forget(same));
        }
        self.phase.store(epoch, Ordering::SeqCst);
    }

    /// Counts a call; returns how many stood in its bucket before.
    pub(super) fn record(&self, epoch: u64, entry: Entry, now: Instant) -> u64 {
        let slot = self.advance(self.slots.slot(now));
        let bucket = &self.buckets[self.slots.index(slot)];
        let key = self.key(slot, epoch);
        let before = bucket.calls.increment(key).unwrap_or(1);
        if entry.failures > 0 {
            bucket.failures.update(key, |sum| sum.saturating_add(entry.failures));
        }
        if entry.slow {
            bucket.slow.update(key, |sum| sum.saturating_add(1));
        }
        before.into()
    }

    /// Sums what the phase has counted in the slots of the window.
    pub(super) fn totals(&self, epoch: u64, now: Instant) -> Totals {
        let newest = self.newest.load(Ordering::SeqCst);
        let current = self.slots.slot(now).max(newest);
        let oldest = self.slots.oldest(current);
        let mut sum = Totals::default();
        // Slots after the newest are empty, so a long silence costs nothing.
        for slot in oldest..=newest {
            let bucket = &self.buckets[self.slots.index(slot)];
            let key = self.key(slot, epoch);
            sum.calls += u64::from(bucket.calls.get(key));
            sum.failures += u64::from(bucket.failures.get(key));
            sum.slow += u64::from(bucket.slow.get(key));
        }
        sum
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are kept, see the type")]
    fn key(&self, slot: u64, epoch: u64) -> SlotOf<'_> {
        let bits = (epoch as u32) << SLOT_BITS | (slot as u32 & ((1 << SLOT_BITS) - 1));
        SlotOf { bits, slot, epoch, wheel: self }
    }

    fn advance(&self, slot: u64) -> u64 {
        // A write only when a new slot begins.
        let newest = self.newest.load(Ordering::Relaxed);
        if slot <= newest { newest } else { self.newest.fetch_max(slot, Ordering::SeqCst).max(slot) }
    }
}
