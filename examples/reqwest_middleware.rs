//! A client of reqwest-middleware, whose chain is no tower: the circuit's own handle goes in.
//!
//! ```sh
//! cargo run --example reqwest_middleware --features reqwest
//! ```
//!
//! Prints how each call ends: five times 503, then the circuit is open.

use axum::{Router, routing::get};
use http::{Extensions, StatusCode};
use reqwest::{Client, Request, Response};
use reqwest_middleware::{ClientBuilder, Error, Middleware, Next, Result};
use tokio::net::TcpListener;
use tower_breaker::{
    BoxError, CallError, Circuit, Config, Outcome, Rejected, State,
    classify::{Classifier, HttpClassifier},
    config::Consecutive,
};

/// Put it after retries (`.with(retry).with(Breaker(circuit))`), so that it sees each try.
struct Breaker(Circuit);

#[async_trait::async_trait]
impl Middleware for Breaker {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        self.0.call_with(next.run(request, extensions), judge).await.map_err(|error| match error {
            CallError::Failed(error) => error,
            CallError::Rejected(rejected) => Error::middleware(rejected),
        })
    }
}

fn judge(result: &Result<Response>) -> Outcome {
    HttpClassifier::new().classify(match result {
        Ok(response) => Ok(response),
        Err(Error::Reqwest(error)) => Err(error),
        // Of a middleware further in: the request has not come as far as the dependency.
        Err(Error::Middleware(_)) => return Outcome::Ignored,
    })
}

#[tokio::main]
async fn main() -> std::result::Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let app = Router::new().route("/", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    tokio::spawn(async { axum::serve(listener, app).await });

    // The defaults suit a client with traffic; a run of five is enough for an example with a handful of calls.
    let config = Config::new().consecutive_failures(Consecutive::new(5));
    let circuit = Circuit::builder("reports").config(config).build()?;
    let client = ClientBuilder::new(Client::builder().no_proxy().build()?).with(Breaker(circuit.clone())).build();

    let mut answers = 0;
    for _ in 0..8 {
        match client.get(&url).send().await {
            Ok(response) => {
                println!("{}", response.status());
                answers += 1;
            }
            Err(Error::Middleware(error)) => println!("{}", Rejected::find(&*error).expect("nothing else fails")),
            Err(Error::Reqwest(error)) => return Err(error.into()),
        }
    }

    assert_eq!((answers, circuit.state()), (5, State::Open));
    Ok(())
}
