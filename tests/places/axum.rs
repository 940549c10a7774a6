//! axum: around a router, its routes, one handler, with errors, and as a client in a handler; and a bare hyper server.

use std::time::Duration;

use ::axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::State,
    handler::Handler,
    http::{HeaderValue, Request, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Rejected, State as CircuitState};

use crate::support::{Hits, SECOND, SHORT, ask, back_end, circuit, counts, listen, serve, trip};

async fn fails() -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn works() -> &'static str {
    "fine"
}

async fn statuses<const N: usize>(server: std::net::SocketAddr, paths: [&str; N]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in paths {
        statuses.push(ask(server, path).await.0);
    }
    statuses
}

#[tokio::test]
async fn a_layer_around_a_router_is_one_circuit_for_all_routes_and_connections() {
    let (circuit, clock) = circuit();
    let layer = CircuitBreakerLayer::http_server(circuit.clone());
    let server = serve(Router::new().route("/a", get(fails)).route("/b", get(works)).layer(layer)).await;
    assert_eq!(statuses(server, ["/a", "/a", "/a", "/a", "/b"]).await, [500, 500, 500, 503, 503]);
    assert_eq!(ask(server, "/b").await, (503, Some("1".into())));
    clock.advance(SECOND);
    assert_eq!(statuses(server, ["/b", "/b"]).await, [200, 200]);
    assert_eq!(circuit.state(), CircuitState::Closed);
}

#[tokio::test]
async fn a_route_layer_does_not_see_what_no_route_takes() {
    let ((routes, _), (all, _)) = (circuit(), circuit());
    let app = Router::new()
        .route("/a", get(fails))
        .route_layer(CircuitBreakerLayer::http_server(routes.clone()))
        .layer(CircuitBreakerLayer::http_server(all.clone()));
    let server = serve(app).await;
    assert_eq!(statuses(server, ["/nowhere", "/nowhere"]).await, [404, 404]);
    assert_eq!((counts(&routes), counts(&all)), ((0, 0, 0), (0, 0, 2)));
    trip(&routes);
    assert_eq!(statuses(server, ["/a", "/nowhere"]).await, [503, 404]);
}

#[tokio::test]
async fn a_handler_with_a_circuit_of_its_own_fails_alone() {
    let ((first, _), (second, _)) = (circuit(), circuit());
    let app = Router::new()
        .route("/a", get(fails.layer(CircuitBreakerLayer::http_server(first.clone()))))
        .route("/b", get(works).layer(CircuitBreakerLayer::http_server(second.clone())));
    let server = serve(app).await;
    assert_eq!(statuses(server, ["/a", "/a", "/a", "/a", "/b"]).await, [500, 500, 500, 503, 200]);
    assert_eq!((first.state(), second.state()), (CircuitState::Open, CircuitState::Closed));
}

#[tokio::test]
async fn a_circuit_around_another_ignores_what_that_one_rejects() {
    let ((outer, _), (inner, _)) = (circuit(), circuit());
    trip(&inner);
    let app = Router::new()
        .route("/", get(works).layer(CircuitBreakerLayer::http_server(inner)))
        .layer(CircuitBreakerLayer::http_server(outer.clone()).until_end_of_body());
    let server = serve(app).await;
    assert_eq!(statuses(server, ["/", "/", "/", "/"]).await, [503; 4]);
    assert_eq!((outer.state(), counts(&outer)), (CircuitState::Closed, (0, 0, 4)));
}

/// Turns each error of the chain into an answer.
async fn explain(error: BoxError) -> Response {
    if let Some(rejected) = Rejected::find(&*error) {
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, rejected.to_string()).into_response();
        if let Some(wait) = rejected.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        return response;
    }
    if error.is::<tower::timeout::error::Elapsed>() {
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[tokio::test]
async fn errors_go_through_a_handle_error_layer() {
    let (circuit, _clock) = circuit();
    let hits = Hits::default();
    let reached = hits.clone();
    let hangs = move || async move {
        reached.hit();
        std::future::pending::<StatusCode>().await
    };
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(explain))
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .timeout(SHORT);
    let server = serve(Router::new().route("/", get(hangs)).layer(layers)).await;
    assert_eq!(statuses(server, ["/", "/", "/"]).await, [504, 504, 504]);
    assert_eq!(ask(server, "/").await, (503, Some("1".into())));
    assert_eq!((hits.count(), counts(&circuit)), (3, (0, 3, 0)));
}

#[derive(Clone)]
struct Shared {
    circuit: Circuit,
    client: Client<HttpConnector, Empty<Bytes>>,
    back_end: std::net::SocketAddr,
}

/// Asks the back end; the circuit is in the state, so all requests share it.
async fn gateway(State(shared): State<Shared>, uri: http::Uri) -> Result<Response, Response> {
    let client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(shared.circuit).until_end_of_body())
        .timeout(Duration::from_secs(5))
        .service(shared.client);
    let request = Request::get(format!("http://{}{}", shared.back_end, uri.path())).body(Empty::new());
    let answer = client.oneshot(request.expect("a path makes an address")).await;
    match answer {
        Ok(response) => Ok(response.map(Body::new)),
        Err(error) if Rejected::find(&*error).is_some() => Err(explain(error).await),
        Err(_) => Err(StatusCode::BAD_GATEWAY.into_response()),
    }
}

#[tokio::test]
async fn a_client_in_a_handler_shares_its_circuit_over_all_requests() {
    let (back_end, hits) = back_end().await;
    let ((near, _), (far, clock)) = (circuit(), circuit());
    let client = Client::builder(TokioExecutor::new()).build_http();
    let state = Shared { circuit: far.clone(), client, back_end };
    let layer = CircuitBreakerLayer::http_server(near.clone());
    let server = serve(Router::new().fallback(gateway).with_state(state).layer(layer)).await;
    assert_eq!(statuses(server, ["/200", "/404"]).await, [200, 404]);
    for _ in 0..3 {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(format!("http://{server}/body/breaks").parse().unwrap()).await.unwrap();
        assert!(http_body_util::BodyExt::collect(response.into_body()).await.is_err());
    }
    assert_eq!(ask(server, "/200").await, (503, Some("1".into())));
    assert_eq!((far.state(), hits.count()), (CircuitState::Open, 5));
    clock.advance(SECOND);
    assert_eq!(ask(server, "/200").await.0, 200);
    assert_eq!(far.state(), CircuitState::Closed);
    assert_eq!(near.snapshot().ledger.failed, 1, "the server has answered 503 once");
}

/// hyper clones the service for each request and tears the connection down if it fails, so a server replies.
#[tokio::test]
async fn a_hyper_server_takes_a_tower_service_behind_a_circuit() {
    let (circuit, _clock) = circuit();
    let hits = Hits::default();
    let reached = hits.clone();
    let handler = tower::service_fn(move |_: Request<hyper::body::Incoming>| {
        reached.hit();
        async { Response::builder().status(500).body(Body::from("it fails")) }
    });
    let service = CircuitBreakerLayer::http_server(circuit.clone()).until_end_of_body();
    let service = TowerToHyperService::new(tower::Layer::layer(&service, handler));
    let (listener, server) = listen().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.is_ok()
            });
        }
    });
    assert_eq!(statuses(server, ["/", "/", "/", "/"]).await, [500, 500, 500, 503]);
    assert_eq!((circuit.state(), hits.count()), (CircuitState::Open, 3));
}
