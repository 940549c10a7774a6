//! What an operator of another system can do, with the calls that ours has.
//!
//! Modes are modes, `closed` and `reset` are a reset. Nothing of ours opens a circuit by hand for a time of its own or
//! makes it half-open; a scenario that starts from there is led there by a failure that trips, and by a call that is
//! dropped after the wait, with the clock put back afterwards.

use std::time::Duration;

use tower_breaker::{Failure, Mode, State, clock::Clock, machine::Snapshot};

use super::{
    hearts::{Agreed, Answer},
    notes::{Note, Notes},
    steps::Target,
    tracked::Tracked,
};

/// More probes than any scenario has under way.
const ROOM: u32 = 10_000;

impl Tracked {
    /// `wait` is how long an open circuit shall stay so; what happens is one change for whoever listens.
    pub(crate) fn force(&mut self, to: Target, wait: Option<Duration>, notes: &mut Notes) -> Agreed<()> {
        let (was, heard) = (self.told(), self.events.len());
        self.obey(to, wait, notes)?;
        let is = self.told();
        let steps: Vec<String> = self.events.split_off(heard);
        let moved = steps.iter().any(|event| event.starts_with("state:"));
        if to == Target::Reset && steps.iter().any(|event| event == "reset") {
            self.events.push("reset".into());
        }
        if was != is && moved {
            self.events.push(format!("state:{was}->{is}"));
        }
        Ok(())
    }

    fn obey(&mut self, to: Target, wait: Option<Duration>, notes: &mut Notes) -> Agreed<()> {
        let mode = match to {
            Target::Closed | Target::HalfOpen | Target::Open | Target::Reset => Mode::Auto,
            Target::Disabled => Mode::Disabled,
            Target::ForcedOpen => Mode::ForcedOpen,
            Target::MetricsOnly => {
                notes.add(Note::By("metrics-only is our forced closed: all calls pass and are counted, nothing trips"));
                Mode::ForcedClosed
            }
        };
        self.set_mode(mode)?;
        match to {
            Target::Disabled | Target::ForcedOpen | Target::MetricsOnly => Ok(()),
            Target::Reset => self.reset(),
            Target::Closed if self.state()? == State::Closed => Ok(()),
            Target::Closed => self.reset(),
            Target::HalfOpen => self.half_open(notes),
            Target::Open => self.open(wait, notes),
        }
    }

    /// One failure that opens at once, whatever the rules say; it is taken off the counts again.
    fn open(&mut self, wait: Option<Duration>, notes: &mut Notes) -> Agreed<()> {
        let was = self.state()?;
        if was == State::Open {
            return if wait.is_some() {
                Err("it is open already, and its wait cannot be changed".into())
            } else {
                Ok(())
            };
        }
        notes.add(Note::By("opened by a failure that trips, which is taken off the counts"));
        if was == State::HalfOpen {
            // All probes may be under way.
            let mut roomy = self.plan.config;
            roomy.half_open = roomy.half_open.success_threshold(ROOM).max_concurrent_probes(ROOM);
            self.hearts.reconfigure(roomy)?;
        }
        let Answer::Admitted(call) = self.begin(false)? else { return Err("no call passes to open it by".into()) };
        let failure = Failure::new().tripping();
        let failure = wait.map_or(failure, |wait| failure.retry_after(wait));
        self.end(call, Some(failure.into()))?;
        self.hearts.reconfigure(self.plan.config)?;
        self.own_failures += 1;
        if was == State::Closed {
            self.own_in_window = Some(self.hearts.clock().now());
        }
        if let Some((_, counts)) = &mut self.before {
            counts.failed -= 1;
            counts.ended -= 1;
        }
        Ok(())
    }

    /// Waits, makes a call and drops it, and puts the clock back: durations that would be negative are zero.
    fn half_open(&mut self, notes: &mut Notes) -> Agreed<()> {
        if self.state()? == State::HalfOpen {
            return Ok(());
        }
        if self.state()? == State::Closed {
            self.open(None, notes)?;
        }
        notes.add(Note::By("half-open by a call that is dropped after the wait; the clock is put back"));
        let clock = self.hearts.clock().clone();
        let now = clock.now();
        clock.advance(self.snapshot()?.retry_after.unwrap_or_default());
        let answer = self.begin(false)?;
        if let Answer::Admitted(call) = answer {
            // With no age, so that it is nothing even where a dropped call is a failure.
            let neutral = self.plan.config.cancelled_after(tower_breaker::config::CancelledAfter::Never);
            self.hearts.reconfigure(neutral)?;
            self.end(call, None)?;
            self.hearts.reconfigure(self.plan.config)?;
        }
        clock.set(now);
        match self.state()? {
            State::HalfOpen => Ok(()),
            other => Err(format!("it should be half-open by now and is {other}")),
        }
    }

    fn state(&self) -> Agreed<State> {
        self.snapshot().map(|snapshot| snapshot.state)
    }

    pub(crate) fn snapshot(&self) -> Agreed<Snapshot> {
        self.hearts.snapshot()
    }
}
