//! A back end that does what the path says, and circuits that are quick to trip.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_breaker::{
    Circuit, Config, Failure,
    clock::ManualClock,
    config::{Consecutive, Probing, Recovery},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
pub(crate) const SHORT: Duration = Duration::from_millis(60);

/// Three failures in a row open it for a second; then one good probe closes it.
pub(crate) fn circuit() -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let config = Config::without_rules()
        .consecutive_failures(Consecutive::new(3))
        .probing(Probing::fixed(SECOND))
        .recovery(Recovery::Probes);
    let builder = Circuit::builder("test").config(config).clock(clock.clone());
    (builder.build().expect("the settings are within bounds"), clock)
}

pub(crate) fn trip(circuit: &Circuit) {
    circuit.try_acquire().expect("it is closed").record(Failure::new().tripping());
}

/// Successes, failures and ignored calls.
pub(crate) fn counts(circuit: &Circuit) -> (u64, u64, u64) {
    let ledger = circuit.snapshot().ledger;
    (ledger.succeeded, ledger.failed, ledger.ignored)
}

/// How often something was reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits(Arc<AtomicUsize>);

impl Hits {
    pub(crate) fn hit(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { ::axum::serve(listener, app).await });
    address
}

/// A back end: `/503` answers with that status, `/loop` redirects to itself, `/body/breaks`, `/body/stalls` and `/body/ends`
/// do so after a first frame, `/hangs` says nothing.
pub(crate) async fn back_end() -> (SocketAddr, Hits) {
    let hits = Hits::default();
    let app = Router::new()
        .route("/loop", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/loop")]) }))
        .route("/hangs", get(std::future::pending::<StatusCode>))
        .route("/{status}", get(by_status))
        .route("/body/{then}", get(by_body))
        .layer(::axum::middleware::map_request_with_state(hits.clone(), count))
        .with_state(());
    (serve(app).await, hits)
}

async fn count<B>(State(hits): State<Hits>, request: http::Request<B>) -> http::Request<B> {
    hits.hit();
    request
}

async fn by_status(Path(status): Path<u16>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, "a page").into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    }
    response
}

async fn by_body(Path(then): Path<String>) -> Response {
    let first = stream::iter([Ok::<_, &str>("first")]);
    let body = match then.as_str() {
        "breaks" => Body::from_stream(first.chain(stream::once(async {
            tokio::task::yield_now().await;
            Err("the disk is gone")
        }))),
        "stalls" => Body::from_stream(first.chain(stream::pending())),
        _ => Body::from_stream(first),
    };
    body.into_response()
}

/// Asks over a new connection each time and returns the status and `Retry-After`.
pub(crate) async fn ask(server: SocketAddr, path: &str) -> (u16, Option<String>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("http://{server}{path}").parse().expect("an address")).await.expect("an answer");
    let retry_after = response.headers().get(header::RETRY_AFTER);
    (response.status().as_u16(), retry_after.map(|value| value.to_str().expect("a number").to_owned()))
}
