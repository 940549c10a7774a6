//! Retries over real sockets: tower's `RetryLayer` outside the circuit, a timeout inside, and servers that really fail.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State as Extract, http::HeaderMap, response::IntoResponse, routing};
use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Service, ServiceBuilder, ServiceExt, retry::RetryLayer, timeout::TimeoutLayer};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Instant, Rejected, State,
    clock::{Clock, ManualClock, Sleep},
    config::Config,
    retry::{Backoff, Budget, HttpRetry, Retries, RetryConfig, retries},
};

use crate::support::{
    SECOND, THREE, circuit,
    net::{Bad, Hits, eventually, listen, misbehave, serve, status},
};

const MS: Duration = Duration::from_millis(1);

/// Three attempts, a few milliseconds apart.
const QUICK: RetryConfig = RetryConfig::new().backoff(Backoff::new(MS, MS));

/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
const SHORT: Duration = Duration::from_millis(40);

type Body = Full<Bytes>;

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

/// The order of the chapter: retry, circuit, timeout of an attempt, transport.
fn stack(
    policy: HttpRetry,
    circuit: &Circuit,
    timeout: Duration,
) -> impl Service<Request<Body>, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone + use<> {
    ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .layer(TimeoutLayer::new(timeout))
        .service(client())
}

fn quick() -> retries::Builder {
    Retries::builder().config(QUICK)
}

fn policy(builder: retries::Builder) -> HttpRetry {
    HttpRetry::new(builder.build().expect("within bounds"))
}

/// A circuit that never opens.
fn closed() -> Circuit {
    circuit(Config::without_rules())
}

fn budget(ratio: f64, reserve: u32) -> Budget {
    Budget::builder().ratio(ratio).floor(0.0).reserve(reserve).build().expect("within bounds")
}

fn request(method: Method, server: SocketAddr) -> Request<Body> {
    Request::builder().method(method).uri(format!("http://{server}/")).body(Full::from("payload")).expect("a request")
}

/// What an axum server was sent: header and body of each request.
type Seen = Arc<Mutex<Vec<(Option<String>, String)>>>;

/// Answers 503 twice, with this `Retry-After`, and then 200.
async fn twice_busy(retry_after: &'static str) -> (SocketAddr, Seen) {
    async fn handler(
        Extract((seen, retry_after)): Extract<(Seen, &'static str)>,
        headers: HeaderMap,
        body: String,
    ) -> impl IntoResponse {
        let before = headers.get("x-attempts-before").map(|value| value.to_str().expect("text").to_owned());
        let mut seen = seen.lock().expect("no panic under the lock");
        seen.push((before, body));
        let status = if seen.len() <= 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, [("retry-after", retry_after)])
    }
    let seen = Seen::default();
    let app = Router::new().route("/", routing::any(handler)).with_state((Arc::clone(&seen), retry_after));
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, seen)
}

fn count(seen: &Seen) -> usize {
    seen.lock().expect("no panic under the lock").len()
}

#[tokio::test]
async fn a_call_that_fails_twice_succeeds_and_the_circuit_sees_each_attempt() {
    let (server, seen) = twice_busy("0").await;
    let circuit = closed();
    let policy = policy(quick().circuit(circuit.clone())).attempt_header(HeaderName::from_static("x-attempts-before"));
    let answer = stack(policy, &circuit, SECOND).oneshot(request(Method::PUT, server)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = |before: Option<&str>| (before.map(String::from), "payload".to_owned());
    assert_eq!(*seen.lock().unwrap(), [told(None), told(Some("1")), told(Some("2"))]);
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.succeeded), (2, 1));
}

#[tokio::test]
async fn what_is_not_idempotent_is_sent_once() {
    let (server, seen) = twice_busy("0").await;
    let answer = stack(policy(quick()), &closed(), SECOND).oneshot(request(Method::POST, server)).await.unwrap();
    assert_eq!((answer.status().as_u16(), count(&seen)), (503, 1));
    let (server, hits) = misbehave(Bad::Resets, || {}).await;
    assert!(stack(policy(quick()), &closed(), SECOND).oneshot(request(Method::POST, server)).await.is_err());
    assert_eq!(hits.count(), 1);
}

/// A clock that is moved by hand and counts who sleeps by it.
#[derive(Clone, Debug, Default)]
struct Counting(ManualClock, Hits);

impl Clock for Counting {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.1.hit();
        self.0.sleep_until(deadline)
    }
}

