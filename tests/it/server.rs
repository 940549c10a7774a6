//! On the server's side, over real sockets: axum's `serve` and `oneshot`, hyper, clients that leave, panics.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, routing};
use http::{Request, StatusCode, header::RETRY_AFTER};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Outcome, State,
    classify::HttpClassifier,
    config::{CancelledAfter, HalfOpen},
    service::{Reply503, Single},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::support::{
    SECOND, THREE, manual,
    net::{Hits, client, eventually, get, listen},
    record,
};

fn layer(circuit: &Circuit) -> CircuitBreakerLayer<Single<HttpClassifier, Reply503>> {
    CircuitBreakerLayer::new(circuit.clone()).reply_503()
}

/// A router with one handler that answers with a status, and how often it was reached.
fn answering(status: StatusCode) -> (Router, Hits) {
    let hits = Hits::default();
    let reached = hits.clone();
    let handler = move || async move {
        reached.hit();
        status
    };
    (Router::new().route("/", routing::get(handler.clone()).post(handler)), hits)
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Asks over a new connection each time.
async fn ask(server: SocketAddr, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        let response = client().request(get(server)).await.expect("an answer");
        statuses.push(response.status().as_u16());
    }
    statuses
}

/// Peers: a01. axum makes a service of the layer for each connection.
#[tokio::test]
async fn all_connections_of_a_server_share_one_circuit() {
    let (circuit, _clock) = manual(THREE);
    let (app, hits) = answering(StatusCode::INTERNAL_SERVER_ERROR);
    let server = serve(app.layer(layer(&circuit))).await;
    assert_eq!(ask(server, 10).await, [500, 500, 500, 503, 503, 503, 503, 503, 503, 503]);
    assert_eq!(hits.count(), 3);
}

/// Peers: a01. axum makes a service of the layer for each request of a `oneshot`.
#[tokio::test]
async fn all_oneshots_of_a_router_share_one_circuit() {
    let (circuit, _clock) = manual(THREE);
    let (app, hits) = answering(StatusCode::INTERNAL_SERVER_ERROR);
    let app = app.layer(layer(&circuit));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let request = Request::get("/").body(Body::empty()).unwrap();
        statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!((statuses, hits.count()), (vec![500, 500, 500, 503, 503], 3));
}

#[tokio::test]
async fn all_routes_and_methods_under_one_layer_share_one_circuit() {
    let (circuit, _clock) = manual(THREE);
    let failing = || async { StatusCode::BAD_GATEWAY };
    let app = Router::new()
        .route("/a", routing::get(failing).post(failing))
        .route("/b", routing::get(failing))
        .layer(layer(&circuit));
    let mut statuses = Vec::new();
    for (method, path) in [("GET", "/a"), ("POST", "/a"), ("GET", "/b"), ("GET", "/b"), ("POST", "/a")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [502, 502, 502, 503, 503]);
}

/// Two circuits are how isolation is asked for.
#[tokio::test]
async fn handlers_with_circuits_of_their_own_fail_apart() {
    let ((first, _), (second, _)) = (manual(THREE), manual(THREE));
    let app = Router::new()
        .route("/bad", routing::get(|| async { StatusCode::BAD_GATEWAY }).layer(layer(&first)))
        .route("/good", routing::get(|| async { StatusCode::OK }).layer(layer(&second)));
    for _ in 0..4 {
        let request = Request::get("/bad").body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let request = Request::get("/good").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
    assert_eq!((first.state(), second.state()), (State::Open, State::Closed));
}

#[tokio::test]
async fn a_rejected_request_says_when_to_come_back() {
    let (circuit, clock) = manual(THREE.probing(tower_breaker::config::Probing::fixed(30 * SECOND)));
    let (app, _) = answering(StatusCode::OK);
    let server = serve(app.layer(layer(&circuit))).await;
    record(&circuit, Outcome::failure(), 3);
    clock.advance(SECOND / 2);
    let response = client().request(get(server)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "30", "29.5 s are rounded up");
}

#[tokio::test]
async fn a_server_recovers_over_the_same_connections() {
    let (circuit, clock) = manual(THREE);
    let (app, hits) = answering(StatusCode::OK);
    let server = serve(app.layer(layer(&circuit))).await;
    record(&circuit, Outcome::failure(), 3);
    assert_eq!(ask(server, 2).await, [503, 503]);
    clock.advance(SECOND);
    assert_eq!(ask(server, 3).await, [200, 200, 200]);
    assert_eq!((circuit.state(), hits.count()), (State::Closed, 3));
}

/// A handler that has been entered and does not end, and a way to see that it was entered.
fn hanging() -> (Router, Arc<Notify>) {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let handler = move || async move {
        enter.notify_one();
        std::future::pending::<StatusCode>().await
    };
    (Router::new().route("/", routing::get(handler)), entered)
}

/// Sends a request and leaves once the handler has been entered.
async fn leave(server: SocketAddr, entered: &Notify) {
    let mut socket = TcpStream::connect(server).await.expect("the server listens");
    socket.write_all(b"GET / HTTP/1.1\r\nhost: loopback\r\n\r\n").await.expect("the server reads");
    entered.notified().await;
}

/// Peers: t03. hyper drops the future of a handler whose client has gone.
#[tokio::test]
async fn clients_that_go_away_are_neutral() {
    let (circuit, clock) = manual(THREE);
    let (app, entered) = hanging();
    let server = serve(app.layer(layer(&circuit))).await;
    for _ in 0..5 {
        leave(server, &entered).await;
        clock.advance(60 * SECOND);
    }
    let seen = circuit.clone();
    eventually("hyper drops what nobody waits for", move || seen.snapshot().ledger.cancelled == 5).await;
    assert_eq!((circuit.state(), circuit.snapshot().ledger.failed), (State::Closed, 0));
}

#[tokio::test]
async fn clients_that_give_up_after_long_are_failures_if_so_configured() {
    let (circuit, clock) = manual(THREE.cancelled_after(CancelledAfter::After(10 * SECOND)));
    let (app, entered) = hanging();
    let server = serve(app.layer(layer(&circuit))).await;
    for gone in 1..=3 {
        leave_after(server, &entered, || clock.advance(10 * SECOND)).await;
        let seen = circuit.clone();
        eventually("the call is settled", move || seen.snapshot().ledger.failed == gone).await;
    }
    assert_eq!(circuit.state(), State::Open);
}

async fn leave_after(server: SocketAddr, entered: &Notify, wait: impl FnOnce()) {
    let mut socket = TcpStream::connect(server).await.expect("the server listens");
    socket.write_all(b"GET / HTTP/1.1\r\nhost: loopback\r\n\r\n").await.expect("the server reads");
    entered.notified().await;
    wait();
}

/// Peers: l01, d13.
#[tokio::test]
async fn a_probe_whose_client_goes_away_frees_its_slot() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen));
    let (app, entered) = hanging();
    let server = serve(app.layer(layer(&circuit))).await;
    leave(server, &entered).await;
    let seen = circuit.clone();
    eventually("the slot is free", move || seen.snapshot().in_flight == 0).await;
    assert!(circuit.try_acquire().expect("another probe may go").is_probe());
}

