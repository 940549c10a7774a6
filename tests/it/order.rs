//! The breaker among tower's own layers, over real sockets: bulkheads, queues, buffers, retries.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::{sync::Semaphore, time::timeout};
use tower::{Service, ServiceBuilder, ServiceExt, buffer::Buffer, load_shed::error::Overloaded, retry::Policy};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Rejected, State,
    classify::HttpClassifier,
    config::Recovery,
    machine::RejectReason,
    service::{Fail, Single},
};

use crate::support::{
    SECOND, THREE, manual,
    net::{Hits, client, eventually, get, serve, status},
    trip,
};

/// No test waits that long; a hang is a failure, not a wait for the end of the day.
const PATIENCE: Duration = Duration::from_secs(30);

type Get = Request<Empty<Bytes>>;

fn layer(circuit: &Circuit) -> CircuitBreakerLayer<Single<HttpClassifier, Fail>> {
    CircuitBreakerLayer::new(circuit.clone())
}

fn reason(error: &BoxError) -> Option<RejectReason> {
    Rejected::find(&**error).map(Rejected::reason)
}

/// A healthy server that answers when the gate lets it.
async fn gated() -> (SocketAddr, Hits, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let (server, hits) = serve(move |_| {
        let open = Arc::clone(&open);
        async move {
            open.acquire().await.expect("the gate is never closed for good").forget();
            status(200)
        }
    })
    .await;
    (server, hits, gate)
}

/// Makes a call in a task of its own and waits until it is at the server.
async fn occupy<S>(
    service: &S,
    server: SocketAddr,
    hits: &Hits,
) -> tokio::task::JoinHandle<Result<StatusCode, BoxError>>
where
    S: Service<Get, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let before = hits.count();
    let call = service.clone().oneshot(get(server));
    let call = tokio::spawn(async move { call.await.map(|response| response.status()) });
    eventually("the call is at the server", || hits.count() > before).await;
    call
}

/// With the default settings.
#[tokio::test]
async fn a_healthy_server_behind_a_full_bulkhead_never_opens_the_circuit() {
    let (circuit, _clock) = manual(Config::new());
    let (server, hits, gate) = gated().await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).load_shed().concurrency_limit(1).service(client());
    let first = occupy(&service, server, &hits).await;
    for _ in 0..300 {
        let error = service.clone().oneshot(get(server)).await.unwrap_err();
        assert!(error.is::<Overloaded>(), "the bulkhead's own error goes on: {error:?}");
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.ignored, snapshot.ledger.failed), (State::Closed, 300, 0));
    gate.add_permits(1);
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap().unwrap(), 200);
}

/// A bulkhead is full just when the dependency hangs. What it sheds has not been answered by anybody.
#[tokio::test]
async fn probes_that_our_own_bulkhead_sheds_are_no_sign_of_life() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen));
    let (server, hits, _gate) = gated().await;
    let inner = ServiceBuilder::new().load_shed().concurrency_limit(1).service(client());
    let _hung = occupy(&inner, server, &hits).await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(inner);
    for _ in 0..5 {
        assert!(service.clone().oneshot(get(server)).await.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(circuit.state(), State::HalfOpen, "nobody has answered, and yet the dependency is taken to be alive");
}

/// Like the bulkhead: a rejection of a circuit further in is no answer.
#[tokio::test]
async fn probes_that_an_inner_circuit_rejects_are_no_sign_of_life() {
    let ((outer, _), (inner, _)) = (manual(THREE.initial_state(State::HalfOpen)), manual(THREE));
    inner.force_open();
    let (server, _) = serve(|_| async { status(200) }).await;
    let service = ServiceBuilder::new().layer(layer(&outer)).layer(layer(&inner)).service(client());
    for _ in 0..5 {
        assert!(service.clone().oneshot(get(server)).await.is_err());
    }
    assert_eq!(outer.state(), State::HalfOpen);
}

#[tokio::test]
async fn rejections_of_an_inner_circuit_never_open_an_outer_one() {
    let ((outer, _), (inner, _)) = (manual(Config::new()), manual(THREE));
    inner.force_open();
    let (server, _) = serve(|_| async { status(200) }).await;
    let service = ServiceBuilder::new().layer(layer(&outer)).layer(layer(&inner)).service(client());
    for _ in 0..50 {
        assert_eq!(reason(&service.clone().oneshot(get(server)).await.unwrap_err()), Some(RejectReason::Forced));
    }
    assert_eq!((outer.state(), outer.snapshot().ledger.ignored), (State::Closed, 50));
}

#[tokio::test]
async fn a_caller_that_is_queued_for_a_slot_is_rejected_when_the_circuit_opens() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits, _gate) = gated().await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).concurrency_limit(1).service(client());
    let _hung = occupy(&service, server, &hits).await;
    let queued = tokio::spawn(service.clone().oneshot(get(server)));
    // One thread: when this task goes on, the other has run until it had to wait.
    tokio::task::yield_now().await;
    assert!(!queued.is_finished());
    trip(&circuit);
    let error = timeout(PATIENCE, queued).await.expect("the caller sleeps on").unwrap().unwrap_err();
    assert_eq!((reason(&error), hits.count()), (Some(RejectReason::Open), 1));
}

