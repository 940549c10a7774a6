//! Backpressure: who cannot call waits in line, and a slot goes to one caller.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::FutureExt;
use tower::{Layer, Service};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Mode, Outcome, Rejected, State,
    classify::ErrorsAsFailures,
    config::{CancelledAfter, HalfOpen, Probing, Ramp, Recovery},
    machine::RejectReason,
    service::{Backpressure, BackpressureLayer, Fail, Single},
};

use crate::support::{
    SECOND, THREE, acquire, circuit,
    fake::{Answer, Caller, Fake, Hand, Readiness},
    manual, trip,
};

const MILLI: Duration = Duration::from_millis(1);

type Policy = Single<ErrorsAsFailures, Fail>;
type Waits = Backpressure<Fake, Policy>;

fn layer(circuit: &Circuit) -> BackpressureLayer<Policy> {
    CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()).backpressure()
}

fn guarded(circuit: &Circuit) -> (Waits, Hand) {
    let (fake, hand) = Fake::new();
    (layer(circuit).layer(fake), hand)
}

fn is_ready(caller: &Arc<Caller>, service: &mut Waits) -> bool {
    match caller.poll_ready(service) {
        Poll::Ready(ready) => ready.map(|()| true).expect("readiness does not fail"),
        Poll::Pending => false,
    }
}

fn call(service: &mut Waits) -> Result<(), tower_breaker::BoxError> {
    service.call(()).now_or_never().expect("an answer at once")
}

/// So many callers of one circuit that is open; all of them wait.
fn line(circuit: &Circuit, length: usize) -> (Vec<(Arc<Caller>, Waits)>, Hand) {
    let (service, hand) = guarded(circuit);
    let mut line: Vec<_> = (0..length).map(|_| (Caller::new(), service.clone())).collect();
    for (caller, service) in &mut line {
        assert!(!is_ready(caller, service));
    }
    (line, hand)
}

/// Moves the time that tokio and the circuit have, and lets what is due happen.
async fn advance(by: Duration) {
    tokio::time::advance(by).await;
    tokio::task::yield_now().await;
}

fn woken(line: &[(Arc<Caller>, Waits)]) -> Vec<usize> {
    line.iter().map(|(caller, _)| caller.woken()).collect()
}

