//! Readiness that is asked for once more, and that of services which are busy while the circuit rejects nothing.

use std::task::Poll;

use futures_util::FutureExt;
use tower::Service;
use tower_breaker::{Config, Mode, Rejected, State};

use crate::support::{
    SECOND, THREE, circuit,
    fake::{Caller, Readiness, guarded, is_ready},
    trip,
};

/// A balancer asks once more before it calls, to hear that a connection is dead.
#[test]
fn a_service_that_was_ready_may_say_that_it_has_failed_and_that_counts_once() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller.poll_ready(&mut service)));
    hand.set(Readiness::Broken);
    let Poll::Ready(Err(error)) = caller.poll_ready(&mut service) else { panic!("the error is hidden") };
    assert!(Rejected::find(&*error).is_none(), "{error}");
    assert_eq!(circuit.snapshot().ledger.failed, 1);
    hand.set(Readiness::Busy);
    assert!(caller.poll_ready(&mut service).is_pending(), "it was ready before the error only");
    hand.set(Readiness::Ready);
    assert!(is_ready(&caller.poll_ready(&mut service)));
    circuit.force_open();
    hand.set(Readiness::Broken);
    assert!(is_ready(&caller.poll_ready(&mut service)), "nobody is asked who would not be called");
    assert_eq!(circuit.snapshot().ledger.failed, 1);
}

#[test]
fn that_it_has_failed_is_heard_wherever_a_call_would_pass() {
    for (state, mode) in [
        (State::HalfOpen, Mode::Auto),
        (State::Recovering, Mode::Auto),
        (State::Open, Mode::MetricsOnly),
        (State::HalfOpen, Mode::Disabled),
    ] {
        let circuit = circuit(Config::new().initial_state(state));
        circuit.set_mode(mode, None);
        let (mut service, hand) = guarded(&circuit);
        let caller = Caller::new();
        assert!(is_ready(&caller.poll_ready(&mut service)));
        hand.set(Readiness::Broken);
        assert!(matches!(caller.poll_ready(&mut service), Poll::Ready(Err(_))), "{state} in mode {mode}");
    }
}

/// When the time of a mode is over, nobody is told.
#[test]
fn a_busy_service_is_not_waited_for_in_a_mode_that_ends_while_the_circuit_is_open() {
    for mode in [Mode::MetricsOnly, Mode::Disabled] {
        let circuit = circuit(THREE);
        trip(&circuit);
        circuit.set_mode(mode, Some(SECOND));
        let (mut service, hand) = guarded(&circuit);
        hand.set(Readiness::Busy);
        assert!(is_ready(&Caller::new().poll_ready(&mut service)), "{mode}");
    }
}

#[test]
fn in_a_mode_that_rejects_nothing_a_busy_service_is_waited_for_though_the_circuit_is_open() {
    for mode in [Mode::MetricsOnly, Mode::Disabled] {
        let circuit = circuit(THREE);
        trip(&circuit);
        circuit.set_mode(mode, None);
        let (mut service, hand) = guarded(&circuit);
        hand.set(Readiness::Busy);
        let caller = Caller::new();
        assert!(caller.poll_ready(&mut service).is_pending(), "{mode}");
        hand.set(Readiness::Ready);
        assert!(caller.woken() > 0 && is_ready(&caller.poll_ready(&mut service)), "{mode}");
        assert!(service.call(()).now_or_never().expect("an answer").is_ok(), "{mode}");
        hand.set(Readiness::Busy);
        assert!(caller.poll_ready(&mut service).is_pending());
        circuit.auto();
        assert!(is_ready(&caller.poll_ready(&mut service)), "now it is open, and rejects");
        assert_eq!((circuit.state(), circuit.snapshot().ledger.rejected), (State::Open, 0));
    }
}
