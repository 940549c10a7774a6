//! Inventory: what was in stock a while ago is better than no shop.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError,
    classify::HttpClassifier,
    fallback::{FallbackLayer, Stale, StaleBody, StaleCache},
    retry::RetryConfig,
    stack::{ServiceBuilderExt, Stack, StackConfig},
};

use crate::{
    client::{self, Call, Client},
    desk::Desk,
    health::Department,
};

/// The age up to which a number is believed.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Looking things up can be done twice.
fn config() -> StackConfig {
    StackConfig::new()
        .total(Duration::from_secs(1))
        .retry(RetryConfig::new().attempts(2).deadline(Duration::from_millis(600)))
        .circuit(client::circuit())
        .attempt(Duration::from_millis(400))
}

/// What is in stock.
pub(crate) struct Stock {
    pub(crate) pieces: u64,
    /// How long ago that was; none if it is of now.
    pub(crate) age: Option<Duration>,
}

/// The client of the inventory.
pub(crate) struct Inventory {
    client: Client<Call>,
    at: SocketAddr,
    pub(crate) department: Department,
}

impl Inventory {
    pub(crate) fn new(at: SocketAddr, desk: &Desk) -> Result<Self, BoxError> {
        let circuit = desk.circuit("inventory", config().circuit)?;
        let stack = Stack::http_client("inventory").config(config()).circuit(circuit).build()?;
        let stale = FallbackLayer::stale(StaleCache::new(1_000, MAX_AGE), |uri, _| Some(uri.path().to_owned()))
            .on_failure(HttpClassifier::new());
        let department = Department::new(&stack, stale.counts());
        let client = ServiceBuilder::new()
            .and_then(client::read::<StaleBody<Full<Bytes>>>)
            .fallback(stale)
            .layer(stack)
            .service(client::http());
        Ok(Self { client: Client::new(client), at, department })
    }

    /// Looks up how many pieces of an item there are.
    ///
    /// # Errors
    ///
    /// The original one, if there was no answer before that could be served.
    pub(crate) async fn look_up(&self, item: u64) -> Result<Stock, BoxError> {
        let answer = self.client.clone().oneshot(client::get(self.at, &format!("/stock/{item}"))).await?;
        if !answer.status().is_success() {
            return Err(format!("inventory answers {}", answer.status()).into());
        }
        let age = answer.extensions().get::<Stale>().map(|stale| stale.age);
        let pieces = std::str::from_utf8(&answer.into_body().collect().await?.to_bytes())?.parse()?;
        Ok(Stock { pieces, age })
    }
}