fn panicking() -> Router {
    async fn handler() -> StatusCode {
        panic!("the handler panics, as it was told")
    }
    Router::new().route("/", routing::get(handler))
}

/// Peers: m02. Whoever catches the panic drops the call later, when the thread panics no more.
#[tokio::test]
async fn a_panic_that_is_caught_outside_the_breaker_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let app = panicking().layer(ServiceBuilder::new().layer(CatchPanicLayer::new()).layer(layer(&circuit)));
    let server = serve(app).await;
    assert_eq!(ask(server, 4).await, [500, 500, 500, 503]);
    assert_eq!(circuit.snapshot().ledger.failed, 3);
}

/// Peers: m02.
#[tokio::test]
async fn a_panic_that_is_caught_inside_the_breaker_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let app = panicking().layer(ServiceBuilder::new().layer(layer(&circuit)).layer(CatchPanicLayer::new()));
    let server = serve(app).await;
    assert_eq!(ask(server, 4).await, [500, 500, 500, 503]);
    assert_eq!(circuit.snapshot().ledger.failed, 3);
}

#[tokio::test]
async fn a_panic_that_nobody_catches_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let server = serve(panicking().layer(layer(&circuit))).await;
    for _ in 0..3 {
        assert!(client().request(get(server)).await.is_err(), "the connection's task is gone");
    }
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(ask(server, 1).await, [503]);
}

/// Its default answer is 408, a 4xx.
#[tokio::test]
async fn a_handler_that_the_timeout_of_tower_http_cuts_off_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let (app, _entered) = hanging();
    let timeout = tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, SECOND / 50);
    let server = serve(app.layer(ServiceBuilder::new().layer(layer(&circuit)).layer(timeout))).await;
    assert_eq!(ask(server, 4).await, [408, 408, 408, 503]);
}

#[tokio::test]
async fn unknown_paths_say_nothing_about_the_server() {
    let (circuit, _clock) = manual(THREE);
    let (app, _) = answering(StatusCode::OK);
    let app = app.layer(layer(&circuit));
    for _ in 0..20 {
        let request = Request::get("/nowhere").body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.ignored), (State::Closed, 20));
}

/// hyper clones the service for each request.
#[tokio::test]
async fn a_bare_hyper_server_keeps_one_circuit_over_all_its_requests() {
    let (circuit, _clock) = manual(THREE.half_open(HalfOpen::new()));
    let (app, hits) = answering(StatusCode::INTERNAL_SERVER_ERROR);
    let service = ServiceBuilder::new().layer(layer(&circuit)).service(app);
    let service = ServiceBuilder::new()
        .map_request(|request: Request<hyper::body::Incoming>| request.map(Body::new))
        .service(service);
    let (listener, server) = listen().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(socket), service).await
            });
        }
    });
    assert_eq!(ask(server, 5).await, [500, 500, 500, 503, 503]);
    assert_eq!(hits.count(), 3);
}

/// The default settings, not the quick ones: what a user gets with two lines.
#[tokio::test]
async fn the_default_settings_open_on_a_dead_handler_and_not_on_a_good_one() {
    let ((dead, _), (good, _)) = (manual(Config::new()), manual(Config::new()));
    let (app, hits) = answering(StatusCode::INTERNAL_SERVER_ERROR);
    let server = serve(app.layer(layer(&dead))).await;
    assert!(ask(server, 30).await.contains(&503), "thirty failures in a row were not enough");
    assert!(hits.count() < 30);
    let (app, hits) = answering(StatusCode::OK);
    let server = serve(app.layer(layer(&good))).await;
    assert!(ask(server, 30).await.iter().all(|status| *status == 200));
    assert_eq!((good.state(), hits.count()), (State::Closed, 30));
}
