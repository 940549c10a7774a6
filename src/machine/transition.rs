//! Every way from one phase to another.

use std::{sync::Arc, time::Duration};

use crate::{
    config::Recovery,
    machine::{
        Event, Outage, Reason, Transition, Vitals,
        core::{Core, Phase},
        open,
        recovering::Recovering,
        rules::EvidenceRule,
        stamp::Epoch,
    },
    state::{Mode, State},
    time::{Instant, nanos},
};

impl Core {
    /// Opens the closed circuit because a rule has fired on a call of phase `epoch`; false if it came too late.
    pub(crate) fn trip(
        &mut self,
        epoch: Epoch,
        reason: Reason,
        vitals: Vitals,
        hint: Option<Duration>,
        now: Instant,
    ) -> bool {
        self.end_mode(now);
        let held = matches!(self.mode, Mode::Disabled | Mode::ForcedClosed);
        if epoch != Epoch::new(self.epoch) || !matches!(self.phase, Phase::Closed) || held {
            return false;
        }
        let mut outage = Outage::begin(vitals, 0, now);
        if let Some(before) = self.relapsed_from(now) {
            outage.relapses = before.relapses.saturating_add(1);
            // There was no time to learn what is usual anew.
            outage.traffic = outage.traffic.max(before.traffic);
        }
        self.outage = Some(Box::new(outage));
        self.times_opened += 1;
        self.enter_open(reason, hint, now);
        true
    }

    /// The outage before, if it ended so short a time ago that the dependency has relapsed.
    fn relapsed_from(&self, now: Instant) -> Option<Outage> {
        let Recovery::Window(window) = self.settings.config.recovery else { return None };
        let (at, outage) = self.recovered.as_deref().copied()?;
        let soon = window.probation_after(outage.relapses).saturating_mul(2).max(Duration::from_secs(10));
        (now.since(at) < soon).then_some(outage)
    }

    pub(super) fn recover(&mut self, reason: Reason, now: Instant) {
        let outage = self.outage.as_deref().copied().unwrap_or(Outage::begin(Vitals::default(), 0, now));
        match self.recovering(&outage, now) {
            Some(phase) => self.enter(phase, reason, now),
            None => self.close(reason, now),
        }
    }

    pub(super) fn recovering(&self, outage: &Outage, now: Instant) -> Option<Phase> {
        let half_open = &self.settings.config.half_open;
        let recovering = match self.settings.config.recovery {
            Recovery::Probes => return None,
            Recovery::Ramp(ramp) => Recovering::ramp(ramp, half_open, now),
            Recovery::Window(window) => {
                let evidence = self.settings.config.evidence.map(EvidenceRule::new);
                let needed = evidence.map_or(0, |rule| rule.needed_units(outage.traffic));
                Recovering::window(window, outage, half_open, now).convinced_by(needed)
            }
        };
        Some(Phase::Recovering(Box::new(recovering)))
    }

    /// Goes back to open from half-open or recovering.
    pub(super) fn reopen(&mut self, reason: Reason, hint: Option<Duration>, now: Instant) {
        let fell = match &self.phase {
            Phase::Recovering(recovering) => Some(recovering.got_far(now)),
            Phase::Closed | Phase::Open { .. } | Phase::HalfOpen(_) => None,
        };
        self.times_opened += u64::from(fell.is_some());
        if let Some(outage) = &mut self.outage {
            outage.failed_probes = outage.failed_probes.saturating_add(1);
            if fell == Some(true) {
                // It had come back: this is a new outage of a dependency that relapses.
                outage.since = now;
                outage.before = Duration::ZERO;
                outage.failed_probes = 0;
                outage.relapses = outage.relapses.saturating_add(1);
            }
        }
        self.enter_open(reason, hint, now);
    }

    fn enter_open(&mut self, reason: Reason, hint: Option<Duration>, now: Instant) {
        let phase = self.open(hint, now);
        self.reason = Some(Box::new(reason.clone()));
        self.enter(phase, reason, now);
    }

    /// An open phase with its wait drawn.
    pub(super) fn open(&mut self, hint: Option<Duration>, now: Instant) -> Phase {
        let outage = self.outage.as_deref().copied().unwrap_or(Outage::begin(Vitals::default(), 0, now));
        let drawn = open::wait(self.settings.config.probing, &outage, self.streak, now, &mut self.rng);
        let asked = hint.unwrap_or_default().min(self.settings.config.max_retry_after);
        self.streak = self.streak.saturating_add(1);
        let wait = drawn.max(asked);
        self.last_wait = nanos(wait);
        Phase::Open { next_probe: now.after(wait) }
    }

