//! On the client's side, over real sockets: a hyper client against servers that hang, reset, lie and fail.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Rejected, State,
    config::{CancelledAfter, Config, FailureRate, Window},
    machine::RejectReason,
};

use crate::support::{
    SECOND, THREE, manual,
    net::{Bad, client, get, listen, misbehave, serve, status},
};

/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
const SHORT: Duration = Duration::from_millis(40);

type Get = Request<Empty<Bytes>>;

/// A hyper client behind the circuit.
fn guarded(
    circuit: &Circuit,
) -> impl Service<Get, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone {
    CircuitBreakerLayer::new(circuit.clone()).named_layer(client())
}

/// `Layer::layer` without the import in each test.
trait Named<S>: tower::Layer<S> {
    fn named_layer(&self, service: S) -> Self::Service {
        self.layer(service)
    }
}

impl<S, L: tower::Layer<S>> Named<S> for L {}

async fn ask<S>(service: &S, server: SocketAddr) -> Result<StatusCode, BoxError>
where
    S: Service<Get, Response = Response<Incoming>, Error = BoxError> + Clone,
{
    service.clone().oneshot(get(server)).await.map(|response| response.status())
}

fn reason(error: &BoxError) -> Option<RejectReason> {
    Rejected::find(&**error).map(Rejected::reason)
}

#[tokio::test]
async fn server_errors_open_the_circuit_and_then_no_request_reaches_the_server() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = serve(|_| async { status(500) }).await;
    let service = guarded(&circuit);
    for _ in 0..3 {
        assert_eq!(ask(&service, server).await.unwrap(), 500, "the answer goes on to the caller");
    }
    let error = ask(&service, server).await.unwrap_err();
    assert_eq!((reason(&error), hits.count()), (Some(RejectReason::Open), 3));
}

#[tokio::test]
async fn a_probe_over_the_network_closes_the_circuit_again() {
    let (circuit, clock) = manual(THREE);
    let (server, hits) = serve(|n| async move { status(if n <= 4 { 503 } else { 200 }) }).await;
    let service = guarded(&circuit);
    for _ in 0..3 {
        ask(&service, server).await.unwrap();
    }
    clock.advance(SECOND);
    assert_eq!(ask(&service, server).await.unwrap(), 503, "the first probe fails");
    assert!(reason(&ask(&service, server).await.unwrap_err()).is_some());
    clock.advance(SECOND);
    assert_eq!(ask(&service, server).await.unwrap(), 200);
    assert_eq!((circuit.state(), hits.count()), (State::Closed, 5));
}

#[tokio::test]
async fn answers_that_blame_the_caller_never_open_it() {
    let (circuit, _clock) = manual(THREE);
    let (server, _) = serve(|n| async move { status([400, 401, 403, 404, 409, 422][n % 6]) }).await;
    let service = guarded(&circuit);
    for _ in 0..30 {
        ask(&service, server).await.unwrap();
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.ignored), (State::Closed, 30));
}

fn limited() -> Response<http_body_util::Full<Bytes>> {
    let mut response = status(429);
    response.headers_mut().insert("retry-after", http::HeaderValue::from_static("7"));
    response
}

#[tokio::test]
async fn rate_limited_answers_are_no_run_of_failures() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = serve(|_| async { limited() }).await;
    let service = guarded(&circuit);
    for _ in 0..10 {
        assert_eq!(ask(&service, server).await.unwrap(), 429);
    }
    assert_eq!((circuit.state(), hits.count()), (State::Closed, 10));
}

#[tokio::test]
async fn rate_limited_answers_open_by_rate_for_as_long_as_the_server_asks() {
    let rate = FailureRate::new(0.5).minimum_calls(4).window(Window::count(4));
    let (circuit, clock) = manual(THREE.failure_rate(rate));
    let (server, hits) = serve(|_| async { limited() }).await;
    let service = guarded(&circuit);
    for _ in 0..4 {
        assert_eq!(ask(&service, server).await.unwrap(), 429);
    }
    clock.advance(6 * SECOND);
    let error = ask(&service, server).await.unwrap_err();
    let rejected = Rejected::find(&*error).expect("a rejection");
    assert_eq!(rejected.retry_after(), Some(SECOND), "7 s were asked for and 6 are over; the wait alone is 1 s");
    clock.advance(SECOND);
    assert!(ask(&service, server).await.is_ok());
    assert_eq!(hits.count(), 5);
}

/// A day was seen in the wild.
#[tokio::test]
async fn what_a_server_asks_for_is_bounded() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen).max_retry_after(90 * SECOND));
    let (server, _) = serve(|_| async {
        let mut response = status(503);
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("86400"));
        response
    })
    .await;
    ask(&guarded(&circuit), server).await.unwrap();
    assert_eq!(circuit.snapshot().retry_after, Some(90 * SECOND), "a probe's answer is listened to as well");
}

#[tokio::test]
async fn connections_that_are_reset_are_failures() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = misbehave(Bad::Resets, || ()).await;
    let service = guarded(&circuit);
    for _ in 0..3 {
        let error = ask(&service, server).await.unwrap_err();
        assert_eq!(reason(&error), None, "the error is the connection's own");
        assert!(error.is::<hyper_util::client::legacy::Error>(), "and can be found: {error:?}");
    }
    assert_eq!((circuit.state(), hits.count()), (State::Open, 3));
}

