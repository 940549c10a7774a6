//! What a permit carries, and how a call ended.

use std::time::Duration;

use crate::{
    config::Config,
    machine::{Reason, half_open::Answer, recovering::End, snapshot::Line, tally::Counted},
    outcome::{Failure, Outcome},
    time::Instant,
};

/// What an admitted call carries until it ends: the number of its phase, so that a late result decides nothing.
#[derive(Debug)]
#[must_use = "an admitted call must be settled, or its slot is lent until the lease is over"]
pub struct Stamp {
    pub(crate) epoch: Epoch,
    pub(crate) kind: Kind,
    /// When it began, if it is timed. Once it has stopped, how long after the clock's origin it would have ended, had it begun
    /// there.
    pub(super) started: Instant,
    /// Whether its time is over although the call goes on.
    pub(super) stopped: bool,
    /// The number of its lease, if it is a probe or a call of a recovery.
    pub(super) lease: u64,
}

/// The number of a phase, of which the lower 32 bits are kept: a call that lasts for four billion phases would be taken for
/// one of the present, and at a hundred phases a second that is a year and four months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(pub(crate) u32);

impl Epoch {
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are kept, see the type")]
    pub(crate) const fn new(epoch: u64) -> Self {
        Self(epoch as u32)
    }
}

impl Stamp {
    /// Of a call that is not timed.
    #[inline]
    pub(crate) fn untimed(epoch: Epoch, kind: Kind) -> Self {
        Self { epoch, kind, started: Instant::ZERO, stopped: false, lease: 0 }
    }

    /// Of a call that begins now.
    pub(crate) fn timed(epoch: Epoch, kind: Kind, now: Instant) -> Self {
        Self { epoch, kind, started: now, stopped: false, lease: 0 }
    }

    /// A second one of the same call, which only one of them may end.
    pub(crate) fn double(&self) -> Self {
        Self { ..*self }
    }

    /// Reports whether this call is a probe, whose result decides over a half-open circuit.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.kind == Kind::Probe
    }

    /// Reports whether it passed a closed circuit and is counted.
    pub(crate) fn is_counted(&self) -> bool {
        match self.kind {
            Kind::Counted | Kind::Sample | Kind::Timed => true,
            Kind::Probe | Kind::Recovering | Kind::Shadow | Kind::Uncounted => false,
        }
    }

    /// Reports whether a slot is lent to it.
    pub(crate) fn has_lease(&self) -> bool {
        match self.kind {
            Kind::Probe | Kind::Recovering => true,
            Kind::Counted | Kind::Sample | Kind::Shadow | Kind::Timed | Kind::Uncounted => false,
        }
    }

    /// Reports whether it is timed.
    pub(crate) fn is_timed(&self) -> bool {
        match self.kind {
            Kind::Counted | Kind::Uncounted => false,
            Kind::Probe | Kind::Recovering | Kind::Sample | Kind::Shadow | Kind::Timed => true,
        }
    }

    /// How long it has taken, if it is timed.
    pub(crate) fn took(&self, now: Instant) -> Option<Duration> {
        let end = if self.stopped { self.started } else { now };
        let began = if self.stopped { Instant::ZERO } else { self.started };
        self.is_timed().then(|| end.since(began))
    }

    /// Begins its time anew.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.started = now;
        self.stopped = false;
    }

    /// Ends its time: the answer is there, and what follows is no part of it.
    pub(crate) fn stop(&mut self, now: Instant) {
        if let Some(took) = self.took(now) {
            self.started = Instant::ZERO.after(took);
            self.stopped = true;
        }
    }
}

/// Under which rule a call passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The circuit was closed.
    Counted,
    /// The circuit was half-open; a slot was lent.
    Probe,
    /// The circuit was recovering; a slot was lent.
    Recovering,
    /// The circuit was closed, and the call is timed to learn the usual latency.
    Sample,
    /// It would have been rejected, had the mode not been to watch only.
    Shadow,
    /// The circuit was closed, and every call is timed.
    Timed,
    /// The circuit was disabled.
    Uncounted,
}

/// How a call ended, as its caller tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// The caller went away.
    Dropped,
    /// With an outcome.
    With(Outcome),
    /// With an outcome that the dependency had no part in, such as an error of our own: if it is ignored, it is no sign
    /// of life either.
    Unanswered(Outcome),
}

