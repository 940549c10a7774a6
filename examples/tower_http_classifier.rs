//! One classifier of tower-http for the log of a `TraceLayer` and for a circuit, so that they agree.
//!
//! ```sh
//! cargo run --example tower_http_classifier --features tower-http
//! ```
//!
//! Prints the log line of each failed answer and the status of five calls: `507` three times, then `503`.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Outcome, State, classify::TowerHttp, config::Consecutive,
};
use tower_http::{
    classify::{ServerErrorsAsFailures, ServerErrorsFailureClass},
    trace::TraceLayer,
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().with_ansi(false).init();

    // The defaults suit a server with traffic; a run of three is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(3));
    let circuit = Circuit::builder("uploads").config(config).build()?;

    let make = ServerErrorsAsFailures::make_classifier();
    // tower-http knows failures only; 501 says nothing about the health of a server.
    let by_class = TowerHttp::new(make.clone(), |class| match class {
        ServerErrorsFailureClass::StatusCode(StatusCode::NOT_IMPLEMENTED) => Outcome::Ignored,
        ServerErrorsFailureClass::StatusCode(_) | ServerErrorsFailureClass::Error(_) => Outcome::failure(),
    });
    let app = Router::new()
        .route("/", get(|| async { StatusCode::INSUFFICIENT_STORAGE }))
        .route("/planned", get(|| async { StatusCode::NOT_IMPLEMENTED }))
        .layer(
            ServiceBuilder::new()
                .layer(TraceLayer::new(make))
                .layer(CircuitBreakerLayer::http_server(circuit.clone()).classify(by_class)),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });

    let mut statuses = Vec::new();
    for path in ["/planned", "/", "/", "/", "/"] {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        statuses.push(client.get(format!("http://{server}{path}").parse()?).await?.status().as_u16());
    }
    println!("{statuses:?}");

    assert_eq!(statuses, [501, 507, 507, 507, 503]);
    assert_eq!(circuit.state(), State::Open);
    Ok(())
}
