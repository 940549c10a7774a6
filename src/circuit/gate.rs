//! The one word that a healthy call reads, and writes when it has succeeded.

use crate::{
    circuit::stripes::Open,
    machine::{Epoch, Kind, SAMPLED, is_sampled},
    sync::atomic::{AtomicU64, Ordering},
};

/// Whether calls pass, in which phase, and how many of them have succeeded since it was opened.
///
/// | bits | meaning |
/// |---|---|
/// | 0–28 | plain successes, some of them carried over from before; see [`Gate::fold`] |
/// | 29 | the next call is timed, as a sample of the usual latency |
/// | 30 | every call is timed |
/// | 31 | a success takes note of the time before it is counted |
/// | 32–63 | the number of the phase, its lower half |
///
/// All ones is a closed gate: no number of a phase makes it count, and whoever wants to pass finds the bits that say "look
/// closer". It is opened and closed under the lock of the phases only, by one write, so a success is counted in its phase,
/// or finds the gate closed: never in another phase, and never twice.
#[derive(Debug)]
pub(super) struct Gate(AtomicU64);

/// What a gate has counted that nobody knows yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) successes: u64,
    pub(super) sample_due: bool,
}

const CLOSED: u64 = u64::MAX;
const SAMPLE: u64 = 1 << 29;
const TIMED: u64 = 1 << 30;
const KEEPS_TIME: u64 = 1 << 31;
/// Beyond it a success must fold first, so that the count cannot run over into the bits above.
///
/// Few for the models in `tests/loom`, so that they get there.
const FULL: u64 = if cfg!(tower_breaker_loom) { 2 * SAMPLED } else { 1 << 28 };

impl Gate {
    pub(super) fn closed() -> Self {
        Self(AtomicU64::new(CLOSED))
    }

    /// Opens it. `carried` is a count that is known already, below [`SAMPLED`]: the turn of the next sample depends on it.
    pub(super) fn open(&self, Open { epoch, keeps_time, samples: _, timed }: Open, carried: u64, sample: bool) {
        let flag = |on, flag| if on { flag } else { 0 };
        let flags = flag(keeps_time, KEEPS_TIME) | flag(sample, SAMPLE) | flag(timed, TIMED);
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
    /// Half-full counts go back to below [`SAMPLED`].
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
            self.0.fetch_sub(*known - *known % SAMPLED, Ordering::AcqRel);
            *known %= SAMPLED;
        }
        left
    }

    /// Has the next call timed. Called under the lock of the phases, while the gate is open.
    pub(super) fn ask_sample(&self) {
        self.0.fetch_or(SAMPLE, Ordering::Relaxed);
    }

    /// Lets a call pass that is not timed; none if it must look closer.
    #[inline]
    pub(super) fn enter(&self) -> Option<Epoch> {
        // Acquire: pairs with `open`.
        let word = self.0.load(Ordering::Acquire);
        (word & (SAMPLE | TIMED) == 0 && !is_sampled(word)).then_some(Epoch(upper(word)))
    }

    /// Lets a call pass, and says whether it is the sample, or timed for another reason; none if the gate is closed.
    pub(super) fn look_closer(&self, samples: bool) -> Option<(Epoch, Kind)> {
        let mut word = self.0.load(Ordering::Acquire);
        while word != CLOSED {
            let passed = |kind| Some((Epoch(upper(word)), kind));
            if word & SAMPLE == 0 {
                let sample = samples && is_sampled(word);
                let timed = if word & TIMED == 0 { Kind::Counted } else { Kind::Timed };
                return passed(if sample { Kind::Sample } else { timed });
            }
            // Whoever takes the bit away is the sample.
            match self.0.compare_exchange_weak(word, word & !SAMPLE, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return passed(Kind::Sample),
                Err(now) => word = now,
            }
        }
        None
    }

    /// Reports whether a call of this phase still counts.
    pub(super) fn is_open_for(&self, epoch: Epoch) -> bool {
        // Acquire: pairs with `open`.
        is_counting(self.0.load(Ordering::Acquire) & !KEEPS_TIME, epoch)
    }

    /// Counts a plain success; false if its phase is over, or something must be done first: take note of the time, or fold.
    #[inline]
    pub(super) fn count(&self, epoch: Epoch) -> bool {
        self.count_through(epoch, 0)
    }

    /// Counts a plain success after note has been taken of the time; false if its phase is over, or the gate must be folded.
    pub(super) fn count_in_time(&self, epoch: Epoch) -> bool {
        self.count_through(epoch, KEEPS_TIME)
    }

    #[inline]
    fn count_through(&self, epoch: Epoch, done: u64) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if !is_counting(word & !done, epoch) {
                return false;
            }
            // Release: pairs with `fold`.
            match self.0.compare_exchange_weak(word, word + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }
}

