//! Bulkheads and timeouts over real sockets, with circuits around and inside.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension, Router,
    error_handling::HandleErrorLayer,
    extract::{Path, State as Extract},
    http::HeaderMap,
    routing,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::{sync::Semaphore, task::JoinHandle};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Outcome, Overloaded, Rejected, State,
    bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer, Overload},
    classify::{Classifier, ErrorsAsFailures},
    timeout::{AttemptTimeoutLayer, CallLimits, Deadline, DeadlineHeader, TimedOut, TotalTimeoutLayer},
};

use crate::support::{
    THREE, manual,
    net::{Bad, Hits, client, eventually, get, listen, misbehave, serve, status},
};

/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
const SHORT: Duration = Duration::from_millis(40);
/// No test waits that long.
const LONG: Duration = Duration::from_secs(30);

type Get = Request<Empty<Bytes>>;

fn bulkhead(limit: u32, queue: u32, max_wait: Duration) -> Bulkhead {
    Bulkhead::new("test", BulkheadConfig::new(limit).queue(queue, max_wait)).expect("within bounds")
}

fn attempt(limit: Duration) -> AttemptTimeoutLayer {
    AttemptTimeoutLayer::new("attempt", limit).expect("within bounds")
}

fn total(limit: Duration) -> TotalTimeoutLayer {
    TotalTimeoutLayer::new("total", limit).expect("within bounds")
}

fn layer<S>(circuit: &Circuit) -> impl tower::Layer<S, Service = Guarded<S>> + use<S> {
    CircuitBreakerLayer::new(circuit.clone())
}

type Guarded<S> = tower_breaker::CircuitBreaker<
    S,
    tower_breaker::service::Single<tower_breaker::classify::HttpClassifier, tower_breaker::service::Fail>,
>;

fn shed(error: &BoxError) -> Option<Overload> {
    Overloaded::find(&**error).map(Overloaded::kind)
}

fn timed_out(error: &BoxError) -> Option<&str> {
    TimedOut::find(&**error).map(TimedOut::name)
}

/// A server that hangs.
async fn hanging() -> (SocketAddr, Hits) {
    misbehave(Bad::Hangs, || {}).await
}

/// Makes a call in a task of its own and waits until it is at the server.
async fn occupy<S>(service: &S, server: SocketAddr, hits: &Hits) -> JoinHandle<Result<StatusCode, BoxError>>
where
    S: Service<Get, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let before = hits.count();
    let call = service.clone().oneshot(get(server));
    let call = tokio::spawn(async move { call.await.map(|response| response.status()) });
    eventually("the call is at the server", || hits.count() > before).await;
    call
}

#[tokio::test]
async fn a_full_bulkhead_sheds_at_once_and_opens_no_circuit() {
    let (circuit, _clock) = manual(Config::new());
    let (server, hits) = hanging().await;
    let bulkhead = bulkhead(1, 0, SHORT);
    let service =
        ServiceBuilder::new().layer(layer(&circuit)).layer(BulkheadLayer::new(bulkhead.clone())).service(client());
    let hung = occupy(&service, server, &hits).await;
    for _ in 0..300 {
        let error = service.clone().oneshot(get(server)).await.unwrap_err();
        assert_eq!(shed(&error), Some(Overload::Full));
    }
    let ledger = circuit.snapshot().ledger;
    assert_eq!((circuit.state(), ledger.ignored, ledger.failed, hits.count()), (State::Closed, 300, 0, 1));
    assert_eq!((bulkhead.in_flight(), bulkhead.shed_full()), (1, 300));
    hung.abort();
    eventually("the place is free", || bulkhead.in_flight() == 0).await;
}

