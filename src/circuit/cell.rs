//! A number that belongs to a phase, in one atomic word.
//!
//! Nothing is ever reset: a number whose key is older than the writer's is taken for zero, and a writer whose key is
//! older than the number's is late and changes nothing. So a result that races a transition cannot leak into the next
//! phase.

use crate::sync::atomic::{AtomicU64, Ordering};

/// What a number belongs to.
pub(super) trait Key: Copy {
    /// The key as it stands in the upper half of the word.
    fn bits(self) -> u32;

    /// Reports whether the number with these bits is newer than this key.
    fn is_before(self, bits: u32) -> bool;
}

/// The number of a closed phase, of which the lower 32 bits are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(u32);

impl Epoch {
    #[expect(clippy::cast_possible_truncation, reason = "compared by wrapping, see `is_before`")]
    pub(super) fn new(epoch: u64) -> Self {
        Self(epoch as u32)
    }
}

impl Key for Epoch {
    fn bits(self) -> u32 {
        self.0
    }

    fn is_before(self, bits: u32) -> bool {
        // Half of the numbers are ahead: right unless a thread sleeps through two billion phases.
        let ahead = bits.wrapping_sub(self.0);
        ahead != 0 && ahead < 1 << 31
    }
}

/// | bits | meaning |
/// |---|---|
/// | 0–31 | the number |
/// | 32–63 | its key |
#[derive(Debug, Default)]
pub(super) struct Cell(AtomicU64);

impl Cell {
    /// The number, zero if it belongs to another key.
    pub(super) fn get(&self, key: impl Key) -> u32 {
        // SeqCst: of two threads that both count and then sum, at least one must see both counts.
        let (bits, value) = split(self.0.load(Ordering::SeqCst));
        if bits == key.bits() { value } else { 0 }
    }

    /// Replaces the number by `next`; returns what it was, or none for a writer that is late.
    pub(super) fn update(&self, key: impl Key, next: impl Fn(u32) -> u32) -> Option<u32> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (bits, value) = split(word);
            if key.is_before(bits) {
                return None;
            }
            let before = if bits == key.bits() { value } else { 0 };
            let after = next(before);
            if bits == key.bits() && after == before {
                return Some(before);
            }
            // SeqCst: see `get`.
            match self.0.compare_exchange_weak(word, join(key.bits(), after), Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return Some(before),
                Err(now) => word = now,
            }
        }
    }

    /// Makes it zero if its key is one of these. Called before a phase is announced, so that nobody writes to it but a
    /// writer that is late.
    pub(super) fn forget(&self, is_it: impl Fn(u32) -> bool) {
        let word = self.0.load(Ordering::Relaxed);
        let (bits, value) = split(word);
        if value > 0 && is_it(bits) {
            // A late writer that has just changed it has made it its own.
            let _ = self.0.compare_exchange(word, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// Adds one, by a single write where the key has not changed; returns what it was.
    ///
    /// A writer that sleeps between its look at the key and its write counts one success for a newer key. That is the
    /// one inexactness of the closed path: a window can be off by one call.
    pub(super) fn increment(&self, key: impl Key) -> Option<u32> {
        let (bits, value) = split(self.0.load(Ordering::Relaxed));
        if bits != key.bits() || value > u32::MAX / 2 {
            return self.update(key, |count| count.saturating_add(1).min(u32::MAX / 2 + 1));
        }
        // SeqCst: see `get`.
        Some(split(self.0.fetch_add(1, Ordering::SeqCst)).1)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

fn join(bits: u32, value: u32) -> u64 {
    u64::from(bits) << 32 | u64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_number_is_zero_and_a_late_writer_changes_nothing() {
        let cell = Cell::default();
        assert_eq!(cell.increment(Epoch::new(1)), Some(0));
        assert_eq!(cell.update(Epoch::new(1), |n| n + 5), Some(1));
        assert_eq!(cell.get(Epoch::new(2)), 0);
        assert_eq!(cell.update(Epoch::new(3), |n| n + 1), Some(0), "what phase 1 counted is gone");
        assert_eq!(cell.update(Epoch::new(2), |n| n + 9), None, "phase 2 is late");
        assert_eq!(cell.increment(Epoch::new(2)), None);
        assert_eq!(cell.get(Epoch::new(3)), 1);
    }

    #[test]
    fn phases_are_told_apart_where_their_number_wraps() {
        let cell = Cell::default();
        let last = u64::from(u32::MAX);
        for epoch in [1, 1 << 30, 2 << 30, 3 << 30, last, last + 1] {
            assert_eq!(cell.increment(Epoch::new(epoch)), Some(0), "{epoch} is newer");
        }
        assert_eq!(cell.increment(Epoch::new(last)), None);
    }

    #[test]
    fn a_full_number_stays_full() {
        let cell = Cell::default();
        cell.update(Epoch::new(1), |_| u32::MAX / 2 + 1);
        assert_eq!(cell.increment(Epoch::new(1)), Some(u32::MAX / 2 + 1));
        assert_eq!(cell.get(Epoch::new(1)), u32::MAX / 2 + 1);
        assert_eq!(cell.get(Epoch::new(2)), 0, "nothing has run over into the key");
    }
}