#[tokio::test]
async fn a_caller_that_is_queued_for_a_slot_gets_it_if_the_circuit_stays_closed() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits, gate) = gated().await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).concurrency_limit(1).service(client());
    let first = occupy(&service, server, &hits).await;
    let queued = tokio::spawn(service.clone().oneshot(get(server)));
    tokio::task::yield_now().await;
    assert!(!queued.is_finished());
    gate.add_permits(2);
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap().unwrap(), 200);
    assert_eq!(timeout(PATIENCE, queued).await.unwrap().unwrap().unwrap().status(), 200);
}

/// What is rejected has reserved nothing below.
#[tokio::test]
async fn a_rejected_caller_takes_no_slot_of_the_bulkhead() {
    let (circuit, _clock) = manual(THREE);
    let (server, _) = serve(|_| async { status(200) }).await;
    let bulkhead = ServiceBuilder::new().concurrency_limit(1).service(client());
    let mut service = ServiceBuilder::new().layer(layer(&circuit)).service(bulkhead.clone());
    circuit.force_open();
    service.ready().await.unwrap();
    assert!(bulkhead.clone().ready().now_or_never().is_some(), "a service that will reject holds the only slot");
    drop(service.call(get(server)));
}

/// Peers: t01.
#[tokio::test]
async fn a_buffer_survives_an_open_circuit() {
    let (circuit, clock) = manual(THREE);
    let (server, hits) = serve(|n| async move { status(if n <= 3 { 500 } else { 200 }) }).await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(client());
    let buffer = Buffer::new(service, 8);
    for _ in 0..3 {
        assert_eq!(buffer.clone().oneshot(get(server)).await.unwrap().status(), 500);
    }
    for _ in 0..10 {
        assert_eq!(reason(&buffer.clone().oneshot(get(server)).await.unwrap_err()), Some(RejectReason::Open));
    }
    clock.advance(SECOND);
    assert_eq!(buffer.clone().oneshot(get(server)).await.unwrap().status(), 200, "the buffer is dead for good");
    assert_eq!(hits.count(), 4);
}

#[tokio::test]
async fn requests_that_queue_in_a_buffer_are_rejected_when_the_circuit_opens() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits, _gate) = gated().await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).concurrency_limit(1).service(client());
    let buffer = Buffer::new(service, 8);
    let _hung = occupy(&buffer, server, &hits).await;
    let queued: Vec<_> = (0..3).map(|_| tokio::spawn(buffer.clone().oneshot(get(server)))).collect();
    tokio::task::yield_now().await;
    circuit.force_open();
    for call in queued {
        let error = timeout(PATIENCE, call).await.expect("the queue does not move").unwrap().unwrap_err();
        assert_eq!(reason(&error), Some(RejectReason::Forced));
    }
}

/// Tries again whatever failed, at once, but never a rejection.
#[derive(Clone)]
struct Retry(usize);

impl<B> Policy<Get, Response<B>, BoxError> for Retry {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Get, result: &mut Result<Response<B>, BoxError>) -> Option<Self::Future> {
        let again = match result {
            Ok(response) => response.status().is_server_error(),
            Err(error) => Rejected::find(&**error).is_none(),
        };
        self.0 = self.0.checked_sub(1)?;
        again.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Get) -> Option<Get> {
        Some(request.clone())
    }
}

/// Peers: m06. A retry outside sees each try counted, and stops at the rejection.
#[tokio::test]
async fn a_retry_outside_stops_when_the_circuit_opens() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = serve(|_| async { status(503) }).await;
    let service = ServiceBuilder::new().retry(Retry(100)).layer(layer(&circuit)).service(client());
    let error = service.clone().oneshot(get(server)).await.unwrap_err();
    assert_eq!((reason(&error), hits.count()), (Some(RejectReason::Open), 3));
    assert!(service.oneshot(get(server)).await.is_err());
    assert_eq!((hits.count(), circuit.snapshot().ledger.rejected), (3, 2), "a rejection was tried again");
}

/// A retry inside hides what it makes up for: the breaker sees one good call.
#[tokio::test]
async fn a_retry_inside_shows_the_breaker_only_the_last_answer() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = serve(|n| async move { status(if n % 3 == 0 { 200 } else { 503 }) }).await;
    let inner = ServiceBuilder::new().retry(Retry(100)).map_err(BoxError::from).service(client());
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(inner);
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(get(server)).await.unwrap().status(), 200);
    }
    let ledger = circuit.snapshot().ledger;
    assert_eq!((hits.count(), ledger.succeeded, ledger.failed), (9, 3, 0));
}

/// The recovery window bounds what a dependency gets that has just come back.
#[tokio::test]
async fn a_server_that_comes_back_gets_a_few_calls_at_once_and_not_the_herd() {
    let (circuit, clock) = manual(THREE.recovery(Recovery::Window(Default::default())));
    let (server, hits, gate) = gated().await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(client());
    trip(&circuit);
    clock.advance(SECOND);
    gate.add_permits(1);
    assert_eq!(service.clone().oneshot(get(server)).await.unwrap().status(), 200);
    assert_eq!(circuit.state(), State::Recovering);
    let herd: Vec<_> = (0..50).map(|_| tokio::spawn(service.clone().oneshot(get(server)))).collect();
    eventually("all have been answered but those at the server", || {
        herd.iter().filter(|call| call.is_finished()).count() == 48 && hits.count() == 3
    })
    .await;
    assert_eq!((circuit.snapshot().ledger.rejected, circuit.snapshot().in_flight), (48, 2));
}