#[tokio::test]
async fn a_wait_that_is_too_long_opens_no_circuit_either() {
    let (circuit, _clock) = manual(THREE);
    let (server, hits) = hanging().await;
    let bulkhead = bulkhead(1, 10, SHORT);
    let service =
        ServiceBuilder::new().layer(layer(&circuit)).layer(BulkheadLayer::new(bulkhead.clone())).service(client());
    let hung = occupy(&service, server, &hits).await;
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(get(server)))).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        let overloaded = Overloaded::find(&*error).expect("no place");
        assert_eq!(overloaded.kind(), Overload::WaitedTooLong);
        assert!(overloaded.waited() >= SHORT, "{overloaded:?}");
    }
    assert_eq!((circuit.state(), circuit.snapshot().ledger.ignored), (State::Closed, 5));
    assert_eq!((bulkhead.queued(), bulkhead.shed_waited(), hits.count()), (0, 5, 1));
    hung.abort();
}

/// As without tower, where nothing boxes errors.
#[tokio::test]
async fn an_overload_that_is_not_boxed_is_known_too() {
    let bulkhead = bulkhead(1, 0, SHORT);
    let _place = bulkhead.enter().await.unwrap();
    let error = bulkhead.enter().await.unwrap_err();
    assert_eq!(ErrorsAsFailures::new().classify(Err::<&(), _>(&error)), Outcome::Ignored);
}

#[tokio::test]
async fn probes_that_the_bulkhead_sheds_are_no_sign_of_life() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen));
    let (server, hits) = hanging().await;
    let inner = ServiceBuilder::new().layer(BulkheadLayer::new(bulkhead(1, 0, SHORT))).service(client());
    let hung = occupy(&inner, server, &hits).await;
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(inner);
    for _ in 0..5 {
        assert_eq!(shed(&service.clone().oneshot(get(server)).await.unwrap_err()), Some(Overload::Full));
    }
    assert_eq!(circuit.state(), State::HalfOpen);
    hung.abort();
}

#[tokio::test]
async fn rejections_of_a_circuit_inside_take_no_place() {
    let (circuit, _clock) = manual(THREE);
    circuit.force_open();
    let (server, hits) = serve(|_| async { status(200) }).await;
    let bulkhead = bulkhead(1, 0, SHORT);
    let service =
        ServiceBuilder::new().layer(BulkheadLayer::new(bulkhead.clone())).layer(layer(&circuit)).service(client());
    for _ in 0..100 {
        let error = service.clone().oneshot(get(server)).await.unwrap_err();
        assert!(Rejected::find(&*error).is_some());
    }
    assert_eq!((bulkhead.in_flight(), bulkhead.shed_full(), hits.count()), (0, 0, 0));
}

/// What an axum server was asked for, in order; it answers when the gate lets it.
#[derive(Clone)]
struct Gate {
    open: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<usize>>>,
}

