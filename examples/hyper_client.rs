//! A hyper client behind a circuit: it stops calling a server that fails, and comes back by itself.
//!
//! ```sh
//! cargo run --example hyper_client
//! ```
//!
//! Prints each answer, the rejection in between, and what the circuit says of itself; ends after about 2 s.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Config, Rejected, State, config::Consecutive};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Arc::new(Server { broken: AtomicBool::new(true), calls: AtomicU32::new(0) });
    let uri = serve(Arc::clone(&server)).await?;

    // The defaults suit a service with traffic; a run of five is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(5));
    let circuit = Circuit::builder("server").config(config).build()?;
    let mut client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .timeout(Duration::from_secs(1))
        .service(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>());
    let request = || Request::get(&uri).body(Empty::new());

    // The server is broken: five failures open the circuit.
    let rejected = loop {
        match client.ready().await?.call(request()?).await {
            Ok(response) => println!("the server answered {}", response.status()),
            Err(error) => break Rejected::find(&*error).cloned().ok_or(error)?,
        }
    };
    println!("not called: {rejected}");
    println!("{}", circuit.explain());
    assert_eq!(server.calls.load(Ordering::Relaxed), 5, "the sixth call was not made");
    assert_eq!(circuit.state(), State::Open);

    // The server is repaired: a probe finds out, and after a probation of a second the circuit is closed.
    server.broken.store(false, Ordering::Relaxed);
    circuit.until_ready().await;
    while circuit.state() != State::Closed {
        let response = client.ready().await?.call(request()?).await?;
        println!("the server answered {}, the circuit is {}", response.status(), circuit.state());
        assert_eq!(response.status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{}", circuit.explain());
    Ok(())
}

struct Server {
    broken: AtomicBool,
    calls: AtomicU32,
}

impl Server {
    fn answer(&self) -> StatusCode {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    }
}

async fn serve(server: Arc<Server>) -> Result<String, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/", get(|| async move { server.answer() }));
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(uri)
}