/// Whether a success of this phase can be counted by adding one.
#[inline]
fn is_counting(word: u64, epoch: Epoch) -> bool {
    // Another phase, a full count and a closed gate leave other bits.
    word & !(SAMPLE | TIMED | (FULL - 1)) == phase(epoch)
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

    const OPEN: Open = Open { epoch: Epoch(7), keeps_time: false, samples: true, timed: false };

    fn open(epoch: Epoch) -> Gate {
        let gate = Gate::closed();
        gate.open(Open { epoch, ..OPEN }, 1, false);
        gate
    }

    #[test]
    fn a_success_counts_in_its_own_phase_only_and_never_at_a_closed_gate() {
        for epoch in PHASES {
            let gate = open(epoch);
            for other in PHASES {
                assert_eq!(gate.count(other), other == epoch, "{other:?} at {epoch:?}");
                assert_eq!(gate.is_open_for(other), other == epoch);
            }
            assert_eq!(gate.close(1), Left { successes: 1, sample_due: false });
            for other in PHASES {
                assert!(!gate.count(other) && !gate.count_in_time(other) && !gate.is_open_for(other));
            }
            assert_eq!((gate.enter(), gate.look_closer(true)), (None, None));
            assert_eq!((gate.close(0), gate.fold(&mut 0)), (Left::default(), 0));
        }
    }

    #[test]
    fn one_call_in_128_is_a_sample_where_samples_are_wanted() {
        let gate = open(Epoch(7));
        for count in 1..SAMPLED {
            assert_eq!(gate.enter(), Some(Epoch(7)), "{count}");
            assert!(gate.count(Epoch(7)));
        }
        assert_eq!(gate.enter(), None);
        assert_eq!(gate.look_closer(true), Some((Epoch(7), Kind::Sample)));
        assert_eq!(gate.look_closer(false), Some((Epoch(7), Kind::Counted)));
        assert!(gate.count(Epoch(7)), "calls under way are not disturbed by it");
        assert_eq!(gate.enter(), Some(Epoch(7)));
    }

    #[test]
    fn a_sample_that_was_asked_for_is_taken_once() {
        let gate = open(Epoch(7));
        gate.ask_sample();
        assert_eq!(gate.enter(), None);
        assert_eq!(gate.look_closer(false), Some((Epoch(7), Kind::Sample)));
        assert_eq!(gate.enter(), Some(Epoch(7)));
        gate.ask_sample();
        assert!(gate.count(Epoch(7)), "calls under way are not disturbed by it");
        assert_eq!(gate.close(1), Left { successes: 1, sample_due: true });
    }

    #[test]
    fn where_the_time_is_kept_nothing_is_counted_before_it_is_looked_at() {
        let gate = Gate::closed();
        gate.open(Open { keeps_time: true, timed: true, ..OPEN }, 1, false);
        assert_eq!((gate.enter(), gate.look_closer(true)), (None, Some((Epoch(7), Kind::Timed))));
        assert!(!gate.count(Epoch(7)) && gate.count_in_time(Epoch(7)) && gate.is_open_for(Epoch(7)));
        assert_eq!(gate.close(1).successes, 1);
    }

    #[test]
    fn a_full_count_runs_over_into_nothing() {
        let gate = Gate::closed();
        gate.open(OPEN, FULL - 1, false);
        let mut known = FULL - 1;
        assert!(gate.count(Epoch(7)));
        assert!(!gate.count(Epoch(7)) && !gate.is_open_for(Epoch(7)), "it must be folded first");
        assert_eq!(gate.fold(&mut known), 1);
        assert_eq!(known, FULL % SAMPLED);
        assert!(gate.count(Epoch(7)));
        assert_eq!(gate.close(known).successes, 1);
    }

    #[test]
    fn a_fold_leaves_as_much_in_the_gate_as_is_known() {
        let gate = Gate::closed();
        let before = FULL / 2 + 4;
        gate.open(OPEN, before, false);
        let mut known = before;
        assert!(gate.count(Epoch(7)));
        assert_eq!((gate.fold(&mut known), known), (1, 5));
        assert_eq!(gate.fold(&mut known), 0);
        assert!(gate.count(Epoch(7)));
        assert_eq!(gate.close(known).successes, 1);
    }
}