async fn spawn(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn callers_reach_the_server_in_the_order_in_which_they_came() {
    async fn handler(Extract(gate): Extract<Gate>, Path(number): Path<usize>) {
        gate.seen.lock().unwrap().push(number);
        gate.open.acquire().await.expect("it is never closed").forget();
    }
    let gate = Gate { open: Arc::new(Semaphore::new(0)), seen: Arc::default() };
    let server = spawn(Router::new().route("/{number}", routing::get(handler)).with_state(gate.clone())).await;
    let bulkhead = bulkhead(1, 8, LONG);
    let mut service = ServiceBuilder::new().layer(BulkheadLayer::new(bulkhead.clone())).service(client());
    let mut calls = Vec::new();
    for number in 0..9 {
        let request = Request::get(format!("http://{server}/{number}")).body(Empty::new()).expect("a request");
        calls.push(tokio::spawn(service.call(request)));
        eventually("it is at the server, or in line", || bulkhead.in_flight() + bulkhead.queued() == number + 1).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(shed(&service.call(get(server)).await.unwrap_err()), Some(Overload::Full));
    gate.open.add_permits(9);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(*gate.seen.lock().unwrap(), (0..9).collect::<Vec<_>>());
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
}

#[tokio::test]
async fn the_total_fires_though_a_hung_server_keeps_the_service_from_being_ready() {
    let (server, hits) = hanging().await;
    let inner = ServiceBuilder::new().map_err(BoxError::from).concurrency_limit(1).service(client());
    let hung = occupy(&inner, server, &hits).await;
    let service = ServiceBuilder::new().layer(total(SHORT)).service(inner);
    for _ in 0..3 {
        assert_eq!(timed_out(&service.clone().oneshot(get(server)).await.unwrap_err()), Some("total"));
    }
    assert_eq!(hits.count(), 1, "nothing more was sent");
    hung.abort();
}

#[tokio::test]
async fn attempts_that_time_out_open_the_circuit_and_totals_outside_do_not() {
    let (server, _) = hanging().await;
    let (circuit, _clock) = manual(THREE);
    let inside = ServiceBuilder::new().layer(layer(&circuit)).layer(attempt(SHORT)).service(client());
    let (other, _clock) = manual(THREE);
    let outside = ServiceBuilder::new().layer(total(SHORT)).layer(layer(&other)).service(client());
    for _ in 0..3 {
        assert_eq!(timed_out(&inside.clone().oneshot(get(server)).await.unwrap_err()), Some("attempt"));
        assert_eq!(timed_out(&outside.clone().oneshot(get(server)).await.unwrap_err()), Some("total"));
    }
    assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (State::Open, 3));
    assert_eq!((other.state(), other.snapshot().ledger.cancelled), (State::Closed, 3));
}

/// A caller in a hurry is not the dependency's fault: the deadline ends the call, and no attempt timeout says that it failed.
#[tokio::test]
async fn callers_in_a_hurry_open_no_circuit() {
    let (server, _) = hanging().await;
    let (circuit, _clock) = manual(THREE);
    let service = ServiceBuilder::new()
        .layer(total(LONG).per_request())
        .layer(layer(&circuit))
        .layer(attempt(LONG).per_request())
        .service(client());
    for _ in 0..5 {
        let mut request = get(server);
        request.extensions_mut().insert(CallLimits::new().total(SHORT));
        assert_eq!(timed_out(&service.clone().oneshot(request).await.unwrap_err()), Some("total"));
    }
    assert_eq!((circuit.state(), circuit.snapshot().ledger.cancelled), (State::Closed, 5));
}

/// What arrived in a header.
type Seen = Arc<Mutex<Vec<u64>>>;

fn left(headers: &HeaderMap) -> u64 {
    headers["x-left"].to_str().expect("ASCII").parse().expect("a number")
}

fn header() -> DeadlineHeader {
    DeadlineHeader::millis(HeaderName::from_static("x-left"))
}

/// A client that tells the next hop what is left.
fn carrying() -> impl Service<Get, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone + Send + Sync
{
    ServiceBuilder::new()
        .layer(total(LONG).per_request())
        .layer(attempt(LONG).per_request().carry(header()))
        .service(client())
}

/// Client, gateway, back end: the gateway honours the header, works for a while, and its own call carries what is left.
#[tokio::test]
async fn the_deadline_shrinks_from_hop_to_hop_by_the_time_spent() {
    async fn back_end(Extract(seen): Extract<Seen>, headers: HeaderMap) {
        seen.lock().unwrap().push(left(&headers));
    }
    async fn gateway(
        Extract((seen, back_end)): Extract<(Seen, SocketAddr)>,
        Extension(deadline): Extension<Deadline>,
        headers: HeaderMap,
    ) -> StatusCode {
        seen.lock().unwrap().push(left(&headers));
        tokio::time::sleep(SHORT).await;
        let mut request = get(back_end);
        request.extensions_mut().insert(deadline);
        carrying().oneshot(request).await.map_or(StatusCode::BAD_GATEWAY, |response| response.status())
    }
    let seen = Seen::default();
    let inner = spawn(Router::new().route("/", routing::get(back_end)).with_state(Arc::clone(&seen))).await;
    let timeout = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: BoxError| async { StatusCode::GATEWAY_TIMEOUT }))
        .layer(total(LONG).per_request().honour(header()));
    let app = Router::new().route("/", routing::get(gateway)).layer(timeout).with_state((Arc::clone(&seen), inner));
    let outer = spawn(app).await;

    let mut request = get(outer);
    request.extensions_mut().insert(CallLimits::new().total(Duration::from_secs(20)));
    assert_eq!(carrying().oneshot(request).await.unwrap().status(), 200);
    let [first, second] = seen.lock().unwrap()[..] else { panic!("two hops") };
    assert!(first <= 20_000 && second <= first - 40 && second > 0, "{first} ms, then {second} ms");
}

