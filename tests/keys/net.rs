//! Over real sockets: one bad tenant of a server, one bad host of a client, and the others go on.

use std::{convert::Infallible, future::Future, net::SocketAddr};

use axum::{Router, extract::Request as AxumRequest, routing};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, KeyedCircuitBreakerLayer, Rejected, State,
    service::{by_header, by_host, key_ref_fn},
};

use super::{SECOND, THREE, registry};

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).retry_canceled_requests(false).build_http()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server that answers each connection with one status.
async fn answering(status: u16) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = hyper::service::service_fn(move |_| async move {
                Ok::<_, Infallible>(Response::builder().status(status).body(Empty::<Bytes>::new()).expect("a response"))
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tokio::spawn(connection);
        }
    });
    address
}

/// An address where nobody listens.
async fn dead() -> SocketAddr {
    listen().await.1
}

async fn statuses<F: Future<Output = StatusCode>>(times: usize, ask: impl Fn() -> F) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(ask().await.as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_server_goes_on_for_the_tenants_that_are_well() {
    let (tenants, clock) = registry(THREE, |builder| builder);
    let others = Circuit::builder("no tenant").config(THREE).build().unwrap();
    let by_tenant = by_header(HeaderName::from_static("x-tenant"));
    let layer = CircuitBreakerLayer::new(others).reply_503().keyed(tenants.clone(), by_tenant);
    let handler = |request: AxumRequest| async move {
        match request.headers().get("x-tenant").map(|tenant| tenant.as_bytes()) {
            Some(b"bad") => StatusCode::INTERNAL_SERVER_ERROR,
            Some(_) | None => StatusCode::OK,
        }
    };
    let server = serve(Router::new().route("/", routing::get(handler)).layer(layer)).await;
    let ask = |tenant: &'static str| async move {
        let request = Request::get(format!("http://{server}/")).header("x-tenant", tenant).body(Empty::new());
        // A new connection each time: the circuits are in the layer.
        client().request(request.expect("a request")).await.expect("an answer").status()
    };
    assert_eq!(statuses(5, || ask("bad")).await, [500, 500, 500, 503, 503]);
    assert_eq!(statuses(5, || ask("good")).await, [200; 5]);
    assert_eq!(ask("bad").await, 503, "the others did not close it");
    clock.advance(SECOND);
    assert_eq!(statuses(2, || ask("bad")).await, [500, 503], "a probe, and it fails");
    assert_eq!(statuses(5, || ask("good")).await, [200; 5]);
}

#[tokio::test]
async fn a_client_goes_on_with_the_hosts_that_are_well() {
    let (hosts, _clock) = registry(THREE, |builder| builder);
    let [well, ill, gone] = [answering(200).await, answering(500).await, dead().await];
    let client = KeyedCircuitBreakerLayer::new(hosts.clone(), by_host()).layer(client());
    let ask = |server: SocketAddr| {
        let request = Request::get(format!("http://{server}/")).body(Empty::<Bytes>::new()).expect("a request");
        let client = client.clone();
        async move { client.oneshot(request).await.map(|response| response.status().as_u16()) }
    };
    let rejected = |error: BoxError| Rejected::find(&*error).is_some();
    for _ in 0..3 {
        assert_eq!(ask(ill).await.unwrap(), 500);
        assert!(!rejected(ask(gone).await.unwrap_err()), "nobody listens");
        assert_eq!(ask(well).await.unwrap(), 200);
    }
    assert!(rejected(ask(ill).await.unwrap_err()) && rejected(ask(gone).await.unwrap_err()));
    assert_eq!(ask(well).await.unwrap(), 200);
    let open = |server: SocketAddr| hosts.find(&server.to_string()).map(|circuit| circuit.state());
    assert_eq!([well, ill, gone].map(open), [Some(State::Closed), Some(State::Open), Some(State::Open)]);
}

#[tokio::test]
async fn a_route_of_axum_is_a_key() {
    use axum::extract::MatchedPath;
    let (routes, _clock) = registry(THREE, |builder| builder);
    let by_route = key_ref_fn(|request: &AxumRequest| request.extensions().get().map(MatchedPath::as_str));
    let none = Circuit::builder("no route").build().unwrap();
    let layer = CircuitBreakerLayer::new(none).reply_503().keyed(routes.clone(), by_route);
    let app = Router::new()
        .route("/bad/{id}", routing::get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/good/{id}", routing::get(|| async { StatusCode::OK }))
        .route_layer(layer);
    let server = serve(app).await;
    let ask = |path: &'static str| async move {
        let request = Request::get(format!("http://{server}{path}")).body(Empty::new()).expect("a request");
        client().request(request).await.expect("an answer").status()
    };
    assert_eq!(statuses(2, || ask("/bad/1")).await, [502, 502]);
    assert_eq!(statuses(2, || ask("/bad/2")).await, [502, 503], "one route, whatever is in it");
    assert_eq!(statuses(2, || ask("/good/1")).await, [200, 200]);
    assert_eq!(routes.find("/bad/{id}").map(|circuit| circuit.state()), Some(State::Open));
}

/// HTTP/1.1 sends the host in a header; whoever it says it is, is known by it, and in small letters.
#[tokio::test]
async fn a_server_that_serves_many_hosts_knows_them_by_their_header() {
    let (hosts, _clock) = registry(THREE, |builder| builder);
    let handler = |request: AxumRequest| async move {
        if request.headers()["host"] == "bad.test" { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    };
    let none = Circuit::builder("no host").build().unwrap();
    let layer = CircuitBreakerLayer::new(none).reply_503().keyed(hosts.clone(), by_host());
    let server = serve(Router::new().route("/", routing::get(handler)).layer(layer)).await;
    let ask = |host: &'static str| async move {
        let request = Request::get(format!("http://{server}/")).header("host", host).body(Empty::new());
        let mut client = client();
        let client: &mut HttpClient = client.ready().await.expect("it is always ready");
        client.call(request.expect("a request")).await.expect("an answer").status()
    };
    assert_eq!(statuses(4, || ask("bad.test")).await, [502, 502, 502, 503]);
    assert_eq!(statuses(2, || ask("good.test")).await, [200, 200]);
    assert_eq!(statuses(2, || ask("GOOD.test")).await, [200, 200]);
    assert_eq!(hosts.find("good.test").expect("there").snapshot().ledger.succeeded, 4);
}
