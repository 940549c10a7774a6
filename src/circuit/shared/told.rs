//! Calls that no closed circuit has let pass: told to the span they are in, and now and then to the log.

use super::{Shared, Users, open_for};
use crate::{
    circuit::outbox::isolated,
    machine::{Kind, Rejection, Stamp},
    observe,
    state::State,
    sync::atomic::{AtomicU32, Ordering},
    time::{Instant, Nanos},
};

impl Shared {
    /// Rejects a call of an open circuit; none if it is not open, or a probe is due.
    #[inline(never)]
    pub(in crate::circuit) fn reject_exactly(&self) -> Option<Nanos> {
        let wait = if self.board.word().waits() { self.wait()? } else { return None };
        if observe::is_heard() {
            isolated(|| self.tell_rejected(&open_for(wait), 1));
        }
        Some(wait)
    }

    /// Takes note of a call that was rejected though the circuit lets it pass.
    #[cold]
    pub(in crate::circuit) fn reject_not_ready(&self, rejection: &Rejection) {
        self.inner.lock().machine.count_rejected(rejection.reason);
        if observe::is_heard() {
            isolated(|| self.tell_rejected(rejection, 0));
        }
    }

    /// Tells of the answer to a call that the machine was asked about. Called outside every lock, where somebody may hear it.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_answer(&self, answer: &Result<Stamp, Rejection>) {
        match answer {
            Err(rejection) => self.tell_rejected(rejection, 0),
            Ok(stamp) => match stamp.kind {
                Kind::Counted | Kind::Sample | Kind::Timed | Kind::Uncounted => {}
                Kind::Probe => observe::mark_span(State::HalfOpen),
                Kind::Recovering => observe::mark_span(State::Recovering),
                Kind::Shadow => observe::mark_span(self.read(|core, _| core.state())),
            },
        }
    }

    /// Tells of a rejected call; `uncounted` is one if that is still to be counted.
    #[cold]
    #[inline(never)]
    fn tell_rejected(&self, rejection: &Rejection, uncounted: u64) {
        observe::mark_span(rejection.state);
        if observe::hears_rejections() && self.turn_to_speak.take(self.clock.now()) {
            let key = self.users.as_deref().and_then(|Users { key, .. }| key.as_deref());
            // This one is among them.
            let left_out = self.newly_rejected(uncounted).saturating_sub(1);
            observe::log_rejection(&self.name, key, rejection, left_out);
        }
    }

    /// How many calls have been rejected since this was last asked.
    fn newly_rejected(&self, uncounted: u64) -> u64 {
        let inner = &mut *self.inner.lock();
        inner.stripes.take_lines(&mut inner.machine);
        inner.machine.newly_rejected(uncounted)
    }
}

/// When the last line was written of a rejected call: milliseconds and one, zero before the first. It goes round in 49 days, when
/// a line may be one too many.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicU32);

impl Turn {
    /// Whether a second is over since this last said yes.
    fn take(&self, now: Instant) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "it goes round")]
        let now = ((now.as_nanos() / 1_000_000) as u32).wrapping_add(1);
        // Relaxed: nothing but this word depends on it.
        let last = self.0.load(Ordering::Relaxed);
        let is_due = last == 0 || now.wrapping_sub(last) >= 1_000;
        is_due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_turn_comes_once_a_second_however_long_the_clock_has_run() {
        for start in [0, u64::from(u32::MAX) - 500, u64::from(u32::MAX) - 1] {
            let turn = Turn::default();
            let at = |millis| Instant::ZERO.after(Duration::from_millis(start + millis));
            let turns: Vec<u64> = (1..3_600).filter(|millis| turn.take(at(*millis))).collect();
            assert!(turns.len() <= 5 && turns.starts_with(&[1]) && turns[1..].iter().all(|at| *at > 1), "{turns:?}");
        }
        let turn = Turn::default();
        let turns: Vec<u64> = (0..3_600).filter(|millis| turn.take(Instant::from_nanos(millis * 1_000_000))).collect();
        assert_eq!(turns, [0, 1_000, 2_000, 3_000]);
    }
}
