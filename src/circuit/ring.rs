//! The concurrent count window: a ring of the last n calls with running sums.

use crate::{
    circuit::cell::{Cell, Epoch, Key},
    sync::atomic::{AtomicU32, Ordering},
    window::{Entry, Totals},
};

/// Agrees with [`CountWindow`](crate::window::CountWindow) on every single-threaded trace.
///
/// Under concurrency the sums trail the ring by the calls that are being counted at that instant, and agree at rest:
/// what a place held is subtracted by whoever takes it out, once.
///
/// A writer that sleeps while the others go round the whole ring leaves the sums wrong by one call until the phase ends.
#[derive(Debug)]
pub(super) struct Ring {
    places: Box<[AtomicU32]>,
    /// How many calls were counted: exact below the length of the ring, then going round between once and twice that.
    counted: Cell,
    failures: Cell,
    slow: Cell,
}

/// | bits | meaning |
/// |---|---|
/// | 0–13 | weight of the failure in hundredths, at most 10,000 |
/// | 14 | slow |
/// | 15–31 | the phase, of which the lower 17 bits are kept |
#[derive(Clone, Copy)]
struct Place(u32);

const SLOW: u32 = 1 << 14;
const PHASE_SHIFT: u32 = 15;

impl Place {
    fn new(entry: Entry, epoch: Epoch) -> Self {
        Self(epoch.bits() << PHASE_SHIFT | if entry.slow { SLOW } else { 0 } | entry.failures)
    }

    fn entry(self, epoch: Epoch) -> Entry {
        if self.0 >> PHASE_SHIFT != (epoch.bits() << PHASE_SHIFT) >> PHASE_SHIFT {
            return Entry::default();
        }
        Entry { failures: self.0 & (SLOW - 1), slow: self.0 & SLOW != 0 }
    }
}

/// A sum that is below zero for an instant, since what leaves was subtracted before it was added, is zero.
fn at_most(sum: u32, most: u32) -> u64 {
    if sum > most { 0 } else { sum.into() }
}

impl Ring {
    pub(super) fn new(calls: u32) -> Self {
        Self {
            places: (0..calls.max(1)).map(|_| AtomicU32::new(0)).collect(),
            counted: Cell::default(),
            failures: Cell::default(),
            slow: Cell::default(),
        }
    }

    pub(super) fn record(&self, epoch: Epoch, entry: Entry) {
        let len = self.len();
        let next = |counted: u32| if counted + 1 == 2 * len { len } else { counted + 1 };
        let Some(counted) = self.counted.update(epoch, next) else { return };
        let place = Place::new(entry, epoch);
        // AcqRel: what was taken out was put in by its writer before.
        let out = Place(self.places[(counted % len) as usize].swap(place.0, Ordering::AcqRel));
        // In the first round nothing leaves; what is there may be of a phase whose number looks the same.
        let out = if counted < len { Entry::default() } else { out.entry(epoch) };
        // Wrapping: of two writers at one place the later one may be first to subtract.
        let change = |sum: u32, new: u32, old: u32| sum.wrapping_add(new).wrapping_sub(old);
        if entry.failures != out.failures {
            self.failures.update(epoch, |sum| change(sum, entry.failures, out.failures));
        }
        if entry.slow != out.slow {
            self.slow.update(epoch, |sum| change(sum, entry.slow.into(), out.slow.into()));
        }
    }

    pub(super) fn totals(&self, epoch: Epoch) -> Totals {
        Totals {
            calls: self.counted.get(epoch).min(self.len()).into(),
            failures: at_most(self.failures.get(epoch), self.len() * 10_000),
            slow: at_most(self.slow.get(epoch), self.len()),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "made from a u32")]
    fn len(&self) -> u32 {
        self.places.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_is_below_zero_for_an_instant_is_zero_to_a_reader() {
        let (ring, epoch) = (Ring::new(4), Epoch::new(1));
        ring.record(epoch, Entry { failures: 100, slow: true });
        // A writer that takes a place out of turn subtracts what its neighbour has not added yet.
        ring.failures.update(epoch, |sum| sum.wrapping_sub(300));
        ring.slow.update(epoch, |sum| sum.wrapping_sub(2));
        assert_eq!(ring.totals(epoch), Totals { calls: 1, failures: 0, slow: 0 });
        ring.failures.update(epoch, |sum| sum.wrapping_add(300));
        assert_eq!(ring.totals(epoch).failures, 100, "and whole again when the neighbour has");
    }
}
