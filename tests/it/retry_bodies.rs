//! Retries and bodies, over real sockets: streams that are sent again, answers that are given up, and gRPC.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    response::{IntoResponse, Response},
    routing,
    serve::ListenerExt,
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_breaker::{
    BoxError, CircuitBreakerLayer,
    classify::http_fn,
    config::Config,
    retry::{Backoff, Drain, GrpcRetry, HttpRetry, ReplayBody, Retries, RetryConfig, Spread},
};

use crate::support::{
    circuit,
    net::{Hits, listen},
};

const MS: Duration = Duration::from_millis(1);

fn retries(wait: Duration) -> Retries {
    let backoff = Backoff::new(wait, wait).spread(Spread::Equal);
    Retries::builder().config(RetryConfig::new().backoff(backoff)).build().expect("within bounds")
}

/// Serves on loopback, and counts connections.
async fn serve(app: Router) -> (SocketAddr, Hits) {
    let (listener, address) = listen().await;
    let connections = Hits::default();
    let seen = connections.clone();
    let listener = listener.tap_io(move |_| {
        seen.hit();
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, connections)
}

/// A stream of so many chunks of 10 kB, each of another letter, that does not tell its length.
fn upload(chunks: u8) -> (Body, Vec<u8>) {
    let chunk = |n: u8| vec![b'a' + n; 10_000];
    let frames = (0..chunks).map(move |n| Ok::<_, Infallible>(Frame::data(Bytes::from(chunk(n)))));
    (Body::new(StreamBody::new(stream::iter(frames))), (0..chunks).flat_map(chunk).collect())
}

type Received = Arc<Mutex<Vec<Bytes>>>;

/// Reads each request to its end, answers 503 twice and then 200.
fn reads_all() -> (Router, Received) {
    let received = Received::default();
    let seen = Arc::clone(&received);
    let handler = routing::put(move |body: Bytes| async move {
        let mut seen = seen.lock().expect("no panic under the lock");
        seen.push(body);
        if seen.len() <= 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    });
    (Router::new().route("/", handler).layer(DefaultBodyLimit::disable()), received)
}

/// Sends a stream that is kept up to this limit.
async fn put(server: SocketAddr, body: Body, limit: usize) -> Result<http::Response<Incoming>, BoxError> {
    let client = Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Body>>();
    let service = ServiceBuilder::new()
        .map_request(move |request: Request<Body>| request.map(|body| ReplayBody::new(body, limit)))
        .layer(RetryLayer::new(HttpRetry::new(retries(MS))))
        .layer(CircuitBreakerLayer::new(circuit(Config::without_rules())))
        .service(client);
    service.oneshot(Request::put(format!("http://{server}/")).body(body).expect("a request")).await
}

#[tokio::test]
async fn a_stream_is_sent_again_as_it_was() {
    let (app, received) = reads_all();
    let (server, _) = serve(app).await;
    let (body, payload) = upload(20);
    assert_eq!(put(server, body, 200_000).await.unwrap().status(), 200);
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|body| *body == payload), "each time from its beginning to its end");
}

#[tokio::test]
async fn a_stream_that_is_too_long_to_keep_is_sent_once() {
    let (app, received) = reads_all();
    let (server, _) = serve(app).await;
    let (body, payload) = upload(20);
    assert_eq!(put(server, body, 199_999).await.unwrap().status(), 503, "the caller has the answer");
    let received = received.lock().unwrap();
    assert_eq!((received.len(), &received[0][..]), (1, &payload[..]));
}

