//! One circuit for each tenant of a server: the bad one is stopped, the others go on.
//!
//! `cargo run --example keyed` serves on loopback, calls itself as three tenants, and ends by itself. It prints
//!
//! ```text
//! acme      200 200 200 200 200 200
//! initech   500 500 500 503 503 503
//! umbrella  200 200 200 200 200 200
//! initech: open: 3 failures in a row over 393.5µs, 3 open it; the next probe may go in 244.0ms
//! ```

use std::{error::Error, net::SocketAddr};

use axum::{Router, extract::Request, routing};
use http::{HeaderName, StatusCode};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_breaker::{Circuit, CircuitBreakerLayer, Config, Mode, Registry, config::Consecutive, service::by_header};

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let tenants = Registry::by_key("tenants")
        .config(Config::new().consecutive_failures(Consecutive::new(3)))
        .capacity(1_000)
        .each(|tenant: &String, circuit| match tenant.as_str() {
            // A customer whose contract says so is only watched.
            "umbrella" => circuit.mode(Mode::MetricsOnly),
            _ => circuit,
        })
        .build()?;
    // Requests without a tenant have a circuit too.
    let others = Circuit::builder("no tenant").build()?;
    let layer = CircuitBreakerLayer::new(others).reply_503().keyed(tenants.clone(), by_header(TENANT));

    let app = Router::new().route("/", routing::get(handler)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });

    for (tenant, expected) in [("acme", 200), ("initech", 503), ("umbrella", 200)] {
        let statuses = ask(server, tenant).await?;
        println!("{tenant:9} {}", statuses.join(" "));
        assert_eq!(statuses.last(), Some(&expected.to_string()));
    }
    for (tenant, circuit) in tenants.circuits() {
        if circuit.check().is_err() {
            println!("{tenant}: {}", circuit.explain());
        }
    }
    Ok(())
}

/// The work for one tenant cannot be done.
async fn handler(request: Request) -> StatusCode {
    match request.headers().get(TENANT) {
        Some(tenant) if tenant == "initech" => StatusCode::INTERNAL_SERVER_ERROR,
        Some(_) | None => StatusCode::OK,
    }
}

async fn ask(server: SocketAddr, tenant: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let request = http::Request::get(format!("http://{server}/")).header(TENANT, tenant).body(Empty::new())?;
        statuses.push(client.request(request).await?.status().as_u16().to_string());
    }
    Ok(statuses)
}