#[test]
fn a_healthy_circuit_is_ready_as_its_service_is() {
    let (circuit, _clock) = manual(THREE);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    hand.set(Readiness::Busy);
    assert!(!is_ready(&caller, &mut service));
    hand.set(Readiness::Ready);
    assert!(caller.woken() == 1 && is_ready(&caller, &mut service));
    assert!(call(&mut service).is_ok());
    assert_eq!(circuit.snapshot().ledger.succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn while_open_nobody_is_ready_or_rejected_and_the_service_is_not_asked() {
    let circuit = circuit(THREE);
    trip(&circuit);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    for _ in 0..10 {
        assert!(!is_ready(&caller, &mut service));
    }
    advance(SECOND / 2).await;
    assert_eq!((caller.woken(), hand.polls()), (0, 0), "neither a busy loop nor a question");
    advance(SECOND / 2 + MILLI).await;
    assert_eq!(caller.woken(), 1);
    assert!(is_ready(&caller, &mut service));
    assert_eq!(circuit.snapshot().in_flight, 1, "the slot is taken along");
    assert!(call(&mut service).is_ok());
    assert_eq!((circuit.state(), circuit.snapshot().ledger.rejected), (State::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_wakes_one_and_the_next_ones_follow_in_the_order_in_which_they_came() {
    let circuit = circuit(THREE.half_open(HalfOpen::new().success_threshold(3)));
    trip(&circuit);
    let (mut line, hand) = line(&circuit, 5);
    advance(SECOND + MILLI).await;
    assert_eq!(woken(&line), [1, 0, 0, 0, 0], "one slot, one caller");
    for first in 0..3 {
        let (caller, service) = &mut line[first];
        assert!(is_ready(caller, service), "{first}");
        // The next in line has its turn now, and finds no slot.
        for (caller, service) in &mut line[first + 1..] {
            assert!(!is_ready(caller, service));
        }
        assert!(call(&mut line[first].1).is_ok());
        assert_eq!(hand.calls(), first + 1);
    }
    assert_eq!(circuit.state(), State::Closed);
    for (caller, service) in &mut line[3..] {
        assert!(caller.woken() > 0 && is_ready(caller, service), "closed: all may go");
    }
}

#[test]
fn as_many_are_ready_as_there_are_slots() {
    let (circuit, clock) = manual(THREE.half_open(HalfOpen::new().success_threshold(4).max_concurrent_probes(2)));
    trip(&circuit);
    let (mut line, _) = line(&circuit, 6);
    clock.advance(SECOND);
    let ready = line.iter_mut().filter_map(|(caller, service)| is_ready(caller, service).then_some(())).count();
    assert_eq!((ready, circuit.snapshot().in_flight), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_polling_holds_nobody_up() {
    let circuit = circuit(THREE);
    trip(&circuit);
    let (mut line, _) = line(&circuit, 3);
    advance(SECOND + MILLI).await;
    assert_eq!(woken(&line), [1, 0, 0], "it is the first, and looks no more");
    advance(SECOND).await;
    let (caller, service) = &mut line[1];
    assert!(caller.woken() > 0 && is_ready(caller, service), "the second has lost its patience");
    assert!(call(service).is_ok());
    let (caller, service) = &mut line[2];
    assert!(caller.woken() > 0 && is_ready(caller, service), "and so has the third");
}

#[test]
fn a_leave_that_is_not_used_goes_to_the_next() {
    let (circuit, clock) = manual(THREE.cancelled_after(CancelledAfter::After(SECOND)));
    trip(&circuit);
    let (mut line, _) = line(&circuit, 2);
    clock.advance(SECOND);
    let (caller, mut service) = line.remove(0);
    assert!(is_ready(&caller, &mut service));
    assert!(!is_ready(&line[0].0.clone(), &mut line[0].1));
    clock.advance(20 * SECOND);
    drop(service);
    assert_eq!(circuit.state(), State::HalfOpen, "a call that never began has no age and is no failure");
    let (caller, service) = &mut line[0];
    assert!(is_ready(caller, service));
    assert!(call(service).is_ok());
}

#[test]
fn the_time_of_a_call_begins_with_the_call() {
    let (circuit, clock) = manual(THREE.cancelled_after(CancelledAfter::After(SECOND)));
    trip(&circuit);
    let (mut service, hand) = guarded(&circuit);
    hand.answer(Answer::Hangs);
    clock.advance(SECOND);
    assert!(is_ready(&Caller::new(), &mut service));
    clock.advance(5 * SECOND);
    let hangs = service.call(());
    clock.advance(SECOND / 2);
    drop(hangs);
    assert_eq!((circuit.state(), circuit.snapshot().ledger.cancelled), (State::HalfOpen, 1));
    assert!(is_ready(&Caller::new(), &mut service));
    let hangs = service.call(());
    clock.advance(SECOND);
    drop(hangs);
    assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (State::Open, 2));
}

#[test]
fn a_circuit_that_opens_between_readiness_and_call_rejects_it() {
    let (circuit, _clock) = manual(THREE);
    let (mut service, hand) = guarded(&circuit);
    assert!(is_ready(&Caller::new(), &mut service));
    trip(&circuit);
    let error = call(&mut service).expect_err("it is open");
    assert_eq!(Rejected::find(&*error).map(Rejected::reason), Some(RejectReason::Open));
    assert_eq!(hand.calls(), 0);
}

#[test]
fn a_leave_of_a_phase_that_is_over_is_asked_for_again() {
    let (circuit, clock) = manual(THREE.half_open(HalfOpen::new().success_threshold(2).max_concurrent_probes(2)));
    trip(&circuit);
    clock.advance(SECOND);
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller, &mut service));
    acquire(&circuit).record(Outcome::failure());
    assert_eq!(circuit.state(), State::Open, "the other probe has failed");
    assert!(!is_ready(&caller, &mut service), "a balancer that looks again is told");
    assert_eq!(hand.calls(), 0);
    let error = call(&mut service).expect_err("whoever does not look is rejected");
    assert!(Rejected::find(&*error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_forced_open_is_waited_for_until_an_operator_says_so() {
    let circuit = circuit(THREE);
    circuit.force_open();
    let (mut line, _) = line(&circuit, 2);
    advance(SECOND / 2).await;
    assert_eq!(woken(&line), [0, 0]);
    circuit.auto();
    let (caller, service) = &mut line[0];
    assert!(caller.woken() == 1 && is_ready(caller, service));
    let (caller, service) = &mut line[1];
    assert!(caller.woken() == 1 && is_ready(caller, service));
}

#[test]
fn while_a_share_passes_a_waiting_caller_tries_now_and_then() {
    let ramp = Ramp::new().shares([0.01, 0.01, 0.5, 1.0]).step(1_000 * SECOND);
    let (circuit, clock) = manual(THREE.recovery(Recovery::Ramp(ramp)));
    trip(&circuit);
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Recovering);
    let (mut service, _) = guarded(&circuit);
    let caller = Caller::new();
    let mut tries = 0;
    while !is_ready(&caller, &mut service) {
        tries += 1;
        assert!(tries < 5_000, "one in a hundred passes");
        assert!(!is_ready(&caller, &mut service), "not without a pause");
        clock.advance(SECOND);
    }
    assert!(call(&mut service).is_ok());
}

#[test]
fn an_error_of_the_readiness_is_a_failed_probe() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    let (mut service, hand) = guarded(&circuit);
    hand.set(Readiness::Broken);
    clock.advance(SECOND);
    let caller = Caller::new();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Err(_))));
    assert_eq!(circuit.state(), State::Open, "it has been asked for the probe");
    assert!(!is_ready(&caller, &mut service));
}

#[test]
fn an_endpoint_that_was_ready_may_say_that_it_has_failed_in_each_state() {
    for (before, after) in [(State::Closed, State::Closed), (State::HalfOpen, State::Open)] {
        let circuit = circuit(THREE.initial_state(before));
        let (mut service, hand) = guarded(&circuit);
        let caller = Caller::new();
        assert!(is_ready(&caller, &mut service), "{before}");
        hand.set(Readiness::Busy);
        assert!(is_ready(&caller, &mut service), "readiness that was given is taken back, {before}");
        hand.set(Readiness::Broken);
        assert!(matches!(caller.poll_ready(&mut service), Poll::Ready(Err(_))), "{before}");
        assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (after, 1));
    }
}

/// An endpoint that a balancer holds ready and does not pick.
#[test]
fn a_leave_that_nobody_uses_is_no_failure_however_long_it_is_held() {
    for state in [State::HalfOpen, State::Recovering] {
        let (circuit, clock) = manual(Config::new().initial_state(state));
        let (mut service, _hand) = guarded(&circuit);
        let caller = Caller::new();
        for _ in 0..20 {
            assert!(is_ready(&caller, &mut service), "{state}");
            clock.advance(40 * SECOND);
            assert_eq!(circuit.check().err().map(|rejected| rejected.reason()), None, "its slot is free");
            assert_eq!(circuit.state(), state);
        }
        assert!(call(&mut service).is_ok(), "it asks anew");
        let ledger = circuit.snapshot().ledger;
        assert_eq!((ledger.succeeded, ledger.failed, ledger.rejected), (1, 0, 0), "{state}");
        assert_ne!(circuit.state(), State::Open);
    }
}

#[test]
fn leave_that_is_there_is_used_and_not_asked_for_twice_and_what_is_over_is_asked_for_anew() {
    for state in [State::HalfOpen, State::Recovering] {
        let (circuit, _clock) = manual(Config::new().initial_state(state));
        let (mut service, _hand) = guarded(&circuit);
        let caller = Caller::new();
        for _ in 0..3 {
            assert!(is_ready(&caller, &mut service));
        }
        assert!(call(&mut service).is_ok());
        let ledger = circuit.snapshot().ledger;
        assert_eq!((ledger.succeeded, ledger.cancelled, ledger.late), (1, 0, 0), "{state}");
    }
    let half_open = HalfOpen::new().probe_timeout(30 * SECOND).max_concurrent_probes(1);
    let (circuit, clock) = manual(Config::new().half_open(half_open).initial_state(State::HalfOpen));
    let (mut service, _hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller, &mut service));
    clock.advance(30 * SECOND);
    let _other = acquire(&circuit);
    assert!(!is_ready(&caller, &mut service), "the only slot is lent to another");
}

