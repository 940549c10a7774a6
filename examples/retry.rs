//! Retries outside a circuit: they hide a server's hiccups, and in an outage they stop.
//!
//! ```sh
//! cargo run --example retry --features retry
//! ```
//!
//! Prints what the users saw and what the server got, for hiccups, for an overload with `Retry-After`, and for an outage;
//! ends after about a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, response::IntoResponse, routing::get};
use http::{Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config,
    retry::{Backoff, Budget, HttpRetry, Retries, RetryConfig},
};

const MS: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Arc::new(Server::default());
    let uri = serve(Arc::clone(&server)).await?;

    let circuit = Circuit::builder("server").config(Config::resilience4j()).build()?;
    let budget = Budget::builder().ratio(0.2).floor(0.0).reserve(10).build()?;
    let config = RetryConfig::new().backoff(Backoff::new(5 * MS, 50 * MS)).max_retry_after(Duration::from_secs(2));
    let retries = Retries::builder().config(config).budget(budget.clone()).circuit(circuit.clone()).build()?;
    let mut client = ServiceBuilder::new()
        .layer(RetryLayer::new(HttpRetry::new(retries).attempt_header("x-attempts-before".parse()?)))
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .timeout(Duration::from_secs(1))
        .service(Client::builder(TokioExecutor::new()).build_http::<String>());

    for (what, calls) in [("hiccup", 100), ("busy", 1), ("outage", 200)] {
        let before = server.hits.swap(0, Ordering::Relaxed);
        assert!(what == "hiccup" || before > 0);
        let (mut good, mut bad) = (0, 0);
        for _ in 0..calls {
            let request = Request::get(format!("{uri}/{what}")).body(String::new())?;
            match client.ready().await?.call(request).await {
                Ok(response) if response.status() == StatusCode::OK => good += 1,
                // The server's own 503, or a rejection.
                Ok(_) | Err(_) => bad += 1,
            }
        }
        let hits = server.hits.load(Ordering::Relaxed);
        println!("{what}: {calls} calls, {good} good and {bad} bad answers, {hits} requests reached the server");
        match what {
            "hiccup" => assert_eq!((good, hits), (100, 110), "each tenth call was tried twice"),
            "busy" => assert_eq!((good, hits), (1, 2), "it came back when it was asked to"),
            _ => assert!(good == 0 && hits < 100 + 50, "the circuit opened, and nothing was tried again"),
        }
    }
    println!("{}\nthe budget has {:.1} retries left", circuit.explain(), budget.balance());
    Ok(())
}

#[derive(Default)]
struct Server {
    hits: AtomicU32,
}

async fn serve(server: Arc<Server>) -> Result<String, BoxError> {
    /// The first attempt of each tenth call fails.
    async fn hiccup(State(server): State<Arc<Server>>, headers: HeaderMap) -> StatusCode {
        let hit = server.hits.fetch_add(1, Ordering::Relaxed);
        if hit % 11 == 9 && !headers.contains_key("x-attempts-before") {
            StatusCode::BAD_GATEWAY
        } else {
            StatusCode::OK
        }
    }
    async fn busy(State(server): State<Arc<Server>>) -> impl IntoResponse {
        let first = server.hits.fetch_add(1, Ordering::Relaxed) == 0;
        (if first { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK }, [("retry-after", "1")])
    }
    async fn outage(State(server): State<Arc<Server>>) -> StatusCode {
        server.hits.fetch_add(1, Ordering::Relaxed);
        StatusCode::SERVICE_UNAVAILABLE
    }
    let app = Router::new().route("/hiccup", get(hiccup)).route("/busy", get(busy)).route("/outage", get(outage));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app.with_state(server)).await });
    Ok(uri)
}
