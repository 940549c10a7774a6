//! The readiness contract: what `poll_ready` promises, and that the promise is kept by `call`.

use std::{sync::Arc, task::Poll};

use futures_util::FutureExt;
use tower::Service;
use tower_breaker::{BoxError, Config, Mode, Rejected, State, machine::RejectReason};

use crate::support::{
    THREE, circuit,
    fake::{Answer, Caller, Readiness, guarded, is_ready},
    trip,
};

/// The rejection in an error.
fn rejected(error: &BoxError) -> RejectReason {
    Rejected::find(&**error).expect("a rejection").reason()
}

#[test]
fn an_open_circuit_is_ready_without_asking_the_inner_service() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Broken);
    circuit.force_open();
    let caller = Caller::new();
    for _ in 0..10 {
        assert!(is_ready(&caller.poll_ready(&mut service)), "an open circuit is ready, to reject in `call`");
    }
    let answer = service.call(()).now_or_never().expect("a rejection is there at once");
    assert_eq!(rejected(&answer.unwrap_err()), RejectReason::Forced);
    assert_eq!((hand.polls(), hand.calls()), (0, 0), "the inner service was touched");
}

#[test]
fn ready_stays_ready_until_the_call() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller.poll_ready(&mut service)));
    hand.set(Readiness::Busy);
    for _ in 0..3 {
        assert!(is_ready(&caller.poll_ready(&mut service)), "readiness that was given is taken back");
    }
    assert!(service.call(()).now_or_never().expect("an answer").is_ok());
    assert!(caller.poll_ready(&mut service).is_pending(), "after the call the inner service is asked again");
}

/// tower-service: "Until a request is dispatched, repeated calls to `poll_ready` must return either `Ready(Ok(()))` or
/// `Ready(Err(_))`."
#[test]
fn ready_stays_ready_even_if_the_circuit_closes_meanwhile() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    circuit.force_open();
    let caller = Caller::new();
    assert!(is_ready(&caller.poll_ready(&mut service)));
    circuit.auto();
    assert!(is_ready(&caller.poll_ready(&mut service)), "readiness that was given while open is taken back");
}

#[test]
fn a_clone_starts_unready() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller.poll_ready(&mut service)));
    hand.set(Readiness::Busy);
    let mut clone = service.clone();
    assert!(caller.poll_ready(&mut clone).is_pending(), "a clone carries the readiness of its original");
    assert!(is_ready(&caller.poll_ready(&mut service)), "the original has lost its readiness to the clone");
}

/// Peers: d11.
#[test]
fn readiness_obtained_while_open_does_not_reject_after_the_recovery() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    circuit.force_open();
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    circuit.auto();
    assert!(service.call(()).now_or_never().expect("an answer").is_ok(), "decided when readiness was asked for");
    assert_eq!((hand.polls(), hand.calls()), (1, 1));
}

#[test]
fn an_inner_service_that_is_not_ready_at_call_time_is_not_called() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    circuit.force_open();
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    circuit.auto();
    let error = service.call(()).now_or_never().expect("a rejection").unwrap_err();
    assert_eq!(rejected(&error), RejectReason::NotReady);
    assert_eq!(hand.calls(), 0);
}

#[test]
fn a_rejection_for_want_of_readiness_stands_in_one_line_of_the_ledger() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    circuit.force_open();
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    circuit.auto();
    drop(service.call(()));
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.rejected, ledger.rejected_by.not_ready, ledger.rejected_by.open), (1, 1, 0));
    assert_eq!((ledger.rejected, ledger.cancelled), (1, 0), "a call that was not made is no cancelled one");
}

/// The inner service was asked in `call`, with nobody to wake.
#[test]
fn after_a_rejection_for_want_of_readiness_the_caller_is_woken_all_the_same() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    circuit.force_open();
    let caller = Caller::new();
    assert!(is_ready(&caller.poll_ready(&mut service)));
    circuit.auto();
    drop(service.call(()));
    assert!(caller.poll_ready(&mut service).is_pending());
    hand.set(Readiness::Ready);
    assert_eq!(caller.woken(), 1);
    assert!(is_ready(&caller.poll_ready(&mut service)));
}

