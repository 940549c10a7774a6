//! Leave for a call that has not begun: its slot is taken, but nothing is under way.

use crate::{
    machine::{
        Epoch, Stamp,
        core::{Core, Phase},
        lease::Leases,
    },
    time::Instant,
};

impl Core {
    /// Takes note that the call of this stamp has not begun. If it does not before its lease ends, that says nothing about the
    /// dependency.
    pub(crate) fn reserve(&mut self, stamp: &Stamp, now: Instant) {
        if stamp.epoch != Epoch::new(self.epoch) {
            return;
        }
        match &mut self.phase {
            Phase::HalfOpen(half_open) => half_open.reserve(&self.settings.config.half_open, stamp.lease, now),
            Phase::Recovering(recovering) => recovering.reserve(stamp.lease),
            Phase::Closed | Phase::Open { .. } => {}
        }
    }

    /// Lends its slot anew to a call that begins now; false if it is not lent to it any more.
    pub(crate) fn begin(&mut self, stamp: &mut Stamp, now: Instant) -> bool {
        if !self.is_lent(stamp, now) {
            return false;
        }
        let lease = match &mut self.phase {
            Phase::HalfOpen(half_open) => half_open.begin(&self.settings.config.half_open, stamp.lease, now),
            Phase::Recovering(recovering) => recovering.begin(stamp.lease, now),
            Phase::Closed | Phase::Open { .. } => return false,
        };
        stamp.lease = lease;
        true
    }

    /// Reports whether the slot of this stamp is still lent to it.
    pub(crate) fn is_lent(&self, stamp: &Stamp, now: Instant) -> bool {
        let lent = |leases: &Leases| leases.is_lent(stamp.lease, now);
        stamp.epoch == Epoch::new(self.epoch)
            && match &self.phase {
                Phase::HalfOpen(half_open) => lent(half_open.leases()),
                Phase::Recovering(recovering) => lent(recovering.leases()),
                Phase::Closed | Phase::Open { .. } => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::{Config, HalfOpen},
        machine::Machine,
        outcome::Outcome,
        state::State,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn at(secs: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(secs))
    }

    /// Half-open, with leases of 30 s, and over after 60 s in which calls are under way without a success.
    fn half_open() -> Machine {
        let half_open = HalfOpen::new().max_concurrent_probes(2).success_threshold(3).probe_timeout(30 * SECOND);
        let config = Config::new().half_open(half_open.max_wait(60 * SECOND)).initial_state(State::HalfOpen);
        Machine::new("test", config, 1, Instant::ZERO).expect("within bounds")
    }

    fn reserve(machine: &mut Machine, now: Instant) -> Stamp {
        let stamp = machine.admit(now).expect("a slot is free");
        machine.core.reserve(&stamp, now);
        stamp
    }

    /// Whether a call that comes now finds the phase over.
    fn is_over(machine: &Machine, now: Instant) -> bool {
        let mut ahead = machine.clone();
        let _ = ahead.core.look(now);
        ahead.state() == State::Open
    }

    #[test]
    fn only_the_time_of_calls_that_have_begun_ends_a_half_open_phase() {
        let mut machine = half_open();
        let unused = reserve(&mut machine, at(0));
        let mut used = reserve(&mut machine, at(0));
        assert!(machine.admit(at(29)).is_err(), "both slots are taken");
        assert!(machine.core.begin(&mut used, at(29)));
        assert!(!machine.core.is_lent(&unused, at(30)), "it has not begun in time");
        let third = machine.admit(at(58)).expect("so its slot is free");
        machine.settle(third, None, at(58));
        machine.settle(used, None, at(58));
        drop(unused);
        // 29 s of it so far; what is reserved and given back adds none.
        let given_back = reserve(&mut machine, at(100));
        machine.settle(given_back, None, at(120));
        let mut last = reserve(&mut machine, at(200));
        assert!(machine.core.begin(&mut last, at(220)));
        assert!(!is_over(&machine, at(249)));
        machine.settle(last, None, at(249));
        let mut last = reserve(&mut machine, at(300));
        assert!(machine.core.begin(&mut last, at(310)));
        assert!(!is_over(&machine, at(311)) && is_over(&machine, at(312)), "29 s, 29 s and 2 s");
    }

    #[test]
    fn a_call_that_has_leave_begins_once_in_its_phase() {
        let mut machine = half_open();
        let mut late = reserve(&mut machine, at(0));
        let mut stamp = reserve(&mut machine, at(0));
        let mut double = stamp.double();
        assert!(machine.core.begin(&mut stamp, at(1)));
        assert!(!machine.core.begin(&mut double, at(1)), "that slot was given back");
        machine.settle(stamp, Some(Outcome::failure()), at(2));
        assert_eq!(machine.state(), State::Open);
        assert!(!machine.core.begin(&mut late, at(2)), "that phase is over");
        machine.core.reserve(&late, at(2));
        machine.settle(late, None, at(2));
        assert_eq!(machine.snapshot(at(2)).ledger.late, 1);
    }

    #[test]
    fn in_a_recovery_a_call_that_never_ends_is_a_failure_and_one_that_never_begins_is_none() {
        for (begins, state) in [(true, State::Open), (false, State::Recovering)] {
            let config = Config::new().initial_state(State::Recovering);
            let mut machine = Machine::new("test", config, 1, Instant::ZERO).expect("within bounds");
            for n in 0..20 {
                let now = at(n * 31);
                let Ok(mut stamp) = machine.admit(now) else { break };
                machine.core.reserve(&stamp, now);
                assert!(!begins || machine.core.begin(&mut stamp, now));
            }
            let _ = machine.core.look(at(1_000));
            assert_eq!(machine.state(), state);
        }
    }
}
