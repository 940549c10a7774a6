//! What of a machine outlives its process: that it was open, since when, for how long still, and what an operator wanted.
//!
//! Times are told as durations, since the clocks of two processes have nothing in common. How much time has passed between
//! them is for the caller to know.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{
    config::YEAR,
    machine::{Core, Machine, Outage, Reason, core::Phase},
    state::{Giver, Mode, State},
    time::{Instant, nanos},
};

/// What a circuit knows that is worth knowing after a restart. See [`Circuit::save`](crate::Circuit::save).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// What was measured.
    pub state: State,
    /// How long an open circuit was still to be left alone; zero if a probe was due, and in all other states.
    pub wait_left: Duration,
    /// What is known of the outage; none if it was closed.
    pub outage: Option<OutageMemory>,
    /// What an operator wanted.
    pub mode: Mode,
    /// In which time the mode ends by itself.
    pub mode_ends_in: Option<Duration>,
}

/// What a circuit knows of an outage.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OutageMemory {
    /// How long it has lasted.
    pub lasted: Duration,
    /// Why the circuit had opened, in words.
    pub reason: Option<Arc<str>>,
    /// How often it has opened since it was last closed.
    pub openings: u32,
    /// How often it has been opened again since the outage began.
    pub failed_probes: u32,
    /// How often the dependency has failed again soon after it had come back.
    pub relapses: u32,
    /// The usual traffic before the outage, calls per second; zero if unknown.
    pub traffic: f64,
    /// The usual latency before the outage, if it is known.
    pub usual_latency: Option<Duration>,
}

impl Memory {
    /// Returns that of a circuit that is closed and that no operator has touched.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { state: State::Closed, wait_left: Duration::ZERO, outage: None, mode: Mode::Auto, mode_ends_in: None }
    }

    /// Reports whether there is nothing that a new circuit would not do by itself.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.state == State::Closed && self.mode == Mode::Auto
    }
}

/// What has become of each half of a [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "somebody should be told what was not restored"]
pub struct Restored {
    /// Of the state: restored is one that was not closed, and the circuit is open now.
    pub state: Result<(), NotRestored>,
    /// Of the mode: restored is one other than [`Mode::Auto`].
    pub mode: Result<(), NotRestored>,
}

impl Restored {
    /// Neither half, for the same reason.
    pub(crate) fn neither(why: NotRestored) -> Self {
        Self { state: Err(why), mode: Err(why) }
    }
}

/// `open again; not in its mode again: its time is over`.
impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.mode) {
            (Err(state), Err(mode)) if state == mode => write!(f, "not restored: {state}"),
            (Ok(()), Err(NotRestored::Nothing)) => f.write_str("open again"),
            (Err(NotRestored::Nothing), Ok(())) => f.write_str("in its mode again"),
            (Ok(()), Ok(())) => f.write_str("open again; in its mode again"),
            (Err(why), Err(NotRestored::Nothing)) => write!(f, "not open again: {why}"),
            (Err(NotRestored::Nothing), Err(why)) => write!(f, "not in its mode again: {why}"),
            (Ok(()), Err(why)) => write!(f, "open again; not in its mode again: {why}"),
            (Err(why), Ok(())) => write!(f, "not open again: {why}; in its mode again"),
            (Err(state), Err(mode)) => write!(f, "not open again: {state}; not in its mode again: {mode}"),
        }
    }
}

/// Why something was not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRestored {
    /// It was saved later than now: one of the two clocks is wrong, and nobody knows what is left of a wait.
    FromTheFuture,
    /// The circuit has found out, or was told, something since it was made, and that counts for more.
    Newer,
    /// The registry has no room for another circuit.
    NoRoom,
    /// It is no key of this registry.
    NoSuchKey,
    /// A new circuit is closed and has no mode, and so was this one.
    Nothing,
    /// The time of the mode is over.
    Over,
    /// It was saved longer ago than is allowed.
    TooOld,
}

impl fmt::Display for NotRestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromTheFuture => "it was saved later than now",
            Self::Newer => "the circuit knows better by now",
            Self::NoRoom => "there is no room for another circuit",
            Self::NoSuchKey => "it is no key of this registry",
            Self::Nothing => "there is nothing to restore",
            Self::Over => "its time is over",
            Self::TooOld => "it was saved too long ago",
        })
    }
}

impl Error for NotRestored {}

impl Machine {
    /// Returns what is worth knowing after a restart.
    #[must_use]
    pub fn save(&self, now: Instant) -> Memory {
        self.core().save(now)
    }

    /// Takes up what another machine has saved so long `ago`, if this one is as new.
    ///
    /// One that was open is open again, for what is left of its wait, and so is one that was half-open or recovering, with a
    /// probe that is due: nobody knows what has become of the calls that were under way. A mode comes back for what is left
    /// of its time, unless another has been set. What the machine has found out by itself counts for more. No wait is longer
    /// than these settings could draw.
    pub fn restore(&mut self, memory: &Memory, ago: Duration, now: Instant) -> Restored {
        self.change(now, |core| core.restore(memory, ago, now))
    }
}

