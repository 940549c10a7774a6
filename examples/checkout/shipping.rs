//! Shipping: without a quote the shop charges what it usually is.

use std::{net::SocketAddr, time::Duration};

use axum::http::Response;
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError,
    classify::HttpClassifier,
    fallback::{FallbackLayer, FallenBack},
    stack::{ServiceBuilderExt, Stack, StackConfig},
};

use crate::{
    client::{self, Call, Client},
    desk::Desk,
    health::Department,
};

/// The default is good enough, so nobody waits long or twice.
fn config() -> StackConfig {
    StackConfig::new()
        .total(Duration::from_millis(400))
        .retry(None)
        .circuit(client::circuit())
        .attempt(Duration::from_millis(300))
}

/// What shipping costs.
pub(crate) struct Quote {
    pub(crate) cents: u64,
    pub(crate) is_default: bool,
}

/// The client of the shipping department.
pub(crate) struct Shipping {
    client: Client<Call>,
    at: SocketAddr,
    pub(crate) department: Department,
}

impl Shipping {
    pub(crate) fn new(at: SocketAddr, desk: &Desk) -> Result<Self, BoxError> {
        let circuit = desk.circuit("shipping", config().circuit)?;
        let stack = Stack::http_client("shipping").config(config()).circuit(circuit).build()?;
        let usual = FallbackLayer::value(Response::new(Full::from("490"))).on_failure(HttpClassifier::new()).mark();
        let department = Department::new(&stack, usual.counts());
        let client = ServiceBuilder::new().fallback(usual).layer(stack).service(client::http());
        Ok(Self { client: Client::new(client), at, department })
    }

    /// Asks what it costs to ship an item.
    ///
    /// # Errors
    ///
    /// If the answer is no number of cents.
    pub(crate) async fn quote(&self, item: u64) -> Result<Quote, BoxError> {
        let answer = self.client.clone().oneshot(client::get(self.at, &format!("/quotes/{item}"))).await?;
        let is_default = answer.extensions().get::<FallenBack>().is_some();
        let cents = std::str::from_utf8(&answer.into_body().collect().await?.to_bytes())?.parse()?;
        Ok(Quote { cents, is_default })
    }
}