    pub(super) fn close(&mut self, reason: Reason, now: Instant) {
        // A circuit that began half-open or recovering has seen no outage.
        let had_opened = self.reason.is_some();
        let by_itself = matches!(reason, Reason::ProbesSucceeded { .. } | Reason::Recovered) && had_opened;
        self.recovered = self.outage.take().filter(|_| by_itself).map(|outage| Box::new((now, *outage)));
        self.streak = 0;
        self.reason = None;
        self.enter(Phase::Closed, reason, now);
    }

    /// The one place where the phase and its number change.
    pub(super) fn enter(&mut self, phase: Phase, reason: Reason, now: Instant) {
        let from = self.state();
        let clock = &mut self.time_in[from.index()];
        *clock = clock.after(now.since(self.entered));
        self.entered = now.max(self.entered);
        self.phase = phase;
        self.epoch += 1;
        let to = self.state();
        let retry_after = self.next_probe().map(|next| next.since(now));
        let began = self.outage.as_ref().filter(|_| (from, to) == (State::Closed, State::Open));
        let detected_after = began.and_then(|outage| outage.began).map(|began| now.since(began));
        let circuit = Arc::clone(&self.name);
        let epoch = self.epoch;
        self.tell(Event::Transition(Transition {
            circuit,
            from,
            to,
            reason,
            epoch,
            at: now,
            retry_after,
            detected_after,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, RecoveryWindow},
        machine::{Machine, Memory, OutageMemory},
        outcome::{Failure, Outcome},
    };

    fn machine(initial: State) -> Machine {
        let config = Config::new().recovery(Recovery::Window(RecoveryWindow::new())).initial_state(initial);
        Machine::new("test", config, 1, Instant::ZERO).expect("within bounds")
    }

    fn trip(machine: &mut Machine, now: Instant) {
        let stamp = machine.admit(now).expect("it is closed");
        machine.settle(stamp, Some(Failure::new().tripping().into()), now);
        assert_eq!(machine.state(), State::Open);
    }

    /// Makes good calls until the circuit has closed; returns when it has.
    fn recover(machine: &mut Machine, mut now: Instant) -> Instant {
        for _ in 0..10_000 {
            if machine.state() == State::Closed {
                return now;
            }
            now = now.after(Duration::from_millis(10));
            if let Ok(stamp) = machine.admit(now) {
                machine.settle(stamp, Some(Outcome::Success), now);
            }
        }
        panic!("still {:?}", machine.state());
    }

    fn relapses(machine: &Machine, now: Instant) -> u32 {
        machine.save(now).outage.expect("it is open").relapses
    }

    #[test]
    fn an_outage_soon_after_another_is_a_relapse_unless_an_operator_had_ended_that() {
        let mut machine = machine(State::Closed);
        trip(&mut machine, Instant::ZERO);
        let now = recover(&mut machine, Instant::ZERO);
        trip(&mut machine, now);
        assert_eq!(relapses(&machine, now), 1);
        machine.set_mode(Mode::ForcedClosed, None, now);
        machine.set_mode(Mode::Auto, None, now);
        trip(&mut machine, now);
        assert_eq!(relapses(&machine, now), 0, "nobody knows whether it had recovered");
    }

    #[test]
    fn an_outage_soon_after_the_beginning_is_no_relapse() {
        let mut machine = machine(State::HalfOpen);
        let now = recover(&mut machine, Instant::ZERO);
        trip(&mut machine, now);
        assert_eq!(relapses(&machine, now), 0, "no outage has been seen before");
    }

    #[test]
    fn an_outage_soon_after_one_from_before_a_restart_is_a_relapse_too() {
        let outage = OutageMemory { relapses: 2, ..OutageMemory::default() };
        let memory = Memory { state: State::Open, outage: Some(outage), ..Memory::nothing() };
        let mut machine = machine(State::Closed);
        assert_eq!(machine.restore(&memory, Duration::ZERO, Instant::ZERO).state, Ok(()));
        let now = recover(&mut machine, Instant::ZERO);
        trip(&mut machine, now);
        assert_eq!(relapses(&machine, now), 3);
    }

    #[test]
    fn a_rule_that_decides_too_late_opens_nothing() {
        let mut machine = machine(State::Closed);
        let before = machine.admit(Instant::ZERO).expect("it is closed").epoch;
        machine.reset(Instant::ZERO);
        machine.trip(before, Reason::Demanded, None, Instant::ZERO);
        assert_eq!(machine.state(), State::Closed);
        let now = machine.admit(Instant::ZERO).expect("it is closed").epoch;
        machine.trip(now, Reason::Demanded, None, Instant::ZERO);
        assert_eq!(machine.state(), State::Open);
    }
}
