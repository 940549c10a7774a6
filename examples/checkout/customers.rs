//! The customers: orders on a schedule, whatever becomes of those before, and what they were told.

use std::{net::SocketAddr, pin::pin, time::Duration};

use axum::http::{Request, StatusCode, header::RETRY_AFTER};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};
use tower_breaker::BoxError;

use crate::{
    clock,
    health::Health,
    order::{Order, Receipt},
    payment::CREDIT,
};

/// How often there is an order: 50 in a second.
const EVERY: Duration = Duration::from_millis(20);
/// How long a customer waits. All that the shop asks has a total timeout: 1 s, then 1.5 s, then 0.5 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
const ITEMS: u64 = 20;

/// What became of an order.
pub(crate) struct Seen {
    pub(crate) order: Order,
    pub(crate) waited: Duration,
    pub(crate) answer: Answer,
}

/// What a customer was told.
pub(crate) enum Answer {
    /// Nothing in time, a broken connection, or something that makes no sense.
    Lost(String),
    Placed(Receipt),
    /// A `503` that says when to come back.
    Refused,
}

/// All customers of the shop.
pub(crate) struct Customers {
    customer: Customer,
    orders: u64,
}

#[derive(Clone)]
struct Customer {
    client: Client<HttpConnector, Full<Bytes>>,
    shop: SocketAddr,
}

impl Customers {
    pub(crate) fn new(shop: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { customer: Customer { client, shop }, orders: 0 }
    }

    /// Sends orders until `over` ends, and waits for all answers.
    pub(crate) async fn come<T>(&mut self, over: impl Future<Output = T>) -> Result<(Vec<Seen>, T), BoxError> {
        let mut over = pin!(over);
        let mut due = interval(EVERY);
        let mut under_way = JoinSet::new();
        let ended = loop {
            tokio::select! {
                ended = &mut over => break ended,
                _ = due.tick() => {
                    let customer = self.customer.clone();
                    let order = self.next();
                    under_way.spawn(async move { customer.order(order).await });
                }
            }
        };
        let mut seen = Vec::new();
        while let Some(one) = under_way.join_next().await {
            seen.push(one?);
        }
        Ok((seen, ended))
    }

    /// Every fourth order is a large one.
    fn next(&mut self) -> Order {
        self.orders += 1;
        let number = self.orders;
        let cents = if number % 4 == 0 { 4 * CREDIT } else { CREDIT / 2 };
        Order { number, item: number % ITEMS, cents }
    }
}

impl Customer {
    async fn order(&self, order: Order) -> Seen {
        let sent = clock::now();
        let answer = match timeout(PATIENCE, self.ask(order)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::Lost(error.to_string()),
            Err(_) => Answer::Lost("no answer in time".into()),
        };
        Seen { order, waited: clock::now() - sent, answer }
    }

    async fn ask(&self, order: Order) -> Result<Answer, BoxError> {
        let request = Request::post(format!("http://{}/orders", self.shop));
        let response = self.client.request(request.body(Full::from(serde_json::to_vec(&order)?))?).await?;
        let (status, says_when) = (response.status(), response.headers().contains_key(RETRY_AFTER));
        let body = response.into_body().collect().await?.to_bytes();
        let words = || String::from_utf8_lossy(&body).into_owned();
        Ok(match status {
            StatusCode::OK => {
                let receipt: Receipt = serde_json::from_slice(&body)?;
                if receipt.number == order.number {
                    Answer::Placed(receipt)
                } else {
                    Answer::Lost("somebody else's receipt".into())
                }
            }
            StatusCode::SERVICE_UNAVAILABLE if says_when => Answer::Refused,
            status => Answer::Lost(format!("{status} {}", words())),
        })
    }
}

/// Somebody who looks at `/health` over the network, as a dashboard does.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: Client<HttpConnector, Full<Bytes>>,
    shop: SocketAddr,
}

impl Visitor {
    pub(crate) fn new(shop: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), shop }
    }

    pub(crate) async fn health(&self) -> Result<Health, BoxError> {
        let request = Request::get(format!("http://{}/health", self.shop)).body(Full::default())?;
        let answer = async { Ok::<_, BoxError>(self.client.request(request).await?.into_body().collect().await?) };
        let body = timeout(PATIENCE, answer).await??.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}
