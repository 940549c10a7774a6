//! Whole stacks over real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Rejected, State,
    bulkhead::{BulkheadConfig, Overloaded},
    config::{CancelledAfter, Consecutive, FailureRate, Probing, Recovery},
    retry::{Backoff, RetryConfig},
    stack::{Misplaced, Stack, StackConfig, lint},
    timeout::TimedOut,
};

use crate::support::{
    SECOND,
    net::{self, Bad, eventually, listen, misbehave, serve},
};

const MS: Duration = Duration::from_millis(1);
/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
const SHORT: Duration = Duration::from_millis(60);

/// Three failures in a row open it for longer than a test lasts.
const THREE: Config = Config::without_rules()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(Duration::from_secs(3_600)))
    .recovery(Recovery::Probes);

/// Three attempts, a few milliseconds apart.
fn config() -> StackConfig {
    StackConfig::new().retry(RetryConfig::new().backoff(Backoff::new(MS, MS))).circuit(THREE)
}

type Body = Full<Bytes>;

fn transport() -> impl Service<Request<Body>, Response = Response<Incoming>, Error: Into<BoxError>, Future: Send> + Clone
{
    Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

fn request(server: SocketAddr) -> Request<Body> {
    Request::get(format!("http://{server}/")).body(Body::default()).expect("a request")
}

#[tokio::test]
async fn a_client_tries_again_until_the_circuit_opens_and_is_then_told_at_once() {
    let (server, hits) = serve(|n| async move { net::status(if n == 1 { 503 } else { 200 }) }).await;
    let stack = Stack::http_client("back end").config(config()).build().expect("it fits");
    let client = stack.layer(transport());
    assert_eq!(client.clone().oneshot(request(server)).await.expect("an answer").status(), 200);
    assert_eq!(hits.count(), 2);

    let (server, hits) = serve(|_| async { net::status(503) }).await;
    assert_eq!(client.clone().oneshot(request(server)).await.expect("the real last answer").status(), 503);
    assert_eq!((hits.count(), stack.circuit().state()), (3, State::Open));
    let error = client.clone().oneshot(request(server)).await.expect_err("it is open");
    assert!(Rejected::find(&*error).is_some() && hits.count() == 3);
}

#[tokio::test]
async fn a_hang_ends_each_attempt_and_opens_the_circuit() {
    let (server, hits) = misbehave(Bad::Hangs, || {}).await;
    let stack = Stack::http_client("back end").config(config().attempt(SHORT)).build().expect("it fits");
    let error = stack.layer(transport()).oneshot(request(server)).await.expect_err("no answer");
    assert_eq!(TimedOut::find(&*error).map(TimedOut::limit), Some(SHORT));
    assert_eq!((hits.count(), stack.circuit().state()), (3, State::Open));
}

#[tokio::test]
async fn the_total_ends_what_the_attempts_do_not() {
    let (server, _) = misbehave(Bad::Hangs, || {}).await;
    let config = config().retry(None).attempt(None).total(SHORT);
    let stack = Stack::http_client("back end").config(config).build().expect("it fits");
    let error = stack.layer(transport()).oneshot(request(server)).await.expect_err("no answer");
    assert!(TimedOut::find(&*error).is_some());
    assert_eq!(stack.circuit().snapshot().ledger.cancelled, 1, "to the circuit it is a caller that leaves");
}

#[tokio::test]
async fn what_the_bulkhead_turns_away_is_neither_tried_again_nor_a_failure() {
    let (server, hits) = misbehave(Bad::Hangs, || {}).await;
    let config = config().bulkhead(BulkheadConfig::new(1));
    let stack = Stack::http_client("back end").config(config).build().expect("it fits");
    let client = stack.layer(transport());
    let hung = tokio::spawn(client.clone().oneshot(request(server)));
    eventually("the call is at the server", || hits.count() == 1).await;
    for _ in 0..10 {
        let error = client.clone().oneshot(request(server)).await.expect_err("it is full");
        assert!(Overloaded::find(&*error).is_some());
    }
    let ledger = stack.circuit().snapshot().ledger;
    assert_eq!((ledger.ignored, ledger.failed, hits.count()), (10, 0, 1));
    assert_eq!(stack.parts().bulkhead.as_ref().map(|bulkhead| bulkhead.shed_full()), Some(10));
    hung.abort();
}

#[tokio::test]
async fn a_server_answers_what_it_turns_away_and_axum_takes_it() {
    let config = StackConfig::new().circuit(THREE).attempt(SHORT).bulkhead(BulkheadConfig::new(2));
    let stack = Stack::http_server("handlers").config(config).build().expect("it fits");
    let app = Router::new()
        .route("/good", get(|| async { "good" }))
        .route("/bad", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/hangs", get(|| async { std::future::pending::<()>().await }))
        .layer(stack.clone());
    let (listener, server) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    let status = async |path: &str| {
        let request = Request::get(format!("http://{server}{path}")).body(Body::default()).expect("a request");
        let answer = transport().oneshot(request).await.map_err(Into::into).expect("an answer");
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    assert_eq!(status("/good").await, (200, false));
    let (one, two, three) = tokio::join!(status("/hangs"), status("/hangs"), status("/hangs"));
    let mut statuses = [one.0, two.0, three.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [503, 504, 504], "two places; what hangs is a timeout of the gateway");
    assert_eq!(stack.circuit().snapshot().ledger.failed, 2);
    assert_eq!(status("/bad").await.0, 500);
    assert_eq!(stack.circuit().state(), State::Open);
    assert_eq!(status("/good").await, (503, true));
}

/// The circuit of a whole site around a stack for some of its routes.
#[tokio::test]
async fn the_full_bulkhead_of_a_stack_is_no_failure_to_a_circuit_further_out() {
    let config = StackConfig::new().circuit(THREE).attempt(SECOND).bulkhead(BulkheadConfig::new(1));
    let stack = Stack::http_server("search").config(config).build().expect("it fits");
    let site = Circuit::builder("site").config(THREE).build().expect("the settings are within bounds");
    let hangs = || async { std::future::pending::<()>().await };
    let app = Router::new().route("/hangs", get(hangs)).route_layer(stack);
    let mut app = CircuitBreakerLayer::http_server(site.clone()).layer(app);
    let request = || Request::get("/hangs").body(axum::body::Body::empty()).expect("a request");
    let busy = tokio::spawn(app.call(request()));
    tokio::task::yield_now().await;
    for _ in 0..5 {
        let answer = app.call(request()).await.expect("axum does not fail");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    busy.abort();
    let ledger = site.snapshot().ledger;
    assert_eq!((site.state(), ledger.failed, ledger.ignored), (State::Closed, 0, 5));
}

#[test]
fn a_stack_prints_itself_from_outside_in_and_leaves_out_what_is_not_there() {
    let stack = Stack::http_client("payments").build().expect("the defaults fit");
    let text = stack.describe();
    let lines: Vec<&str> = text.lines().map(|line| line.trim_start().split("  ").next().unwrap_or_default()).collect();
    assert_eq!(
        lines,
        ["`payments`, from outside in:", "total timeout", "retry", "circuit", "attempt timeout"],
        "{text}"
    );
    let config = StackConfig::new().total(None).retry(None).attempt(None).bulkhead(BulkheadConfig::new(7));
    let stack = Stack::http_client("payments").config(config).build().expect("it fits");
    assert!(stack.describe().contains("7 calls at once") && !stack.describe().contains("timeout"));
    let server = Stack::http_server("handlers").config(config).build().expect("it fits").describe();
    assert!(server.find("bulkhead") < server.find("circuit"), "{server}");
}

#[test]
fn a_stack_that_does_not_fit_is_refused_with_all_that_is_wrong() {
    let config = StackConfig::new().attempt(20 * SECOND).circuit(Config::new().failure_rate(FailureRate::new(2.0)));
    let error = Stack::http_client("payments").config(config).build().expect_err("it does not fit");
    let text = error.to_string();
    for what in ["failure_rate.threshold", "half of the window of `failure_rate`", "`attempts` is 3"] {
        assert!(text.contains(what), "{text}");
    }
}

#[test]
fn the_lint_knows_the_real_types() {
    let circuit = Circuit::builder("test").config(THREE).build().expect("within bounds");
    let breaker = CircuitBreakerLayer::new(circuit.clone());
    let stack = Stack::http_client("test").circuit(circuit.clone()).build().expect("it fits");
    assert_eq!(lint(&stack.layer(transport()), &circuit), []);
    let outside = ServiceBuilder::new().timeout(SECOND).layer(breaker.clone()).service(transport());
    assert_eq!(lint(&outside, &circuit), [Misplaced::TimeoutOutside]);
    let inside = ServiceBuilder::new().layer(breaker).layer(stack).service(transport());
    assert_eq!(lint(&inside, &circuit), [Misplaced::RetryInside]);
    let mended = THREE.cancelled_after(CancelledAfter::After(SECOND / 2));
    let circuit = Circuit::builder("test").config(mended).build().expect("within bounds");
    assert_eq!(lint(&outside, &circuit), []);
}

/// Everything that a client is moved through.
#[test]
fn stacks_are_what_services_must_be() {
    fn plain<T: Clone + Send + Sync + 'static>(_: &T) {}
    let client = Stack::http_client("test").build().expect("the defaults fit");
    plain(&client);
    plain(&client.layer(Client::builder(TokioExecutor::new()).build_http::<Body>()));
    plain(&Stack::http_server("test").build().expect("the defaults fit"));
}
