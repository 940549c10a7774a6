//! The shop: an axum server that takes orders, and asks four departments to carry them out.
//!
//! With the four files of the departments it is what to read for how the crate is used; all else breaks things and looks.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;
use tower_breaker::{BoxError, Rejected};

use crate::{
    back_end::Addresses,
    desk::Desk,
    health::Health,
    inventory::Inventory,
    mail::{Mail, Sent},
    order::{Order, Receipt},
    payment::{Paid, Payment},
    shipping::Shipping,
};

/// The clients of all departments.
pub(crate) struct Shop {
    inventory: Inventory,
    mail: Mail,
    payment: Payment,
    shipping: Shipping,
}

impl Shop {
    /// Its circuits are seen at the desk.
    pub(crate) fn new(at: &Addresses, desk: &Desk) -> Result<Self, BoxError> {
        Ok(Self {
            inventory: Inventory::new(at.inventory, desk)?,
            mail: Mail::new(at.mail, desk)?,
            payment: Payment::new(at.payment, desk)?,
            shipping: Shipping::new(at.shipping, desk)?,
        })
    }

    /// Opens the shop to customers.
    pub(crate) async fn open(self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router =
            Router::new().route("/orders", post(take)).route("/health", get(health)).with_state(Arc::new(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    /// Carries an order out, as far as that can be done now.
    async fn carry_out(&self, order: Order) -> Result<Receipt, BoxError> {
        let (stock, quote) = tokio::join!(self.inventory.look_up(order.item), self.shipping.quote(order.item));
        let (stock, quote) = (stock?, quote?);
        if stock.pieces == 0 {
            return Err("it is sold out".into());
        }
        let paid = self.payment.charge(order).await?;
        let sent = self.mail.confirm(order).await?;
        Ok(Receipt {
            number: order.number,
            stock_age: stock.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            shipping_cents: quote.cents,
            default_shipping: quote.is_default,
            charged_later: match paid {
                Paid::Later => true,
                Paid::Now => false,
            },
            mailed_later: match sent {
                Sent::Later => true,
                Sent::Now => false,
            },
        })
    }
}

async fn take(State(shop): State<Arc<Shop>>, body: Bytes) -> Response {
    let Ok(order) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    match shop.carry_out(order).await {
        Ok(receipt) => json(&receipt),
        Err(error) => refuse(&error),
    }
}

/// Tells the customer that the order was not taken, and when to come back.
fn refuse(error: &BoxError) -> Response {
    let wait = Rejected::find(&**error).and_then(Rejected::retry_after).unwrap_or_default();
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    let words = format!("we cannot take this order now: {error}");
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)], words).into_response()
}

async fn health(State(shop): State<Arc<Shop>>) -> Response {
    let Shop { inventory, mail, payment, shipping } = &*shop;
    let departments = [&inventory.department, &mail.department, &payment.department, &shipping.department];
    json(&Health::new(departments))
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
