//! A client of reqwest-middleware, whose chain is no tower: the circuit's own handle goes in.

use http::Extensions;
use reqwest::{Client, Request, Response};
use reqwest_middleware::{ClientBuilder, Error, Middleware, Next, Result};
use tower_breaker::{
    CallError, Circuit, Outcome, Rejected, State,
    classify::{Classifier, HttpClassifier},
};

use crate::support::{SECOND, back_end, circuit, counts, listen};

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
        // Another middleware further in: it has not come as far as the dependency.
        Err(Error::Middleware(_)) => return Outcome::Ignored,
    })
}

#[tokio::test]
async fn the_core_handle_guards_a_client_of_reqwest_middleware() {
    let (server, hits) = back_end().await;
    let (circuit, clock) = circuit();
    let client =
        ClientBuilder::new(Client::builder().no_proxy().build().unwrap()).with(Breaker(circuit.clone())).build();
    let get = |path: &str| client.get(format!("http://{server}{path}")).send();
    for _ in 0..3 {
        assert_eq!(get("/503").await.unwrap().status(), 503);
    }
    let Err(Error::Middleware(error)) = get("/200").await else { panic!("it is open") };
    assert!(Rejected::find(&*error).is_some());
    assert_eq!(hits.count(), 3);
    clock.advance(7 * SECOND);
    assert_eq!(get("/200").await.unwrap().status(), 200);
    assert_eq!(circuit.state(), State::Closed);
    get("/404").await.unwrap();
    get("/loop").await.unwrap_err();
    assert_eq!(counts(&circuit), (1, 3, 2));
    let (listener, closed) = listen().await;
    drop(listener);
    client.get(format!("http://{closed}/")).send().await.unwrap_err();
    assert_eq!(counts(&circuit), (1, 4, 2));
}
