//! The breaker as a service: what its peers do not see, and what they hold too long.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{advance, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, timeout::error::Elapsed};
use tower_breaker::{
    BoxError, CircuitBreakerLayer, Outcome, Rejected, State,
    classify::{ErrorsAsFailures, classify_fn},
    config::{CancelledAfter, HalfOpen, Ramp, Recovery, SlowCalls},
};

use crate::support::{
    SECOND, THREE, circuit,
    fake::{Answer, Fake, Readiness, guarded},
    manual, record, trip,
};

/// Peers: d07.
#[tokio::test(start_paused = true)]
async fn the_default_clock_follows_paused_time() {
    let circuit = circuit(THREE.probing(tower_breaker::config::Probing::fixed(3_600 * SECOND)));
    trip(&circuit);
    advance(3_600 * SECOND - Duration::from_millis(1)).await;
    assert!(circuit.try_acquire().is_err());
    advance(Duration::from_millis(1)).await;
    assert!(circuit.try_acquire().is_ok(), "an hour has passed, on tokio's clock");
}

/// Peers: d08, f09. A hundred calls to a dead dependency, each given up after a second by a timeout outside.
#[tokio::test(start_paused = true)]
async fn a_dead_dependency_opens_the_circuit_even_if_the_timeout_is_outside() {
    let settings =
        [THREE.cancelled_after(CancelledAfter::After(SECOND / 2)), THREE.slow_calls(SlowCalls::new(SECOND / 2))];
    for config in settings {
        let circuit = circuit(config.probing(tower_breaker::config::Probing::fixed(3_600 * SECOND)));
        let (service, hand) = guarded(&circuit);
        hand.answer(Answer::Hangs);
        let service = ServiceBuilder::new().timeout(SECOND).service(service);
        for _ in 0..100 {
            assert!(service.clone().oneshot(()).await.is_err());
        }
        assert_eq!((circuit.state(), hand.calls()), (State::Open, 3));
    }
}

/// Peers: d08. The probe of a dependency that still hangs.
#[tokio::test(start_paused = true)]
async fn a_probe_that_an_outer_timeout_cuts_off_opens_again_if_so_configured() {
    let config = THREE.cancelled_after(CancelledAfter::After(SECOND / 2)).initial_state(State::HalfOpen);
    let circuit = circuit(config);
    let (service, hand) = guarded(&circuit);
    hand.answer(Answer::Hangs);
    assert!(timeout(SECOND, service.oneshot(())).await.is_err());
    assert_eq!(circuit.state(), State::Open);
}

/// Peers: t03. A healthy dependency, and callers that leave after a millisecond.
#[tokio::test(start_paused = true)]
async fn impatient_callers_open_nothing() {
    let circuit = circuit(THREE.cancelled_after(CancelledAfter::After(SECOND / 2)));
    let (service, hand) = guarded(&circuit);
    hand.answer(Answer::Hangs);
    for _ in 0..100 {
        assert!(timeout(Duration::from_millis(1), service.clone().oneshot(())).await.is_err());
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.cancelled), (State::Closed, 100));
}

/// Peers: m01. A hundred times.
#[tokio::test]
async fn a_dependency_that_cannot_be_connected_to_is_asked_no_more() {
    let (circuit, _clock) = manual(THREE);
    let (service, hand) = guarded(&circuit);
    hand.set(Readiness::Broken);
    for _ in 0..100 {
        assert!(service.clone().oneshot(()).await.is_err());
    }
    assert_eq!((circuit.state(), hand.polls()), (State::Open, 3));
}

/// Peers: m02. In `call` and in the future.
#[tokio::test]
async fn a_dependency_that_panics_is_called_no_more() {
    for answer in [Answer::Panics, Answer::PanicsInCall] {
        let (circuit, _clock) = manual(THREE);
        let (service, hand) = guarded(&circuit);
        hand.answer(answer);
        for _ in 0..3 {
            let service = service.clone();
            assert!(tokio::spawn(async move { service.oneshot(()).await }).await.is_err(), "the panic goes on");
        }
        assert_eq!((circuit.state(), circuit.snapshot().ledger.failed, hand.calls()), (State::Open, 3, 3));
        assert!(service.oneshot(()).await.is_err(), "a rejection, no panic");
    }
}

/// Peers: m02. The panic is caught further out, and the future is dropped when the thread panics no more.
#[tokio::test]
async fn a_panic_that_is_caught_before_the_call_is_dropped_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let (mut service, hand) = guarded(&circuit);
    hand.answer(Answer::Panics);
    service.ready().await.unwrap();
    let mut call = Box::pin(std::panic::AssertUnwindSafe(service.call(())).catch_unwind());
    assert!(call.as_mut().await.is_err());
    drop(call);
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.cancelled), (1, 0));
}