/// The server answers before it has read anything, so the first attempts are cut off in the middle.
#[tokio::test]
async fn a_stream_whose_first_attempts_were_cut_off_is_sent_whole() {
    let hits = Hits::default();
    let (seen, received) = (hits.clone(), Received::default());
    let log = Arc::clone(&received);
    let handler = routing::put(move |request: Request<Body>| async move {
        if seen.hit() <= 2 {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let body = request.into_body().collect().await.expect("all of it").to_bytes();
        log.lock().expect("no panic under the lock").push(body);
        StatusCode::OK
    });
    let (server, _) = serve(Router::new().route("/", handler)).await;
    let (body, payload) = upload(26);
    let slow = body.into_data_stream();
    let slow = futures_util::StreamExt::then(slow, |chunk| async {
        tokio::time::sleep(MS).await;
        chunk.map(Frame::data)
    });
    assert_eq!(put(server, Body::new(StreamBody::new(slow)), 1_000_000).await.unwrap().status(), 200);
    assert_eq!(hits.count(), 3);
    assert_eq!(*received.lock().unwrap(), [payload]);
}

/// Three attempts, the first two answered with 300 kB of error page; returns how many connections that took.
async fn connections<P>(policy: P) -> usize
where
    P: tower::retry::Policy<Request<String>, Response, BoxError> + Clone,
{
    let hits = Hits::default();
    let handler = routing::get(move || async move {
        let page = vec![b'x'; 300_000];
        if hits.hit() <= 2 {
            (StatusCode::SERVICE_UNAVAILABLE, page).into_response()
        } else {
            StatusCode::OK.into_response()
        }
    });
    let (server, connections) = serve(Router::new().route("/", handler)).await;
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .layer(CircuitBreakerLayer::new(circuit(Config::without_rules())))
        .map_response(|response: http::Response<Incoming>| response.map(Body::new))
        .service(Client::builder(TokioExecutor::new()).build_http::<String>());
    let request = Request::get(format!("http://{server}/")).body(String::new()).expect("a request");
    assert_eq!(service.oneshot(request).await.expect("an answer").status(), 200);
    connections.count()
}

#[tokio::test]
async fn an_answer_that_is_given_up_is_drained_and_its_connection_used_again() {
    assert_eq!(connections(HttpRetry::new(retries(MS))).await, 3, "as tower does");
    // Long enough to read 300 kB from loopback on a busy machine.
    let policy = || HttpRetry::new(retries(1_000 * MS));
    assert_eq!(connections(Drain::new(policy(), 300_000)).await, 1);
    assert_eq!(connections(Drain::new(policy(), 100_000)).await, 3, "more than it may read");
}

/// How many attempts came before, and the body.
type Told = (Option<String>, Bytes);

/// An h2 server that answers UNAVAILABLE in the head twice, and then echoes; all that it was sent and told.
fn echo() -> (Router, Arc<Mutex<Vec<Told>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let handler = routing::post(move |headers: HeaderMap, body: Bytes| async move {
        let before = headers.get("grpc-previous-rpc-attempts").map(|value| value.to_str().expect("text").to_owned());
        let mut log = log.lock().expect("no panic under the lock");
        log.push((before, body.clone()));
        if log.len() <= 2 {
            return [("content-type", "application/grpc"), ("grpc-status", "14")].into_response();
        }
        let status = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), "0".parse().expect("a value"))]);
        let frames = [Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(status))];
        Response::new(Body::new(StreamBody::new(stream::iter(frames))))
    });
    (Router::new().route("/echo/Echo", handler), seen)
}

#[tokio::test]
async fn a_grpc_call_is_tried_again_with_its_payload_intact() {
    let (app, seen) = echo();
    let (server, _) = serve(app).await;
    let circuit = circuit(Config::without_rules());
    let judge = http_fn(|seen| match seen.header("grpc-status") {
        Some("14") => tower_breaker::Outcome::failure(),
        _ => seen.default_outcome(),
    });
    let channel = tonic::transport::Channel::from_shared(format!("http://{server}")).unwrap().connect_lazy();
    let service = ServiceBuilder::new()
        .map_request(|request: Request<tonic::body::Body>| request.map(|body| ReplayBody::new(body, 1_000_000)))
        .layer(RetryLayer::new(Drain::new(GrpcRetry::new(retries(MS)), 65_536)))
        .layer(CircuitBreakerLayer::new(circuit.clone()).classify(judge))
        .map_request(|request: Request<ReplayBody<tonic::body::Body>>| request.map(tonic::body::Body::new))
        .service(channel);
    let (body, payload) = upload(26);
    let request = Request::post("/echo/Echo").header("content-type", "application/grpc");
    let answer = service.oneshot(request.body(tonic::body::Body::new(body)).unwrap()).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(answer.to_bytes(), payload);
    let told: Vec<_> =
        [None, Some("1"), Some("2")].map(|before| (before.map(String::from), payload.clone().into())).into();
    assert_eq!(*seen.lock().unwrap(), told);
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.succeeded), (2, 1), "the circuit sees each attempt");
}
