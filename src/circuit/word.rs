//! What a call finds in the word of the phases when its gate is closed.

use std::fmt;

use crate::{
    machine::{Core, Epoch},
    state::{Mode, State},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// A copy of the word.
///
/// | bits | meaning |
/// |---|---|
/// | 0–1 | [`Lane`] |
/// | 2–63 | number of the phase |
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

/// What a call must do to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Ask the phases behind the lock.
    Ask = 0,
    /// Pass at the gate, which is open.
    Count = 1,
    /// Be rejected until the next probe is due; then ask.
    Wait = 2,
    /// Pass and not be counted.
    Pass = 3,
}

const EPOCH_SHIFT: u32 = 2;

impl Word {
    /// What the phases say now.
    fn of(core: &Core) -> Self {
        let lane = match (core.mode(), core.state()) {
            // A mode that ends by itself is asked for, so that its end is noticed.
            _ if core.mode_until().is_some() => Lane::Ask,
            (Mode::Auto | Mode::ForcedClosed | Mode::MetricsOnly, State::Closed) => Lane::Count,
            (Mode::Auto, State::Open) => Lane::Wait,
            (Mode::Disabled, _) => Lane::Pass,
            (Mode::Auto | Mode::ForcedClosed | Mode::ForcedOpen | Mode::MetricsOnly, _) => Lane::Ask,
        };
        Self(core.epoch() << EPOCH_SHIFT | lane as u64)
    }

    pub(super) fn lane(self) -> Lane {
        match self.0 & 0b11 {
            1 => Lane::Count,
            2 => Lane::Wait,
            3 => Lane::Pass,
            _ => Lane::Ask,
        }
    }

    /// Whether a call passes without asking anybody: the two lanes whose lower bit is set.
    #[inline]
    pub(crate) fn passes(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether the circuit is open, and a probe may be due or not.
    #[inline]
    pub(crate) fn waits(self) -> bool {
        self.0 & 0b11 == Lane::Wait as u64
    }

    pub(super) fn epoch(self) -> Epoch {
        Epoch::new(self.0 >> EPOCH_SHIFT)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word").field("lane", &self.lane()).field("epoch", &self.epoch()).finish()
    }
}

/// The word and, beside it, when the next probe is due. Written under the lock of the phases only.
#[derive(Debug)]
pub(super) struct AtomicWord {
    word: AtomicU64,
    /// Nanoseconds. Means something only in [`Lane::Wait`]; a reader that pairs it with the word of the phase before or
    /// after rejects a call that came at the very instant of a transition, or asks behind the lock.
    next_probe: AtomicU64,
}

impl AtomicWord {
    pub(super) fn new(core: &Core) -> Self {
        let word = Self { word: AtomicU64::new(0), next_probe: AtomicU64::new(0) };
        word.publish(core);
        word
    }

    /// Writes nothing if the word is as it was: healthy calls read this line.
    pub(super) fn publish(&self, core: &Core) -> Word {
        let word = Word::of(core);
        // Relaxed: only who holds the lock writes, so it is the last.
        if self.word.load(Ordering::Relaxed) != word.0 {
            // Relaxed: made visible by the store below. A phase has one such time, so it is there if the word is.
            self.next_probe.store(core.next_probe().unwrap_or(Instant::ZERO).as_nanos(), Ordering::Relaxed);
            // Release: whoever reads the lane reads the time that goes with it, or a later one.
            self.word.store(word.0, Ordering::Release);
        }
        word
    }

    #[inline]
    pub(super) fn load(&self) -> Word {
        // Acquire: pairs with the store in `publish`.
        Word(self.word.load(Ordering::Acquire))
    }

    pub(super) fn next_probe(&self) -> Instant {
        // Relaxed: the caller has loaded the word.
        Instant::from_nanos(self.next_probe.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bits_of_the_word_are_the_lane() {
        for epoch in [0, 1, 7, u64::MAX >> EPOCH_SHIFT] {
            for lane in [Lane::Ask, Lane::Count, Lane::Wait, Lane::Pass] {
                let word = Word(epoch << EPOCH_SHIFT | lane as u64);
                assert_eq!((word.lane(), word.epoch()), (lane, Epoch::new(epoch)));
                assert_eq!(word.passes(), matches!(lane, Lane::Count | Lane::Pass), "{word:?}");
                assert_eq!(word.waits(), lane == Lane::Wait, "{word:?}");
                assert!(format!("{word:?}").contains(&format!("{lane:?}")));
            }
        }
    }
}
