//! What customers saw, counted.

use std::time::Duration;

use crate::{
    customers::{Answer, Seen},
    order::Receipt,
};

/// The answers of a phase.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) orders: usize,
    pub(crate) placed: usize,
    /// Placed, and all went its usual way.
    pub(crate) usual: usize,
    pub(crate) mailed_later: usize,
    pub(crate) stale_stock: usize,
    /// The age of the oldest, in milliseconds.
    pub(crate) oldest_stock: u64,
    pub(crate) default_shipping: usize,
    pub(crate) charged_later: usize,
    pub(crate) refused: usize,
    pub(crate) lost: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Figures {
    pub(crate) fn new(seen: &[Seen]) -> Self {
        let mut waits: Vec<_> = seen.iter().map(|one| one.waited).collect();
        waits.sort_unstable();
        let quantile =
            |hundredths: usize| waits.get((waits.len() * hundredths / 100).min(waits.len().saturating_sub(1)));
        let wait = |hundredths| quantile(hundredths).copied().unwrap_or_default();
        let mut figures = Self { orders: seen.len(), p50: wait(50), p99: wait(99), ..Self::default() };
        for one in seen {
            match &one.answer {
                Answer::Lost(_) => figures.lost += 1,
                Answer::Placed(receipt) => figures.place(receipt),
                Answer::Refused => figures.refused += 1,
            }
        }
        figures
    }

    fn place(&mut self, receipt: &Receipt) {
        self.placed += 1;
        self.usual += usize::from(receipt.is_usual());
        self.mailed_later += usize::from(receipt.mailed_later);
        self.stale_stock += usize::from(receipt.stock_age.is_some());
        self.oldest_stock = self.oldest_stock.max(receipt.stock_age.unwrap_or_default());
        self.default_shipping += usize::from(receipt.default_shipping);
        self.charged_later += usize::from(receipt.charged_later);
    }
}