/// By a clock that is moved by hand, so that no wait is a real one.
#[tokio::test]
async fn the_server_is_not_asked_before_it_wants_to_be() {
    let (server, seen) = twice_busy("2").await;
    let clock = Counting::default();
    let service = stack(policy(quick().clock(clock.clone())), &closed(), 60 * SECOND);
    let call = tokio::spawn(service.oneshot(request(Method::GET, server)));
    for attempts in [1, 2] {
        eventually("a wait", || clock.1.count() == attempts).await;
        assert_eq!(count(&seen), attempts);
        clock.0.advance(2 * SECOND - MS);
        tokio::time::sleep(SHORT).await;
        assert_eq!(count(&seen), attempts, "after 1.999 s");
        clock.0.advance(2 * MS);
    }
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(count(&seen), 3);
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_ends_the_call_at_once() {
    let (server, seen) = twice_busy("3600").await;
    let circuit = closed();
    let service = stack(policy(quick()), &circuit, SECOND);
    let answer = service.oneshot(request(Method::GET, server)).await.unwrap();
    assert_eq!((answer.status().as_u16(), count(&seen)), (503, 1), "above `max_retry_after`");
    let (server, seen) = twice_busy("5").await;
    let service = stack(policy(Retries::builder().config(QUICK.deadline(4 * SECOND))), &circuit, SECOND);
    let answer = service.oneshot(request(Method::GET, server)).await.unwrap();
    assert_eq!((answer.status().as_u16(), count(&seen)), (503, 1), "beyond the deadline");
    assert_eq!(answer.headers()["retry-after"], "5", "the caller keeps the answer");
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_again() {
    let (server, hits) = misbehave(Bad::Resets, || {}).await;
    let circuit = closed();
    let error = stack(policy(quick()), &circuit, SECOND).oneshot(request(Method::GET, server)).await.unwrap_err();
    assert!(error.is::<legacy::Error>(), "the real error: {error}");
    assert_eq!((hits.count(), circuit.snapshot().ledger.failed), (3, 3));
}

#[tokio::test]
async fn a_hang_ends_with_the_timeout_of_an_attempt_and_costs_two_tokens() {
    let (server, hits) = misbehave(Bad::Hangs, || {}).await;
    let (circuit, budget) = (closed(), budget(0.0, 10));
    let service = stack(policy(quick().budget(budget.clone())), &circuit, SHORT);
    assert!(service.oneshot(request(Method::GET, server)).await.unwrap_err().is::<tower::timeout::error::Elapsed>());
    eventually("three requests", || hits.count() == 3).await;
    assert_eq!(circuit.snapshot().ledger.failed, 3);
    assert!((budget.balance() - 6.0).abs() < 1e-9, "{budget:?}");
}

#[tokio::test]
async fn a_request_that_could_not_be_sent_is_tried_again_whatever_its_method() {
    let (listener, nobody) = listen().await;
    drop(listener);
    let circuit = closed();
    let service = stack(policy(quick()), &circuit, SECOND);
    assert!(service.oneshot(request(Method::POST, nobody)).await.is_err());
    assert_eq!(circuit.snapshot().ledger.failed, 3);
    let told = |seen: &tower_breaker::classify::Seen<'_>| {
        seen.find_error::<legacy::Error>().is_some_and(legacy::Error::is_connect)
    };
    let mut https = request(Method::POST, nobody);
    *https.uri_mut() = format!("https://{nobody}/").parse().unwrap();
    let service = stack(policy(quick()).never_sent(told), &circuit, SECOND);
    assert!(service.oneshot(https).await.is_err(), "the connector speaks no TLS");
    assert_eq!(circuit.snapshot().ledger.failed, 6, "as the closure tells");
}

#[tokio::test]
async fn the_attempt_that_opens_the_circuit_is_the_last_and_the_caller_has_its_answer() {
    let (server, hits) = serve(|_| async { status(503) }).await;
    let circuit = circuit(THREE);
    let ten = Retries::builder().config(QUICK.attempts(10)).circuit(circuit.clone());
    let service = stack(policy(ten), &circuit, SECOND);
    let answer = service.clone().oneshot(request(Method::GET, server)).await.unwrap();
    assert_eq!((answer.status().as_u16(), hits.count(), circuit.state()), (503, 3, State::Open));
    let error = service.oneshot(request(Method::GET, server)).await.unwrap_err();
    assert!(Rejected::find(&*error).is_some());
    assert_eq!((hits.count(), circuit.snapshot().ledger.rejected), (3, 1), "a rejection is not repeated");
    let knows_no_circuit = stack(policy(quick()), &circuit, SECOND);
    assert!(knows_no_circuit.oneshot(request(Method::GET, server)).await.is_err());
    assert_eq!(circuit.snapshot().ledger.rejected, 2, "nor without the circuit, by its type alone");
}

/// A rejection as a 503 looks like an answer of the server; the circuit tells that it is none.
#[tokio::test]
async fn a_rejection_that_is_a_503_is_not_repeated() {
    let circuit = circuit(Config::new().initial_state(State::Open));
    let (server, hits) = serve(|_| async { status(200) }).await;
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(policy(quick().circuit(circuit.clone()))))
        .layer(CircuitBreakerLayer::new(circuit.clone()).reply_503())
        .map_response(|response: Response<Incoming>| response.map(axum::body::Body::new))
        .service(client());
    assert_eq!(service.oneshot(request(Method::GET, server)).await.unwrap().status(), 503);
    assert_eq!((hits.count(), circuit.snapshot().ledger.rejected), (0, 1));
}

/// So many calls against a server that answers 503 to all.
async fn load(calls: usize, budget: Budget) -> usize {
    let (server, hits): (_, Hits) = serve(|_| async { status(503) }).await;
    let service = stack(policy(quick().budget(budget)), &closed(), 60 * SECOND);
    for _ in 0..calls / 10 {
        let ten = (0..10).map(|_| tokio::spawn(service.clone().oneshot(request(Method::GET, server))));
        for call in ten.collect::<Vec<_>>() {
            assert_eq!(call.await.expect("no panic").expect("an answer").status(), 503);
        }
    }
    hits.count()
}

/// In an outage the load is bounded; without a budget it triples.
#[tokio::test]
async fn a_budget_bounds_what_an_outage_adds_to_the_load() {
    const CALLS: usize = 500;
    for (ratio, most) in [(0.1, 550), (0.6, 800), (0.75, 875)] {
        let hits = load(CALLS, budget(ratio, 20)).await;
        assert!((most..=most + 20).contains(&hits), "{ratio}: {hits} for {CALLS} calls, with 20 in reserve");
    }
    assert_eq!(load(CALLS, budget(2.0, 1_000)).await, 3 * CALLS, "so the bound is the budget's doing");
}
