//! The places for a circuit in an axum server: a handler, the routes, everything with errors, and the client in a handler.
//!
//! ```sh
//! cargo run --example axum_places
//! ```
//!
//! Prints what each circuit has seen after the same few requests.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::State,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, timeout::error::Elapsed};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Config, Rejected, config::Consecutive};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let back_end = serve(Router::new().route("/stock", get(|| async { StatusCode::BAD_GATEWAY }))).await?;
    let [search, stock, routes, all] =
        [circuit("search", 3)?, circuit("stock", 3)?, circuit("routes", 20)?, circuit("all", 20)?];

    let client = Client::builder(TokioExecutor::new()).build_http();
    let app = Router::new()
        // One handler, which fails alone.
        .route(
            "/search",
            get(|| async { StatusCode::BAD_GATEWAY }).layer(CircuitBreakerLayer::http_server(search.clone())),
        )
        // The client of a back end; its circuit is in the state, so that all requests share it.
        .route("/stock", get(in_stock).with_state(Stock { client, circuit: stock.clone(), back_end }))
        // All routes, but not what no route takes.
        .route_layer(CircuitBreakerLayer::http_server(routes.clone()))
        // Everything, with errors in place of answers: whoever puts a timeout inside must turn errors into answers anyway.
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(explain))
                .layer(CircuitBreakerLayer::new(all.clone()))
                .timeout(Duration::from_secs(5)),
        );
    let server = serve(app).await?;

    for path in ["/nowhere", "/search", "/search", "/search", "/search", "/stock", "/stock", "/stock", "/stock"] {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(format!("http://{server}{path}").parse()?).await?;
        println!("{} {path}", response.status());
    }
    let failed = [&search, &stock, &routes, &all].map(|circuit| {
        let ledger = circuit.snapshot().ledger;
        println!(
            "{:>6}: {} failed, {} ignored, {} rejected",
            circuit.name(),
            ledger.failed,
            ledger.ignored,
            ledger.rejected
        );
        ledger.failed
    });
    // What a circuit further in rejects is ignored further out; the 503 that a handler makes of an error is a failure.
    assert_eq!(failed, [3, 3, 7, 7]);
    Ok(())
}

/// The defaults suit a server with traffic; a run of a few is enough for an example with a handful of calls.
fn circuit(name: &str, failures: u32) -> Result<Circuit, BoxError> {
    let config = Config::without_rules().consecutive_failures(Consecutive::new(failures));
    Ok(Circuit::builder(name).config(config).build()?)
}

async fn serve(app: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

#[derive(Clone)]
struct Stock {
    client: Client<HttpConnector, Empty<Bytes>>,
    circuit: Circuit,
    back_end: SocketAddr,
}

async fn in_stock(State(stock): State<Stock>) -> Response {
    let client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(stock.circuit).until_end_of_body())
        .timeout(Duration::from_secs(1))
        .service(stock.client);
    let request = Request::get(format!("http://{}/stock", stock.back_end)).body(Empty::new());
    match client.oneshot(request.expect("an address")).await {
        Ok(response) => response.map(Body::new),
        Err(error) => explain(error).await,
    }
}

async fn explain(error: BoxError) -> Response {
    match Rejected::find(&*error) {
        Some(rejected) => (StatusCode::SERVICE_UNAVAILABLE, rejected.to_string()).into_response(),
        None if error.is::<Elapsed>() => StatusCode::GATEWAY_TIMEOUT.into_response(),
        None => StatusCode::BAD_GATEWAY.into_response(),
    }
}
