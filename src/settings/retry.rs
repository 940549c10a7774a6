//! The settings of retries: the table `retry` of a circuit.

use super::{CircuitSettings, circuit::rule, fields::Fields};
use crate::{
    config::Fault,
    retry::{Budget, RetryConfig, Spread},
};

const SPREADS: [(&str, Spread); 3] =
    [("decorrelated", Spread::Decorrelated), ("equal", Spread::Equal), ("full", Spread::Full)];

/// What a table says of retries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Retry(Option<Numbers>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Numbers {
    config: RetryConfig,
    ratio: f64,
}

/// NOTE: the ratio is that of `Budget` and of `StackConfig`.
const DEFAULT: Numbers = Numbers { config: RetryConfig::new(), ratio: 0.2 };

impl CircuitSettings {
    /// Returns the numbers of retries: those of the table `retry`, or the defaults; none if it says `false`.
    ///
    /// They are those at the time of reading; [`Retries`](crate::retry::Retries) that are there keep theirs.
    #[must_use]
    pub fn retry(&self) -> Option<RetryConfig> {
        self.retry.0.map(|numbers| numbers.config)
    }

    /// Returns how many retries there may be for each call, see [`Budget`].
    #[must_use]
    pub fn retry_ratio(&self) -> f64 {
        self.retry.0.unwrap_or(DEFAULT).ratio
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self(Some(DEFAULT))
    }
}

impl Retry {
    pub(super) fn lay_over(&mut self, fields: &mut Fields<'_, '_>) {
        rule(fields, "retry", &mut self.0, DEFAULT, &[], fill);
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let Some(Numbers { config, ratio }) = self.0 else { return Vec::new() };
        let faults = config.check().err().map(|error| error.faults().to_vec()).unwrap_or_default();
        faults.into_iter().chain(Budget::fault_of_ratio(ratio)).map(|fault| fault.below("retry")).collect()
    }
}

fn fill(numbers: &mut Numbers, table: &mut Fields<'_, '_>) {
    let Numbers { config, ratio } = numbers;
    table.set("attempts", &mut config.attempts);
    if let Some(mut backoff) = table.table("backoff") {
        backoff.set("base", &mut config.backoff.base);
        backoff.set("factor", &mut config.backoff.factor);
        backoff.set("max", &mut config.backoff.max);
        if let Some(spread) = backoff.word("spread", &SPREADS) {
            config.backoff.spread = spread;
        }
        backoff.end();
    }
    table.set("deadline", &mut config.deadline);
    table.set("max_retry_after", &mut config.max_retry_after);
    table.set("timeout_cost", &mut config.timeout_cost);
    table.set("ratio", ratio);
}
