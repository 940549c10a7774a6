//! A bare hyper server behind a circuit, through hyper-util's `TowerToHyperService`.
//!
//! ```sh
//! cargo run --example hyper_server
//! ```
//!
//! Prints the status of six calls, each over a connection of its own: `500` three times, then `503`. hyper closes the
//! connection on a service that fails, so a rejection must be an answer, as `http_server` makes it.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Config, State, config::Consecutive};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The defaults suit a server with traffic; a run of three is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(3));
    let circuit = Circuit::builder("pages").config(config).build()?;
    // Made once, and cloned for each connection; clones share the circuit in any case.
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_server(circuit.clone()).until_end_of_body())
        .service(service_fn(page));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.is_ok()
            });
        }
    });

    let mut statuses = Vec::new();
    for _ in 0..6 {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(uri.parse()?).await?;
        println!("{}, Retry-After: {:?}", response.status(), response.headers().get(RETRY_AFTER));
        statuses.push(response.status().as_u16());
    }
    println!("{}", circuit.explain());

    assert_eq!(statuses, [500, 500, 500, 503, 503, 503]);
    assert_eq!(circuit.state(), State::Open);
    Ok(())
}

async fn page(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("the disk is gone"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}
