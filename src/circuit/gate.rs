//! The one word that a healthy call reads, and writes when it has succeeded.

use crate::{
    machine::{Epoch, is_sampled},
    sync::atomic::{AtomicU64, Ordering},
};

/// Whether calls pass uncounted by anybody else, in which phase, and how many of them have succeeded since it was opened.
///
/// | bits | meaning |
/// |---|---|
/// | 0–29 | plain successes, some of them carried over from before; see [`Gate::fold`] |
/// | 30 | the next call is timed, as a sample of the usual latency |
/// | 31 | every call is timed |
/// | 32–63 | the number of the phase, its lower half |
///
/// All ones is a closed gate: no number of a phase makes it count, and whoever wants to pass finds both bits that say
/// "look closer". It is opened and closed under the lock of the phases only, by one write, so a success is counted in its
/// phase, or finds the gate closed: never in another phase, and never twice.
#[derive(Debug)]
pub(super) struct Gate(AtomicU64);

/// What a call finds at the gate.
pub(super) enum Entry {
    /// Ask the phases.
    Closed,
    /// Pass.
    Plain(Epoch),
    /// Pass, and be timed.
    Timed { epoch: Epoch, sample: bool },
}

/// What a gate has counted that nobody knows yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) successes: u64,
    pub(super) sample_due: bool,
}

const CLOSED: u64 = u64::MAX;
const SAMPLE: u64 = 1 << 30;
const TIMED: u64 = 1 << 31;
/// Beyond it a success must fold first, so that the count cannot run over into the bits above.
///
/// Few for the models in `tests/loom`, so that they get there.
const FULL: u64 = if cfg!(tower_breaker_loom) { 1 << 7 } else { 1 << 29 };

impl Gate {
    pub(super) fn closed() -> Self {
        Self(AtomicU64::new(CLOSED))
    }

    /// Opens it. `carried` is a count that is known already, below 64: the turn of the next sample depends on it.
    pub(super) fn open(&self, epoch: Epoch, carried: u64, sample: bool, timed: bool) {
        let flags = if sample { SAMPLE } else { 0 } | if timed { TIMED } else { 0 };
        // Release: what the phase began with happens before a call that is counted in it.
        self.0.store(phase(epoch) | flags | carried, Ordering::Release);
    }

    /// Closes it; `known` is how many of its successes are known.
    pub(super) fn close(&self, known: u64) -> Left {
        // AcqRel: what was counted before belongs to the phase, and nothing is counted after.
        let word = self.0.swap(CLOSED, Ordering::AcqRel);
        if word == CLOSED {
            Left::default()
        } else {
            Left { successes: count(word) - known, sample_due: word & SAMPLE != 0 }
        }
    }

    /// Returns how many successes are not known yet, and makes them known. Called under the lock of the phases.
    ///
    /// Half-full counts go back to below 64.
    pub(super) fn fold(&self, known: &mut u64) -> u64 {
        // Acquire: a success that has been counted happens before the decision that takes it into account.
        let word = self.0.load(Ordering::Acquire);
        if word == CLOSED {
            return 0;
        }
        let left = count(word) - *known;
        *known += left;
        if *known >= FULL / 2 {
            // Others may have added meanwhile, so the word is at least this large.
            self.0.fetch_sub(*known - *known % 64, Ordering::AcqRel);
            *known %= 64;
        }
        left
    }

