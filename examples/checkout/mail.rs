//! E-mail: a confirmation that cannot be sent now waits in a queue.

use std::{net::SocketAddr, time::Duration};

use axum::http::{Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError,
    classify::HttpClassifier,
    config::Consecutive,
    fallback::FallbackLayer,
    stack::{ServiceBuilderExt, Stack, StackConfig},
};

use crate::{
    client::{self, Client},
    desk::Desk,
    health::Department,
    order::Order,
    outbox::Outbox,
};

/// The queue tries again, so nobody waits for a second attempt, and five failures in a row are enough.
fn config() -> StackConfig {
    StackConfig::new()
        .total(Duration::from_millis(500))
        .retry(None)
        .circuit(client::circuit().consecutive_failures(Consecutive::new(5)))
        .attempt(Duration::from_millis(400))
}

/// When a mail is sent.
pub(crate) enum Sent {
    Later,
    Now,
}

/// The client of the e-mail department.
pub(crate) struct Mail {
    client: Client<Order>,
    pub(crate) department: Department,
}

impl Mail {
    pub(crate) fn new(at: SocketAddr, desk: &Desk) -> Result<Self, BoxError> {
        let circuit = desk.circuit("e-mail", config().circuit)?;
        let stack = Stack::http_client("e-mail").config(config()).circuit(circuit).build()?;
        let direct = ServiceBuilder::new()
            .map_request(move |order| client::post(at, "/mails", order))
            .layer(stack.clone())
            .service(client::http());
        let direct = Client::new(direct);
        let outbox = Outbox::start(direct.clone(), stack.circuit().clone(), |_| true);
        let later = || Response::builder().status(StatusCode::ACCEPTED).body(Full::default()).expect("it is valid");
        let fallback = FallbackLayer::queue(|order: &Order| *order, outbox.clone(), later)
            .on_failure(HttpClassifier::new())
            .limit(1_000);
        let department = Department::new(&stack, fallback.counts()).outbox(outbox);
        Ok(Self { client: Client::new(ServiceBuilder::new().fallback(fallback).service(direct)), department })
    }

    /// Sends the confirmation of an order.
    ///
    /// # Errors
    ///
    /// The original one, if the queue is full.
    pub(crate) async fn confirm(&self, order: Order) -> Result<Sent, BoxError> {
        match self.client.clone().oneshot(order).await?.status() {
            StatusCode::OK => Ok(Sent::Now),
            StatusCode::ACCEPTED => Ok(Sent::Later),
            status => Err(format!("e-mail answers {status}").into()),
        }
    }
}
