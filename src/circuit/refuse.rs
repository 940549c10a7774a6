//! Calls that the service refuses by itself.

use std::time::Duration;

use crate::{
    circuit::Circuit,
    machine::{RejectReason, Rejection},
    rejected::Rejected,
    time::Nanos,
};

impl Circuit {
    /// Rejects a call while the circuit is open and surely no probe is due, before anything else is asked.
    #[inline]
    pub(crate) fn reject_coarsely(&self) -> Option<Rejected> {
        self.0.shared.board().coarse_wait().map(|wait| self.reject_open(wait))
    }

    /// The same wherever no probe is due.
    #[inline(never)]
    pub(crate) fn reject_exactly(&self) -> Option<Rejected> {
        self.0.shared.reject_exactly().map(|wait| self.reject_open(wait))
    }

    #[inline]
    fn reject_open(&self, wait: Nanos) -> Rejected {
        let stripe = self.stripe();
        stripe.count_rejected();
        stripe.rejected_for(wait)
    }

    /// A rejection that the service makes because what is below it is not ready; it is counted.
    pub(crate) fn reject_not_ready(&self) -> Rejected {
        let rejection =
            Rejection { state: self.state(), reason: RejectReason::NotReady, retry_after: Some(Duration::ZERO) };
        self.0.shared.reject_not_ready(&rejection);
        self.stripe().rejected(rejection)
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use crate::{
        clock::{AnyClock, COARSENESS, SystemClock},
        config::{Config, Consecutive, Probing},
        outcome::Outcome,
        state::{Mode, State},
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn fail(circuit: &Circuit) {
        circuit.try_acquire().expect("it passes").record(Outcome::failure());
    }

    #[test]
    fn the_coarse_clock_rejects_for_an_open_circuit_that_decides_and_for_no_other() {
        let config = Config::without_rules().consecutive_failures(Consecutive::new(1)).probing(Probing::fixed(HOUR));
        let clock = AnyClock::System(SystemClock::of_a_release());
        let circuit = Circuit::builder("test").config(config).any_clock(clock).build().expect("within bounds");
        assert_eq!(circuit.reject_coarsely(), None, "closed");

        fail(&circuit);
        let rejected = circuit.reject_coarsely().expect("open for an hour");
        assert_eq!((rejected.state(), rejected.reason()), (State::Open, RejectReason::Open));
        let wait = rejected.retry_after().expect("an hour");
        assert!(wait > HOUR - Duration::from_secs(60) && wait <= HOUR + 2 * COARSENESS, "{wait:?}");

        for mode in [Mode::Disabled, Mode::ForcedOpen, Mode::MetricsOnly] {
            circuit.set_mode(mode, None);
            assert_eq!((circuit.reject_coarsely(), circuit.reject_exactly()), (None, None), "{mode:?}");
            circuit.set_mode(mode, Some(HOUR));
            assert_eq!((circuit.reject_coarsely(), circuit.reject_exactly()), (None, None), "{mode:?} for a time");
        }
        circuit.auto();
        assert!(circuit.reject_coarsely().is_some() && circuit.reject_exactly().is_some(), "still open");

        circuit.force_closed();
        assert_eq!((circuit.reject_coarsely(), circuit.reject_exactly()), (None, None), "closed by hand");
        circuit.auto();
        fail(&circuit);
        assert!(circuit.reject_coarsely().is_some(), "open again");
        circuit.reset();
        assert_eq!((circuit.reject_coarsely(), circuit.reject_exactly()), (None, None), "reset");
        assert_eq!(circuit.snapshot().ledger.rejected, 4);
    }
}