#[test]
fn an_error_of_the_inner_readiness_goes_on_and_is_a_failure() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Broken);
    for _ in 0..3 {
        let Poll::Ready(Err(error)) = Caller::new().poll_ready(&mut service) else { panic!("the error is kept back") };
        assert_eq!(error.to_string(), "broken");
    }
    assert_eq!(circuit.snapshot().ledger.failed, 3);
    assert_eq!(circuit.state(), State::Open, "a dependency that cannot be connected to is a failed one");
    assert!(is_ready(&Caller::new().poll_ready(&mut service)), "it is not asked again while open");
}

/// The question is put in `call` where the circuit was open before.
#[test]
fn an_error_of_the_readiness_that_is_asked_for_in_call_is_the_answer_and_a_failure() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Broken);
    circuit.force_open();
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    circuit.auto();
    let error = service.call(()).now_or_never().expect("an answer").unwrap_err();
    assert_eq!(error.to_string(), "broken");
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, hand.calls()), (1, 0));
}

/// A panic in the inner service is a failure, wherever it panics.
#[test]
fn a_panic_of_the_inner_readiness_is_a_failure() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Panics);
    let caller = Caller::new();
    let poll = std::panic::AssertUnwindSafe(|| caller.poll_ready(&mut service));
    assert!(std::panic::catch_unwind(poll).is_err(), "the panic goes on to the caller");
    assert_eq!(circuit.snapshot().ledger.failed, 1, "a service that panics when asked for readiness has not failed");
}

#[test]
fn a_caller_that_waits_is_woken_when_the_circuit_opens() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    let caller = Caller::new();
    assert!(caller.poll_ready(&mut service).is_pending());
    trip(&circuit);
    assert_eq!(caller.woken(), 1, "it sleeps although the circuit is open");
    assert!(is_ready(&caller.poll_ready(&mut service)));
    let error = service.call(()).now_or_never().expect("a rejection").unwrap_err();
    assert_eq!(rejected(&error), RejectReason::Open);
}

#[test]
fn a_caller_that_waits_is_woken_when_the_circuit_is_forced_open() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    let caller = Caller::new();
    assert!(caller.poll_ready(&mut service).is_pending());
    circuit.force_open();
    assert_eq!(caller.woken(), 1);
    assert!(is_ready(&caller.poll_ready(&mut service)));
    let error = service.call(()).now_or_never().expect("a rejection").unwrap_err();
    assert_eq!(rejected(&error), RejectReason::Forced);
}

#[test]
fn a_caller_that_waits_is_woken_when_the_inner_service_is_ready() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    let caller = Caller::new();
    assert!(caller.poll_ready(&mut service).is_pending());
    hand.set(Readiness::Ready);
    assert_eq!(caller.woken(), 1);
    assert!(is_ready(&caller.poll_ready(&mut service)));
}

#[test]
fn whoever_asked_last_is_woken() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    let (first, last) = (Caller::new(), Caller::new());
    assert!(first.poll_ready(&mut service).is_pending());
    assert!(last.poll_ready(&mut service).is_pending());
    circuit.force_open();
    assert_eq!((first.woken(), last.woken()), (0, 1));
}

#[test]
fn a_service_that_is_dropped_while_it_waits_leaves_no_waker_behind() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Busy);
    let caller = Caller::new();
    assert!(caller.poll_ready(&mut service).is_pending());
    drop(service);
    hand.set(Readiness::Ready); // takes the wakers of the inner service away
    assert_eq!(Arc::strong_count(&caller), 1, "the circuit keeps the waker of a caller that has left");
}

#[test]
fn an_answer_that_is_there_already_does_not_wait_for_a_circuit_that_opened_meanwhile() {
    let circuit = circuit(THREE);
    let (mut service, _) = guarded(&circuit);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    let call = service.call(());
    circuit.force_open();
    assert!(call.now_or_never().expect("an answer").is_ok(), "a call that was admitted is not taken back");
}

/// In no state and no mode does readiness fail by the breaker's own doing.
#[test]
fn the_breaker_itself_never_fails_readiness() {
    for state in State::ALL {
        for mode in [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly] {
            let circuit = circuit(Config::new().initial_state(state));
            circuit.set_mode(mode, None);
            let (service, _) = guarded(&circuit);
            let mut held = Vec::new();
            for _ in 0..8 {
                let mut service = service.clone();
                assert!(is_ready(&Caller::new().poll_ready(&mut service)), "{state} in mode {mode}");
                held.push(service.call(()));
            }
        }
    }
}