/// The other side of it: whose fault was the panic?
#[tokio::test]
async fn a_panic_of_a_neighbour_in_the_same_task_is_neutral() {
    let (circuit, _clock) = manual(THREE);
    let (service, hand) = guarded(&circuit);
    hand.answer(Answer::Hangs);
    let task = tokio::spawn(async move {
        let neighbour = async { panic!("the neighbour panics, as it was told") };
        futures_util::future::join(service.oneshot(()), neighbour).await
    });
    assert!(task.await.is_err());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.cancelled), (0, 1));
}

/// Peers: m03.
#[tokio::test(start_paused = true)]
async fn errors_of_inner_layers_are_found_through_the_breaker() {
    let circuit = circuit(THREE);
    let layer = CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new());
    let slow = ServiceBuilder::new()
        .layer(layer)
        .timeout(SECOND)
        .service(service_fn(|(): ()| async { std::future::pending::<Result<(), BoxError>>().await }));
    let error = slow.oneshot(()).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error:?}");
}

/// Peers: m03. A rejection of a circuit far inside, below a buffer that wraps errors.
#[tokio::test]
async fn a_rejection_is_found_through_whatever_is_around_it() {
    #[derive(Debug)]
    struct Wrapped(BoxError);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&*self.0)
        }
    }
    let (circuit, _clock) = manual(THREE);
    trip(&circuit);
    let (service, _) = guarded(&circuit);
    let service = ServiceBuilder::new().buffer(4).map_err(Wrapped).map_err(BoxError::from).buffer(4).service(service);
    let error = service.oneshot(()).await.unwrap_err();
    let rejected = Rejected::find(&*error).expect("at the end of the chain");
    assert_eq!((rejected.circuit(), rejected.retry_after()), ("test", Some(SECOND)));
}

/// Peers: m06.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "paused time is what is looked at")]
async fn rejecting_takes_no_time() {
    let circuit = circuit(THREE);
    let (service, _) = guarded(&circuit);
    trip(&circuit);
    let before = tokio::time::Instant::now();
    for _ in 0..1_000 {
        assert!(service.clone().oneshot(()).await.is_err());
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// Peers: m07.
#[tokio::test]
async fn one_layer_is_one_circuit_and_two_circuits_are_two() {
    let ((first, _), (second, _)) = (manual(THREE), manual(THREE));
    let layer = |circuit: &tower_breaker::Circuit| {
        CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new())
    };
    let (one, two) = (layer(&first), layer(&second));
    let (a, b, c) = (one.layer(Fake::new().0), one.layer(Fake::new().0), two.layer(Fake::new().0));
    record(&first, Outcome::failure(), 3);
    assert!(a.oneshot(()).await.is_err() && b.oneshot(()).await.is_err(), "two services of one layer");
    assert!(c.oneshot(()).await.is_ok(), "another circuit");
}

/// Peers: r05. A call may do to its own circuit whatever it likes.
#[tokio::test]
async fn nothing_is_held_while_a_call_runs() {
    let (circuit, _clock) = manual(THREE);
    let inside = circuit.clone();
    let answer = circuit.call(async {
        inside.reconfigure(tower_breaker::Config::new()).expect("the settings are within bounds");
        inside.reset();
        inside.call(async { Ok::<_, &str>(()) }).await.expect("closed");
        inside.force_open();
        inside.auto();
        Ok::<_, &str>(inside.snapshot().ledger.succeeded)
    });
    assert_eq!(answer.await, Ok(1));
    assert_eq!(circuit.snapshot().ledger.late, 1, "the outer call is of the phase before the reset");
}

/// In the future, and where a readiness error is put to it.
#[tokio::test]
async fn a_classifier_that_panics_makes_the_call_a_failure_and_holds_no_probe() {
    let (circuit, _clock) =
        manual(THREE.half_open(HalfOpen::new().failure_rate(10, 1.0)).initial_state(State::HalfOpen));
    let judge = classify_fn(|_: Result<&(), &&'static str>| -> Outcome { panic!("as it was told") });
    let (fake, hand) = Fake::new();
    let service = CircuitBreakerLayer::with_classifier(circuit.clone(), judge).layer(fake);
    for readiness in [Readiness::Ready, Readiness::Broken] {
        hand.set(readiness);
        assert!(tokio::spawn(service.clone().oneshot(())).await.is_err(), "the panic goes on");
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.ledger.failed, snapshot.in_flight), (2, 0));
}

#[tokio::test]
async fn a_ramp_lets_its_share_pass_through_the_service() {
    let (circuit, _clock) = manual(THREE.recovery(Recovery::Ramp(Ramp::new())).initial_state(State::Recovering));
    let (service, hand) = guarded(&circuit);
    for _ in 0..1_000 {
        let _ = service.clone().oneshot(()).await;
    }
    assert!(hand.calls().abs_diff(50) <= 1, "{} of 1,000 calls at 5 %", hand.calls());
}
