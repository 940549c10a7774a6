//! Payment: what is due is charged later, up to a sum; beyond that the customer is told the truth at once.

use std::{net::SocketAddr, time::Duration};

use axum::http::{Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError,
    bulkhead::BulkheadConfig,
    classify::HttpClassifier,
    fallback::FallbackLayer,
    retry::RetryConfig,
    stack::{ServiceBuilderExt, Stack, StackConfig},
};

use crate::{
    client::{self, Client},
    desk::Desk,
    health::Department,
    order::Order,
    outbox::Outbox,
};

/// The largest sum, in cents, for which the shop trusts a stranger.
pub(crate) const CREDIT: u64 = 5_000;

/// A charge is worth a second attempt, and waiting for a place.
fn config() -> StackConfig {
    StackConfig::new()
        .total(Duration::from_millis(1_500))
        .retry(RetryConfig::new().attempts(2).deadline(Duration::from_secs(1)))
        .retry_ratio(0.1)
        .circuit(client::circuit())
        .bulkhead(BulkheadConfig::new(50).queue(50, Duration::from_millis(100)))
        .attempt(Duration::from_millis(500))
}

/// When an order is paid.
pub(crate) enum Paid {
    Later,
    Now,
}

/// The client of the payment department.
pub(crate) struct Payment {
    client: Client<Order>,
    pub(crate) department: Department,
}

impl Payment {
    pub(crate) fn new(at: SocketAddr, desk: &Desk) -> Result<Self, BoxError> {
        let circuit = desk.circuit("payment", config().circuit)?;
        let stack = Stack::http_client("payment").config(config()).circuit(circuit).build()?;
        let direct = ServiceBuilder::new()
            .map_request(move |order| client::post(at, "/charges", order))
            .layer(stack.clone())
            .service(client::http());
        let direct = Client::new(direct);
        let outbox = Outbox::start(direct.clone(), stack.circuit().clone(), |order| order.cents <= CREDIT);
        let later = || Response::builder().status(StatusCode::ACCEPTED).body(Full::default()).expect("it is valid");
        let fallback = FallbackLayer::queue(|order: &Order| *order, outbox.clone(), later)
            .on_failure(HttpClassifier::new())
            .limit(1_000);
        let department = Department::new(&stack, fallback.counts()).outbox(outbox);
        Ok(Self { client: Client::new(ServiceBuilder::new().fallback(fallback).service(direct)), department })
    }

    /// Charges an order.
    ///
    /// # Errors
    ///
    /// The original one, if the sum is too large to be charged later.
    pub(crate) async fn charge(&self, order: Order) -> Result<Paid, BoxError> {
        match self.client.clone().oneshot(order).await?.status() {
            StatusCode::OK => Ok(Paid::Now),
            StatusCode::ACCEPTED => Ok(Paid::Later),
            status => Err(format!("payment answers {status}").into()),
        }
    }
}
