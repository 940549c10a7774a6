//! The settings of retries: the table `retry` of a circuit.

use super::{CircuitSettings, fields::Fields};
use crate::{
    config::Fault,
    retry::{RetryConfig, Spread},
};

const SPREADS: [(&str, Spread); 3] =
    [("decorrelated", Spread::Decorrelated), ("equal", Spread::Equal), ("full", Spread::Full)];

/// What a table says of retries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Retry(RetryConfig);

impl CircuitSettings {
    /// Returns the numbers of retries: those of the table `retry`, or the defaults.
    ///
    /// They are those at the time of reading; [`Retries`](crate::retry::Retries) that are there keep theirs.
    pub const fn retry(&self) -> RetryConfig {
        self.retry.0
    }
}

impl Retry {
    pub(super) fn lay_over(&mut self, fields: &mut Fields<'_, '_>) {
        let Some(mut table) = fields.table("retry") else { return };
        table.set("attempts", &mut self.0.attempts);
        if let Some(mut backoff) = table.table("backoff") {
            backoff.set("base", &mut self.0.backoff.base);
            backoff.set("factor", &mut self.0.backoff.factor);
            backoff.set("max", &mut self.0.backoff.max);
            if let Some(spread) = backoff.word("spread", &SPREADS) {
                self.0.backoff.spread = spread;
            }
            backoff.end();
        }
        table.set("deadline", &mut self.0.deadline);
        table.set("max_retry_after", &mut self.0.max_retry_after);
        table.set("timeout_cost", &mut self.0.timeout_cost);
        table.end();
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let faults = self.0.check().err().map(|error| error.faults().to_vec()).unwrap_or_default();
        faults.into_iter().map(|fault| fault.below("retry")).collect()
    }
}
