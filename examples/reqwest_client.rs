//! A client of reqwest behind a circuit: errors, bad answers, and bodies that break off after a good head.
//!
//! ```sh
//! cargo run --example reqwest_client --features reqwest
//! ```
//!
//! Prints how each call ends: five bodies break off, then the circuit is open.

use axum::{Router, body::Body, routing::get};
use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, Request};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Config, Rejected, State, config::Consecutive};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/report", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, Router::new().route("/report", get(half_a_report))).await });

    // The defaults suit a client with traffic; a run of five is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(5));
    let circuit = Circuit::builder("reports").config(config).build()?;
    let client = Client::builder().no_proxy().build()?;
    let mut client = CircuitBreakerLayer::http_client(circuit.clone()).until_end_of_body().layer(client);

    let mut broken = 0;
    for _ in 0..8 {
        match client.ready().await?.call(Request::new(Method::GET, url.parse()?)).await {
            // It is reqwest's own response, with all its methods.
            Ok(response) => {
                let status = response.status();
                let text = response.text().await;
                println!("{status}, and then: {}", text.as_ref().expect_err("half of it is missing"));
                broken += 1;
            }
            Err(error) => println!("{}", Rejected::find(&*error).expect("nothing else fails")),
        }
    }
    println!("{}", circuit.explain());

    assert_eq!((broken, circuit.state()), (5, State::Open));
    Ok(())
}

async fn half_a_report() -> Body {
    let first = stream::iter([Ok("the first half")]);
    // A step later, so that the head is sent before.
    let then = stream::once(async {
        tokio::task::yield_now().await;
        Err("the disk is gone")
    });
    Body::from_stream(first.chain(then))
}