    /// Has the next call timed. Called under the lock of the phases, while the gate is open.
    pub(super) fn ask_sample(&self) {
        self.0.fetch_or(SAMPLE, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn enter(&self) -> Entry {
        // Acquire: pairs with `open`.
        let word = self.0.load(Ordering::Acquire);
        if word & (SAMPLE | TIMED) == 0 { Entry::Plain(Epoch(upper(word))) } else { self.look_closer(word) }
    }

    fn look_closer(&self, mut word: u64) -> Entry {
        while word != CLOSED {
            let epoch = Epoch(upper(word));
            if word & SAMPLE == 0 {
                return if word & TIMED == 0 { Entry::Plain(epoch) } else { Entry::Timed { epoch, sample: false } };
            }
            // Whoever takes the bit away is the sample.
            match self.0.compare_exchange_weak(word, word & !SAMPLE, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Entry::Timed { epoch, sample: true },
                Err(now) => word = now,
            }
        }
        Entry::Closed
    }

    /// Reports whether a call of this phase still counts.
    pub(super) fn is_open_for(&self, epoch: Epoch) -> bool {
        counted(self.0.load(Ordering::Acquire), epoch).is_some()
    }

    /// Counts a plain success; false if its phase is over, or the gate must be folded. `samples` has one in 64 ask for a
    /// sample.
    #[inline]
    pub(super) fn count(&self, epoch: Epoch, samples: bool) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        while let Some(count) = counted(word, epoch) {
            let sample = if samples && is_sampled(count + 1) { SAMPLE } else { 0 };
            // Release: pairs with `fold`.
            match self.0.compare_exchange_weak(word, (word + 1) | sample, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }
}

/// How many successes the word has counted in this phase; none if it counts none, or no more.
#[inline]
fn counted(word: u64, epoch: Epoch) -> Option<u64> {
    // Another phase, and a closed gate, leave a number that is far too large.
    let count = (word & !(SAMPLE | TIMED)).wrapping_sub(phase(epoch));
    (count < FULL).then_some(count)
}

#[inline]
fn phase(epoch: Epoch) -> u64 {
    u64::from(epoch.0) << 32
}

#[inline]
fn upper(word: u64) -> u32 {
    (word >> 32) as u32
}

fn count(word: u64) -> u64 {
    word & (SAMPLE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Epoch; 5] = [Epoch(0), Epoch(1), Epoch(1 << 31), Epoch(u32::MAX - 1), Epoch(u32::MAX)];

    fn open(epoch: Epoch) -> Gate {
        let gate = Gate::closed();
        gate.open(epoch, 0, false, false);
        gate
    }

    #[test]
    fn a_success_counts_in_its_own_phase_only_and_never_at_a_closed_gate() {
        for epoch in PHASES {
            let gate = open(epoch);
            for other in PHASES {
                assert_eq!(gate.count(other, false), other == epoch, "{other:?} at {epoch:?}");
                assert_eq!(gate.is_open_for(other), other == epoch);
            }
            assert_eq!(gate.close(0), Left { successes: 1, sample_due: false });
            for other in PHASES {
                assert!(!gate.count(other, true) && !gate.is_open_for(other));
            }
            assert!(matches!(gate.enter(), Entry::Closed));
            assert_eq!((gate.close(0), gate.fold(&mut 0)), (Left::default(), 0));
        }
    }

    #[test]
    fn a_sample_is_due_after_64_successes_and_taken_once() {
        let gate = open(Epoch(7));
        (0..64).for_each(|_| {
            assert!(matches!(gate.enter(), Entry::Plain(Epoch(7))));
            assert!(gate.count(Epoch(7), true));
        });
        assert!(gate.count(Epoch(7), true), "calls under way are not disturbed by it");
        assert!(matches!(gate.enter(), Entry::Timed { epoch: Epoch(7), sample: true }));
        assert!(matches!(gate.enter(), Entry::Plain(Epoch(7))));
        assert_eq!(gate.close(0).successes, 65);
    }

    #[test]
    fn a_full_count_runs_over_into_nothing() {
        let gate = Gate::closed();
        gate.open(Epoch(3), FULL - 1, false, true);
        let mut known = FULL - 1;
        assert!(gate.count(Epoch(3), false));
        assert!(!gate.count(Epoch(3), false), "it must be folded first");
        assert_eq!(gate.fold(&mut known), 1);
        assert_eq!(known, FULL % 64);
        assert!(gate.count(Epoch(3), false));
        assert!(matches!(gate.enter(), Entry::Timed { epoch: Epoch(3), sample: false }));
        assert_eq!(gate.close(known).successes, 1);
    }
}
