//! What customers send, and what they are told.

use serde::{Deserialize, Serialize};

/// An order: the number is the customer's, and goes along to every department, so that none carries it out twice.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) item: u64,
    pub(crate) cents: u64,
}

/// The answer to an order that was placed: what was done, and what was done otherwise than usual.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Receipt {
    pub(crate) number: u64,
    /// How old what we know of the stock is, in milliseconds; none if it is of now.
    pub(crate) stock_age: Option<u64>,
    pub(crate) shipping_cents: u64,
    /// The price of shipping is the usual one, not one that was asked for.
    pub(crate) default_shipping: bool,
    pub(crate) charged_later: bool,
    pub(crate) mailed_later: bool,
}

impl Receipt {
    /// Whether everything went its usual way.
    pub(crate) fn is_usual(&self) -> bool {
        self.stock_age.is_none() && !self.default_shipping && !self.charged_later && !self.mailed_later
    }
}
