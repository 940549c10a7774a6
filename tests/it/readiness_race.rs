//! A circuit that closes in the very call: between the look at it and the leave for the call.

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::Poll,
};

use futures_util::FutureExt;
use tower::Service;
use tower_breaker::{
    BoxError, Circuit, Instant, Outcome, Rejected, State,
    clock::{Clock, Sleep},
    machine::{Ledger, RejectReason},
};

use crate::support::{
    THREE, acquire,
    fake::{Caller, Hand, Readiness, guarded},
    trip,
};

/// A clock that stands still, and runs something at one of the times that it is asked.
#[derive(Clone, Default)]
struct Turning(Arc<Mutex<(u64, Plan)>>);

/// What to run, at which question from now on.
type Plan = Option<(u32, Box<dyn FnOnce() + Send>)>;

impl Turning {
    fn set(&self, seconds: u64) {
        self.0.lock().expect("no panic under the lock").0 = seconds * 1_000_000_000;
    }

    fn run_at(&self, question: u32, run: impl FnOnce() + Send + 'static) {
        self.0.lock().expect("no panic under the lock").1 = Some((question, Box::new(run)));
    }
}

impl Clock for Turning {
    fn now(&self) -> Instant {
        let (now, due) = {
            let (now, plan) = &mut *self.0.lock().expect("no panic under the lock");
            if let Some((left, _)) = plan {
                *left -= 1;
            }
            (*now, plan.take_if(|(left, _)| *left == 0))
        };
        if let Some((_, run)) = due {
            run();
        }
        Instant::from_nanos(now)
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(std::future::pending())
    }
}

impl fmt::Debug for Turning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turning")
    }
}

/// Makes a call on a half-open circuit that a probe of somebody else closes meanwhile, with an inner service in this state.
fn call(readiness: Readiness) -> (Result<(), BoxError>, Hand, Circuit) {
    let clock = Turning::default();
    let builder = Circuit::builder("test").config(THREE).clock(clock.clone());
    let circuit = builder.build().expect("within bounds");
    trip(&circuit);
    clock.set(1);
    let probe = acquire(&circuit);
    let (mut service, hand) = guarded(&circuit);
    hand.set(readiness);
    let ready = Caller::new().poll_ready(&mut service);
    assert!(matches!(ready, Poll::Ready(Ok(()))), "half-open, and no probe is wanted");
    // The first question is whether a call would pass.
    clock.run_at(2, move || probe.record(Outcome::Success));
    let answer = service.call(()).now_or_never().expect("an answer");
    assert_eq!(circuit.state(), State::Closed, "{readiness:?}: the probe was good");
    (answer, hand, circuit)
}

fn ledger(circuit: &Circuit) -> Ledger {
    circuit.snapshot().ledger
}

#[test]
fn a_service_that_is_ready_is_called() {
    let (answer, hand, circuit) = call(Readiness::Ready);
    assert!(answer.is_ok());
    // The probe and this call.
    assert_eq!((hand.calls(), ledger(&circuit).succeeded), (1, 2));
}

/// The leave that it has is given back, so it stands in the ledger as cancelled and as rejected.
#[test]
fn a_service_that_was_not_asked_is_not_called_though_the_circuit_closes_in_the_very_call() {
    let (answer, hand, circuit) = call(Readiness::Busy);
    let rejected = answer.as_ref().map_err(|error| Rejected::find(&**error).map(Rejected::reason));
    assert_eq!(rejected, Err(Some(RejectReason::NotReady)));
    assert_eq!((hand.calls(), ledger(&circuit).cancelled, circuit.snapshot().in_flight), (0, 1, 0));
}

#[test]
fn an_error_of_its_readiness_is_a_failure() {
    let (answer, hand, circuit) = call(Readiness::Broken);
    assert!(answer.is_err_and(|error| Rejected::find(&*error).is_none()), "the error is its own");
    let before = 1; // That which has tripped it.
    assert_eq!((hand.calls(), ledger(&circuit).failed - before), (0, 1));
}