#[tokio::test]
async fn connections_that_are_refused_are_failures() {
    let (circuit, _clock) = manual(THREE);
    let (listener, server) = listen().await;
    drop(listener);
    let service = guarded(&circuit);
    for _ in 0..3 {
        assert!(ask(&service, server).await.is_err());
    }
    assert_eq!(circuit.state(), State::Open);
}

/// Peers: d08. The right order.
#[tokio::test]
async fn a_hang_that_a_timeout_inside_the_breaker_ends_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = misbehave(Bad::Hangs, || ()).await;
    let service =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(circuit.clone())).timeout(SHORT).service(client());
    for _ in 0..3 {
        let error = service.clone().oneshot(get(server)).await.unwrap_err();
        assert!(error.is::<tower::timeout::error::Elapsed>(), "the timeout's own error goes on");
    }
    assert_eq!(circuit.state(), State::Open);
    let error = service.clone().oneshot(get(server)).await.unwrap_err();
    assert_eq!((reason(&error), hits.count()), (Some(RejectReason::Open), 3), "and is not waited for any more");
}

/// Peers: d08, f09. The wrong order, with the setting that makes up for it.
#[tokio::test]
async fn a_hang_that_a_timeout_outside_the_breaker_ends_is_a_failure_if_so_configured() {
    let (circuit, clock) = manual(THREE.cancelled_after(CancelledAfter::After(SECOND)));
    // The circuit's second goes by while the request is at the server.
    let (server, hits) = misbehave(Bad::Hangs, move || clock.advance(SECOND)).await;
    let layer = CircuitBreakerLayer::new(circuit.clone());
    let service = ServiceBuilder::new().timeout(3 * SHORT).layer(layer).service(client());
    // A machine so busy that the request does not get there in time has the call cancelled for nothing; so a few more.
    for _ in 0..30 {
        if circuit.state() == State::Open {
            break;
        }
        let error = service.clone().oneshot(get(server)).await.unwrap_err();
        assert!(error.is::<tower::timeout::error::Elapsed>(), "{error:?}");
    }
    assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (State::Open, 3));
    assert!(hits.count() >= 3);
}

/// Peers: d08. The wrong order without the setting: harmless, and of no use.
#[tokio::test]
async fn a_timeout_outside_the_breaker_alone_is_neutral() {
    let (circuit, clock) = manual(THREE);
    let (server, hits) = misbehave(Bad::Hangs, move || clock.advance(SECOND)).await;
    let layer = CircuitBreakerLayer::new(circuit.clone());
    let service = ServiceBuilder::new().timeout(SHORT).layer(layer).service(client());
    for _ in 0..6 {
        assert!(service.clone().oneshot(get(server)).await.is_err());
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.failed, snapshot.ledger.cancelled), (State::Closed, 0, 6));
    assert!(hits.count() <= 6);
}

/// Peers: m05. Unless it is told otherwise.
#[tokio::test]
async fn the_head_decides_over_a_body_that_breaks_off() {
    let (circuit, _clock) = manual(THREE);
    let (server, _) = misbehave(Bad::HalfABody, || ()).await;
    let service = guarded(&circuit);
    let response = service.clone().oneshot(get(server)).await.unwrap();
    assert_eq!(circuit.snapshot().ledger.succeeded, 1, "settled at the head");
    assert!(response.into_body().collect().await.is_err(), "half of the body is missing");
    assert_eq!(circuit.snapshot().ledger.failed, 0);
}

/// Peers: m05. For any service, also one that is not of HTTP.
#[tokio::test]
async fn a_body_that_is_collected_below_the_breaker_counts() {
    let (circuit, _clock) = manual(THREE);
    let (server, _) = misbehave(Bad::HalfABody, || ()).await;
    let collected = client().and_then(|response: Response<Incoming>| async move {
        let (head, body) = response.into_parts();
        Ok::<_, BoxError>(Response::from_parts(head, body.collect().await?.to_bytes()))
    });
    let collected = ServiceBuilder::new().map_err(BoxError::from).service(collected);
    let service = CircuitBreakerLayer::new(circuit.clone()).named_layer(collected);
    for _ in 0..3 {
        assert!(service.clone().oneshot(get(server)).await.is_err());
    }
    assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (State::Open, 3));
}

/// The default settings: what a user gets with two lines.
#[tokio::test]
async fn the_default_settings_open_on_a_dead_server_and_close_when_it_is_well() {
    let (circuit, clock) = manual(Config::new());
    let (server, hits) = serve(|n| async move { status(if n <= 10 { 502 } else { 200 }) }).await;
    let service = guarded(&circuit);
    let mut rejected = 0;
    for _ in 0..1_000 {
        clock.advance(SECOND / 20);
        match ask(&service, server).await {
            Ok(StatusCode::OK) if circuit.state() == State::Closed => break,
            Ok(_) => {}
            Err(error) => {
                assert!(reason(&error).is_some(), "{error:?}");
                rejected += 1;
            }
        }
    }
    assert!(rejected > 0, "it never opened");
    assert_eq!(circuit.state(), State::Closed, "it never closed again; the server was asked {} times", hits.count());
}