impl Core {
    pub(crate) fn save(&self, now: Instant) -> Memory {
        let outage = self.outage.as_deref().map(|outage| OutageMemory {
            lasted: outage.lasted(now),
            reason: self.reason.as_deref().map(|reason| match reason {
                Reason::Restored { because } => Arc::clone(because),
                other => other.to_string().into(),
            }),
            openings: self.streak,
            failed_probes: outage.failed_probes,
            relapses: outage.relapses,
            traffic: outage.traffic,
            usual_latency: outage.usual_latency,
        });
        let mode = self.mode_by(Giver::Operator, now);
        Memory {
            state: self.state(),
            wait_left: self.next_probe().map_or(Duration::ZERO, |next| next.since(now)),
            outage,
            mode,
            mode_ends_in: self.mode_until().filter(|_| mode != Mode::Auto).map(|until| until.since(now)),
        }
    }

    fn restore(&mut self, memory: &Memory, ago: Duration, now: Instant) -> Restored {
        self.end_mode(now);
        // The mode first: one that holds the circuit closed has a say in its state.
        let mode = self.restore_mode(memory, ago, now);
        Restored { state: self.restore_state(memory, ago, now), mode }
    }

    fn restore_mode(&mut self, memory: &Memory, ago: Duration, now: Instant) -> Result<(), NotRestored> {
        let left = memory.mode_ends_in.map(|left| left.saturating_sub(ago));
        match memory.mode {
            Mode::Auto => Err(NotRestored::Nothing),
            _ if self.mode != Mode::Auto => Err(NotRestored::Newer),
            _ if left == Some(Duration::ZERO) => Err(NotRestored::Over),
            mode => {
                self.set_mode(mode, left.map(|left| now.after(left)), now);
                Ok(())
            }
        }
    }

    fn restore_state(&mut self, memory: &Memory, ago: Duration, now: Instant) -> Result<(), NotRestored> {
        if memory.state == State::Closed {
            return Err(NotRestored::Nothing);
        }
        // The first phase is the only one that nothing has led to.
        if self.epoch > 1 || self.mode == Mode::ForcedClosed {
            return Err(NotRestored::Newer);
        }
        let known = memory.outage.clone().unwrap_or_default();
        self.outage = Some(Box::new(Outage {
            since: now,
            began: None,
            before: known.lasted.saturating_add(ago),
            // It comes from a file, where anything may stand.
            traffic: if known.traffic.is_finite() { known.traffic.max(0.0) } else { 0.0 },
            usual_latency: known.usual_latency.filter(|latency| !latency.is_zero()).map(|latency| latency.min(YEAR)),
            failed_probes: known.failed_probes,
            relapses: known.relapses,
        }));
        let longest = self.config().probing.longest().max(self.config().max_retry_after);
        let left = memory.wait_left.saturating_sub(ago).min(longest);
        let reason = Reason::Restored { because: known.reason.unwrap_or_else(|| "it began so".into()) };
        self.streak = known.openings.max(1);
        self.last_wait = nanos(left);
        self.reason = Some(Box::new(reason.clone()));
        self.enter(Phase::Open { next_probe: now.after(left) }, reason, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_was_restored_is_said_of_each_half() {
        use NotRestored::{Newer, Nothing, Over};
        let said = |state, mode| Restored { state, mode }.to_string();
        assert_eq!(said(Err(Newer), Err(Newer)), "not restored: the circuit knows better by now");
        assert_eq!(said(Ok(()), Err(Nothing)), "open again");
        assert_eq!(said(Err(Nothing), Ok(())), "in its mode again");
        assert_eq!(said(Ok(()), Ok(())), "open again; in its mode again");
        assert_eq!(said(Err(Newer), Err(Nothing)), "not open again: the circuit knows better by now");
        assert_eq!(said(Err(Nothing), Err(Over)), "not in its mode again: its time is over");
        assert_eq!(said(Ok(()), Err(Over)), "open again; not in its mode again: its time is over");
        assert_eq!(said(Err(Newer), Ok(())), "not open again: the circuit knows better by now; in its mode again");
        let both = "not open again: the circuit knows better by now; not in its mode again: its time is over";
        assert_eq!(said(Err(Newer), Err(Over)), both);
    }

    #[test]
    fn what_was_usual_before_the_outage_is_known_after_a_restart() {
        let of = |usual_latency| {
            let outage = OutageMemory { traffic: 25.0, usual_latency, ..OutageMemory::default() };
            let memory = Memory { state: State::Open, outage: Some(outage), ..Memory::nothing() };
            let mut machine = Machine::new("it", Config::new(), 0, Instant::ZERO).expect("the defaults");
            assert_eq!(machine.restore(&memory, Duration::ZERO, Instant::ZERO).state, Ok(()));
            let saved = machine.save(Instant::ZERO).outage.expect("it is open");
            (saved.traffic, saved.usual_latency)
        };
        let fast = Some(Duration::from_millis(50));
        assert_eq!(of(fast), (25.0, fast));
        assert_eq!(of(Some(Duration::MAX)), (25.0, Some(YEAR)), "no longer than a call may take");
        assert_eq!(of(Some(Duration::ZERO)), (25.0, None), "zero is no latency");
        assert_eq!(of(None), (25.0, None));
    }

    #[test]
    fn nothing_is_worth_keeping_of_a_closed_circuit_that_nobody_has_touched() {
        let nothing = Memory::nothing();
        assert!(nothing.is_nothing());
        assert!(!Memory { state: State::Open, ..nothing.clone() }.is_nothing());
        assert!(!Memory { mode: Mode::Disabled, ..nothing }.is_nothing());
    }
}