/// A handler that hangs ends when its caller has given up, not when the server's own limit has passed.
#[tokio::test]
async fn a_server_that_honours_the_header_stops_working_for_who_has_left() {
    struct Working(Hits);
    impl Drop for Working {
        fn drop(&mut self) {
            self.0.hit();
        }
    }
    let stopped = Hits::default();
    let (circuit, _clock) = manual(THREE);
    let handler = {
        let stopped = stopped.clone();
        move || async move {
            let _working = Working(stopped);
            std::future::pending::<()>().await;
        }
    };
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: BoxError| async { StatusCode::GATEWAY_TIMEOUT }))
        .layer(total(LONG).per_request().honour(DeadlineHeader::grpc_timeout()))
        .layer(CircuitBreakerLayer::new(circuit.clone()));
    let server = spawn(Router::new().route("/", routing::get(handler)).layer(layers)).await;
    for call in 1..=5 {
        let mut request = get(server);
        request.headers_mut().insert("grpc-timeout", "40m".parse().expect("a value"));
        assert_eq!(client().request(request).await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(stopped.count(), call);
    }
    assert_eq!(circuit.state(), State::Closed, "impatience of callers is no failure of the handler");
}

#[cfg(feature = "retry")]
mod retries {
    use tower::retry::RetryLayer;
    use tower_breaker::retry::{HttpRetry, Retries};

    use super::*;

    fn retry() -> RetryLayer<HttpRetry> {
        RetryLayer::new(HttpRetry::new(Retries::builder().build().expect("within bounds")))
    }

    #[tokio::test]
    async fn what_a_bulkhead_sheds_is_never_tried_again() {
        let (server, hits) = hanging().await;
        let bulkhead = bulkhead(1, 0, SHORT);
        let service =
            ServiceBuilder::new().layer(retry()).layer(BulkheadLayer::new(bulkhead.clone())).service(client());
        let hung = occupy(&service, server, &hits).await;
        assert_eq!(shed(&service.oneshot(get(server)).await.unwrap_err()), Some(Overload::Full));
        assert_eq!(bulkhead.shed_full(), 1);
        hung.abort();
    }

    #[tokio::test]
    async fn attempts_that_time_out_are_tried_again() {
        let (server, hits) = hanging().await;
        let service = ServiceBuilder::new().layer(retry()).layer(attempt(SHORT)).service(client());
        assert_eq!(timed_out(&service.oneshot(get(server)).await.unwrap_err()), Some("attempt"));
        assert_eq!(hits.count(), 3);
    }

    /// The caller has the real answer at once, in place of a timeout later.
    #[tokio::test]
    async fn a_wait_that_would_outlast_the_deadline_is_not_begun() {
        let (server, hits) = serve(|_| async {
            let mut response = status(503);
            response.headers_mut().insert("retry-after", "5".parse().expect("a value"));
            response
        })
        .await;
        let service =
            ServiceBuilder::new().layer(total(Duration::from_secs(4)).per_request()).layer(retry()).service(client());
        assert_eq!(service.oneshot(get(server)).await.unwrap().status(), 503);
        assert_eq!(hits.count(), 1);
    }
}
