//! An axum server that answers 503 with `Retry-After` for handlers that fail, in place of trying them again and again.
//!
//! ```sh
//! cargo run --example axum_server
//! ```
//!
//! Prints the status of eight calls, each over a connection of its own: `500` five times, then `503`. axum makes the
//! service anew for each route and connection; the state is in the layer, so all of them share one circuit.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{StatusCode, header::RETRY_AFTER};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Config, State, config::Consecutive};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The defaults suit a server with traffic; a run of five is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(5));
    let circuit = Circuit::builder("orders").config(config).build()?;

    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let fail = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { StatusCode::INTERNAL_SERVER_ERROR }
    };
    let router = Router::new()
        .route("/orders", get(fail.clone()))
        .route("/invoices", get(fail))
        .layer(CircuitBreakerLayer::new(circuit.clone()).reply_503());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, router).await });

    let mut statuses = Vec::new();
    for path in ["orders", "invoices"].into_iter().cycle().take(8) {
        // A new client, so a new connection.
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(format!("http://{address}/{path}").parse()?).await?;
        let retry_after = response.headers().get(RETRY_AFTER).map(|seconds| seconds.to_str()).transpose()?;
        println!("{} /{path}, Retry-After: {}", response.status(), retry_after.unwrap_or("none"));
        assert_eq!(retry_after.is_some(), response.status() == StatusCode::SERVICE_UNAVAILABLE);
        statuses.push(response.status().as_u16());
    }
    println!("{}", circuit.explain());

    assert_eq!(statuses, [500, 500, 500, 500, 500, 503, 503, 503]);
    assert_eq!(calls.load(Ordering::Relaxed), 5, "the handlers were spared");
    assert_eq!(circuit.state(), State::Open);
    Ok(())
}