#[test]
fn a_rejected_call_leaves_the_request_to_the_answer() {
    use tower::Layer;
    use tower_breaker::{CircuitBreakerLayer, classify::ErrorsAsFailures};
    let circuit = circuit(THREE);
    circuit.force_open();
    let layer = CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new())
        .reply_with(|request: String, rejected: Rejected| format!("{request}: {rejected}"));
    let echo = tower::service_fn(|request: String| async move { Ok::<_, std::convert::Infallible>(request) });
    let answer = layer.layer(echo).call("hello".into()).now_or_never().expect("an answer");
    assert_eq!(answer, Ok("hello: circuit `test` is forced open".into()));
}

#[test]
fn a_future_that_is_done_has_settled_its_call_before_it_is_dropped() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    for (answer, ended) in [(Answer::Bad, (1, 0)), (Answer::Good, (1, 1))] {
        hand.answer(answer);
        assert!(is_ready(&Caller::new().poll_ready(&mut service)));
        let mut call = Box::pin(service.call(()));
        assert!(Caller::new().poll(call.as_mut()).is_ready());
        let ledger = circuit.snapshot().ledger;
        assert_eq!((ledger.failed, ledger.succeeded), ended, "a caller may keep a future that is done");
        drop(call);
        assert_eq!(circuit.snapshot().ledger.cancelled, 0);
    }
}

/// What is called past the guard uses the readiness up that the guard was given.
#[test]
fn readiness_is_asked_for_again_after_the_inner_service_was_handed_out() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    assert!(service.get_mut().call(()).now_or_never().expect("an answer").is_ok());
    hand.set(Readiness::Busy);
    assert!(Caller::new().poll_ready(&mut service).is_pending(), "the readiness was used up");
}

/// A dead dependency may never be ready. When a probe is due, its caller must not wait for that, nor all behind it.
#[test]
#[cfg(feature = "test-util")]
fn a_caller_does_not_wait_for_the_readiness_of_a_probe() {
    let (circuit, clock) = crate::support::manual(THREE);
    let (mut service, hand) = guarded(&circuit);
    trip(&circuit);
    clock.advance(crate::support::SECOND);
    hand.set(Readiness::Busy);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)), "it waits for a service that is never ready");
    let error = service.call(()).now_or_never().expect("a rejection").unwrap_err();
    assert_eq!(rejected(&error), RejectReason::NotReady);
    hand.set(Readiness::Ready);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    assert!(service.call(()).now_or_never().expect("an answer").is_ok(), "the next one is the probe");
}

/// … nor when others have been answered already.
#[test]
#[cfg(feature = "test-util")]
fn a_caller_does_not_wait_for_the_readiness_of_a_later_probe() {
    let half_open = tower_breaker::config::HalfOpen::new().success_threshold(2);
    let (circuit, clock) = crate::support::manual(THREE.half_open(half_open));
    let (mut service, hand) = guarded(&circuit);
    trip(&circuit);
    clock.advance(crate::support::SECOND);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)));
    assert!(service.call(()).now_or_never().expect("an answer").is_ok());
    assert_eq!(circuit.state(), State::HalfOpen, "one of two");
    hand.set(Readiness::Busy);
    assert!(is_ready(&Caller::new().poll_ready(&mut service)), "it waits for a service that is never ready");
    let error = service.call(()).now_or_never().expect("a rejection").unwrap_err();
    assert_eq!(rejected(&error), RejectReason::NotReady);
}

/// Here most calls are meant to be made, so they wait their turn as at a closed circuit.
#[test]
#[cfg(feature = "test-util")]
fn a_caller_of_a_circuit_that_recovers_waits_for_the_inner_service() {
    let recovering = THREE.recovery(tower_breaker::config::Recovery::Window(Default::default()));
    let (circuit, _clock) = crate::support::manual(recovering.initial_state(State::Recovering));
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    hand.set(Readiness::Busy);
    assert!(caller.poll_ready(&mut service).is_pending(), "it does not wait");
    hand.set(Readiness::Ready);
    assert!(caller.woken() > 0 && is_ready(&caller.poll_ready(&mut service)));
    assert!(service.call(()).now_or_never().expect("an answer").is_ok());
}
