//! Readiness as a conversation: a mock below, paused time, and a circuit that opens and recovers in it.

use std::{future::Future, task::Poll, time::Duration};

use tokio::time::{advance, timeout};
use tower_breaker::{
    BoxError, Circuit, CircuitBreaker, CircuitBreakerLayer, Rejected, State,
    classify::ErrorsAsFailures,
    machine::RejectReason,
    service::{Fail, Single},
};
use tower_test::mock::{Handle, Mock, SendResponse, Spawn, spawn_layer};

use crate::support::{SECOND, THREE, circuit, trip};

type Service = CircuitBreaker<Mock<&'static str, &'static str>, Single<ErrorsAsFailures, Fail>>;

fn mock(circuit: &Circuit) -> (Spawn<Service>, Handle<&'static str, &'static str>) {
    spawn_layer(CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()))
}

/// Asks for readiness where it must be given.
fn ready(service: &mut Spawn<Service>) {
    match service.poll_ready() {
        Poll::Ready(Ok(())) => {}
        other => panic!("ready was expected: {other:?}"),
    }
}

/// The next request that reaches the dependency. Time is paused, so nobody waits for one that never comes.
async fn next(handle: &mut Handle<&'static str, &'static str>) -> (&'static str, SendResponse<&'static str>) {
    let request = timeout(3_600 * SECOND, handle.next_request()).await;
    request.expect("no request reaches the dependency").expect("the service is there")
}

/// What is answered to a call.
async fn answer<T>(call: impl Future<Output = T>) -> T {
    timeout(3_600 * SECOND, call).await.expect("a call is not answered")
}

fn reason(error: &BoxError) -> RejectReason {
    Rejected::find(&**error).expect("a rejection").reason()
}

/// A circuit that has tripped and whose wait is over.
async fn due() -> Circuit {
    let circuit = circuit(THREE);
    trip(&circuit);
    advance(SECOND).await;
    circuit
}

#[tokio::test(start_paused = true)]
async fn a_circuit_opens_on_the_answers_and_closes_on_a_good_probe() {
    let circuit = circuit(THREE);
    let (mut service, mut handle) = mock(&circuit);
    for _ in 0..3 {
        ready(&mut service);
        let call = service.call("hello");
        let (request, reply) = next(&mut handle).await;
        assert_eq!(request, "hello");
        reply.send_error("down");
        assert_eq!(answer(call).await.unwrap_err().to_string(), "down");
    }
    ready(&mut service);
    let error = answer(service.call("too early")).await.unwrap_err();
    assert_eq!(reason(&error), RejectReason::Open);
    assert!(handle.poll_request().is_pending(), "a rejected call reaches nobody");

    advance(SECOND).await;
    ready(&mut service);
    let probe = service.call("probe");
    let (request, reply) = next(&mut handle).await;
    assert_eq!((request, circuit.state()), ("probe", State::HalfOpen));
    reply.send_response("up");
    assert_eq!(answer(probe).await.unwrap(), "up");
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: t02.
#[tokio::test(start_paused = true)]
async fn no_probe_is_held_between_readiness_and_the_call() {
    let circuit = due().await;
    let (mut idle, mut handle) = mock(&circuit);
    let mut busy = idle.clone();
    ready(&mut idle);
    assert_eq!(circuit.snapshot().in_flight, 0);
    ready(&mut busy);
    let probe = busy.call("probe");
    next(&mut handle).await.1.send_response("up");
    assert_eq!(answer(probe).await.unwrap(), "up", "a ready service that is idle holds the only probe");
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_second_call_is_rejected_while_the_only_probe_is_under_way() {
    let circuit = due().await;
    let (mut service, mut handle) = mock(&circuit);
    let mut other = service.clone();
    ready(&mut service);
    ready(&mut other);
    let probe = service.call("probe");
    let error = answer(other.call("second")).await.unwrap_err();
    assert_eq!(reason(&error), RejectReason::HalfOpen);
    next(&mut handle).await.1.send_response("up");
    assert!(answer(probe).await.is_ok());
    assert!(handle.poll_request().is_pending(), "the second call must not reach the dependency");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_inner_readiness_is_a_failed_probe() {
    let circuit = due().await;
    let (mut service, mut handle) = mock(&circuit);
    handle.send_error("no connection");
    ready(&mut service);
    let error = answer(service.call("probe")).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection", "the call that would have been the probe gets it");
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.failed), (State::Open, 2), "it opens again");
    assert_eq!(snapshot.retry_after, Some(SECOND), "for a new wait");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_for_a_busy_service_is_rejected_when_another_opens_the_circuit() {
    let circuit = circuit(THREE);
    let (mut service, mut handle) = mock(&circuit);
    handle.allow(3);
    let mut calls = Vec::new();
    for _ in 0..3 {
        ready(&mut service);
        calls.push(service.call("hello"));
    }
    let mut queued = service.clone();
    assert!(queued.poll_ready::<&'static str>().is_pending());
    for call in calls {
        assert!(!queued.is_woken(), "two failures open nothing");
        next(&mut handle).await.1.send_error("down");
        assert!(call.await.is_err());
    }
    assert!(queued.is_woken(), "the circuit has opened and the caller sleeps");
    ready(&mut queued);
    assert_eq!(reason(&answer(queued.call("queued")).await.unwrap_err()), RejectReason::Open);
}

/// Peers: p04. A service that has said it is ready has nothing to wake anybody for.
#[tokio::test(start_paused = true)]
async fn an_open_circuit_wakes_nobody_until_it_changes() {
    let circuit = circuit(THREE);
    let (mut service, _handle) = mock(&circuit);
    trip(&circuit);
    ready(&mut service);
    advance(Duration::from_millis(999)).await;
    assert!(!service.is_woken());
    assert!(circuit.check().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_of_a_closed_circuit_is_polled_only_when_something_happened() {
    let circuit = circuit(THREE);
    let (mut service, mut handle) = mock(&circuit);
    handle.allow(0);
    assert!(service.poll_ready::<&'static str>().is_pending());
    advance(60 * SECOND).await;
    crate::support::record(&circuit, tower_breaker::Outcome::Success, 100);
    assert!(!service.is_woken(), "calls of others wake it in vain");
    handle.allow(1);
    assert!(service.is_woken());
    ready(&mut service);
}

#[tokio::test(start_paused = true)]
async fn a_dead_dependency_that_is_never_ready_is_not_waited_for() {
    let circuit = circuit(THREE);
    let (mut service, mut handle) = mock(&circuit);
    handle.allow(0);
    trip(&circuit);
    let answer = timeout(SECOND / 2, async {
        use tower::ServiceExt;
        service.get_mut().ready().await?;
        tower::Service::call(service.get_mut(), "hello").await
    });
    let error = answer.await.expect("no wait").unwrap_err();
    assert_eq!(reason(&error), RejectReason::Open);
}