impl Ended {
    /// None for a call that was dropped.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Dropped => None,
            Self::With(outcome) | Self::Unanswered(outcome) => Some(outcome),
        }
    }
}

/// How a call ended, as the circuit takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    /// None for a call that was dropped too early to mean anything.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) answered: bool,
    pub(crate) slow: bool,
    pub(crate) took: Option<Duration>,
}

impl Finished {
    /// A call that was dropped is a failure if it had run for long enough.
    pub(crate) fn new(config: &Config, stamp: &Stamp, ended: Ended, now: Instant) -> Self {
        let took = stamp.took(now);
        let abandoned = || {
            let age = config.abandoned_after()?;
            took.is_some_and(|took| took >= age).then(Outcome::failure)
        };
        let (outcome, answered) = match ended {
            Ended::Dropped => (abandoned(), false),
            Ended::With(outcome) => (Some(outcome), true),
            Ended::Unanswered(outcome) => (Some(outcome), false),
        };
        let meaningful = matches!(outcome, Some(Outcome::Success | Outcome::Failure(_)));
        let slow = meaningful && config.slow_after().is_some_and(|limit| took.is_some_and(|took| took > limit));
        Self { outcome, answered, slow, took }
    }

    /// Whether it is a success that nothing more is to be said of.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self.outcome, Some(Outcome::Success)) && !self.slow
    }

    /// How long the dependency asked to be left alone.
    pub(crate) fn hint(self) -> Option<Duration> {
        self.failure().and_then(Failure::hint)
    }

    pub(crate) fn failure(self) -> Option<Failure> {
        match self.outcome {
            Some(Outcome::Failure(failure)) => Some(failure),
            Some(Outcome::Success | Outcome::Ignored) | None => None,
        }
    }

    /// What a closed circuit counts, if anything.
    pub(crate) fn counted(self) -> Option<Counted> {
        match self.outcome {
            Some(Outcome::Success | Outcome::Failure(_)) => Some(Counted { failure: self.failure(), slow: self.slow }),
            Some(Outcome::Ignored) | None => None,
        }
    }

    /// Where it stands in the ledger.
    pub(crate) fn line(self) -> Line {
        match self.outcome {
            None => Line::Cancelled,
            Some(Outcome::Failure(_)) => Line::Failed,
            Some(Outcome::Ignored) => Line::Ignored,
            Some(Outcome::Success) => Line::Succeeded,
        }
    }

    /// What it shows as a probe.
    pub(crate) fn answer(self) -> Answer {
        match self.outcome {
            None => Answer::Cancelled,
            Some(Outcome::Failure(failure)) if failure.is_tripping() => Answer::Failed(Reason::Demanded),
            Some(Outcome::Failure(_)) => Answer::Failed(Reason::ProbeFailed),
            Some(Outcome::Ignored) if self.answered => Answer::Ignored,
            Some(Outcome::Ignored) => Answer::Cancelled,
            Some(Outcome::Success) if self.slow => {
                Answer::Failed(Reason::ProbeSlow { took: self.took.unwrap_or_default() })
            }
            Some(Outcome::Success) => Answer::Succeeded,
        }
    }

    /// What it means for a recovery.
    pub(crate) fn end(self) -> End {
        match self.outcome {
            Some(Outcome::Ignored) if self.answered => End::Ignored { took: self.took.unwrap_or_default() },
            None | Some(Outcome::Ignored) => End::Nothing,
            Some(Outcome::Failure(failure)) if failure.is_tripping() => End::Tripped,
            Some(Outcome::Failure(failure)) => End::Failed { units: failure.units() },
            Some(Outcome::Success) if self.slow => End::Slow,
            Some(Outcome::Success) => End::Succeeded { took: self.took.unwrap_or_default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ignored_is_a_sign_of_life_only_if_the_dependency_has_answered() {
        let ignored = |answered| Finished { outcome: Some(Outcome::Ignored), answered, slow: false, took: None };
        assert!(
            matches!(ignored(true).end(), End::Ignored { .. }) && matches!(ignored(true).answer(), Answer::Ignored)
        );
        assert!(matches!(ignored(false).end(), End::Nothing) && matches!(ignored(false).answer(), Answer::Cancelled));
    }
}