#[test]
fn a_call_has_its_time_from_when_it_begins_and_none_begins_in_the_slot_of_another() {
    let half_open = HalfOpen::new().probe_timeout(30 * SECOND).max_concurrent_probes(1);
    let (circuit, clock) = manual(Config::new().half_open(half_open).initial_state(State::HalfOpen));
    let (mut service, hand) = guarded(&circuit);
    let caller = Caller::new();
    assert!(is_ready(&caller, &mut service));
    hand.answer(Answer::Hangs);
    clock.advance(29 * SECOND);
    let probe = service.call(());
    clock.advance(29 * SECOND);
    assert_eq!(circuit.check().err().map(|rejected| rejected.reason()), Some(RejectReason::HalfOpen));
    clock.advance(SECOND);
    assert!(circuit.check().is_ok(), "its time is over");
    drop(probe);
    assert_eq!(circuit.snapshot().ledger.late, 1);

    hand.answer(Answer::Good);
    assert!(is_ready(&caller, &mut service));
    clock.advance(30 * SECOND);
    let other = acquire(&circuit);
    let error = call(&mut service).expect_err("the only slot is lent to another");
    assert_eq!(Rejected::find(&*error).expect("a rejection").reason(), RejectReason::HalfOpen);
    other.record(Outcome::Success);
    assert_eq!(circuit.snapshot().ledger.failed, 0);
}

#[test]
fn in_all_modes_that_let_calls_pass_it_is_ready() {
    for mode in [Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly] {
        let (circuit, _clock) = manual(Config::new().probing(Probing::fixed(SECOND)));
        trip(&circuit);
        circuit.set_mode(mode, None);
        let (mut service, _) = guarded(&circuit);
        for _ in 0..3 {
            assert!(is_ready(&Caller::new(), &mut service), "{mode}");
            assert!(call(&mut service).is_ok());
        }
    }
}
