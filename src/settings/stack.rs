//! The settings of a whole stack: the tables `timeouts` and `bulkhead` beside those of the circuit and its retries.

use std::time::Duration;

use super::{CircuitSettings, circuit::rule, fields::Fields, scalar::Scalar};
use crate::{bulkhead::BulkheadConfig, config::Fault, stack::StackConfig};

/// What a table says of timeouts and of the bulkhead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    total: Option<Duration>,
    attempt: Option<Duration>,
    bulkhead: Option<BulkheadConfig>,
    /// Whether it says anything. Who uses no stack is not to hear how its parts should fit.
    given: bool,
}

impl CircuitSettings {
    /// Returns the numbers of a whole stack: this circuit and its mode, the tables `timeouts`, `bulkhead` and `retry`, and the
    /// defaults of [`StackConfig`] for the rest; no tags. They are those at the time of reading; a stack that is there keeps its
    /// own, unless its circuit is one of a [`Registry`](crate::Registry).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_breaker::{CircuitsConfig, stack::Stack};
    ///
    /// let settings: CircuitsConfig = toml::from_str("
    ///     [by_name.payments]
    ///     timeouts = { attempt = '2s', total = '10s' }
    ///     retry.deadline = '8s'
    ///     bulkhead.limit = 64
    /// ")?;
    /// let config = settings.by_name("payments").stack();
    /// assert_eq!(config.attempt, Some(Duration::from_secs(2)));
    /// let stack = Stack::http_client("payments").config(config).build()?;
    /// # let _ = stack;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack(&self) -> StackConfig {
        let Parts { total, attempt, bulkhead, given: _ } = self.stack;
        let config =
            StackConfig::new().circuit(self.config).mode(self.mode).total(total).attempt(attempt).bulkhead(bulkhead);
        config.retry(self.retry()).retry_ratio(self.retry_ratio())
    }

    /// What does not fit together, if the file speaks of a stack.
    pub(super) fn misfits(&self) -> Vec<Fault> {
        if self.stack.given { self.stack().misfits().into_iter().map(in_file).collect() } else { Vec::new() }
    }
}

/// The same fault under the name that the setting has in a file.
fn in_file(fault: Fault) -> Fault {
    match fault.field() {
        "total" | "attempt" => fault.below("timeouts"),
        "attempts" | "deadline" => fault.below("retry"),
        "retry_ratio" => fault.named("retry.ratio"),
        _ => fault,
    }
}

impl Default for Parts {
    fn default() -> Self {
        let StackConfig { total, attempt, bulkhead, .. } = StackConfig::new();
        Self { total, attempt, bulkhead, given: false }
    }
}

impl Parts {
    pub(super) fn lay_over(&mut self, fields: &mut Fields<'_, '_>) {
        self.given |= fields.has("timeouts") || fields.has("bulkhead");
        if let Some(mut table) = fields.table("timeouts") {
            limit(&mut self.total, "total", &mut table);
            limit(&mut self.attempt, "attempt", &mut table);
            table.end();
        }
        let needs = ("limit", u32::EXPECTED);
        rule(fields, "bulkhead", &mut self.bulkhead, BulkheadConfig::new(0), &[needs], |bulkhead, table| {
            table.set("limit", &mut bulkhead.limit);
            table.set("queue", &mut bulkhead.queue);
            table.set("max_wait", &mut bulkhead.max_wait);
        });
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let faults = self.bulkhead.and_then(|bulkhead| bulkhead.check().err()).map(|error| error.faults().to_vec());
        faults.unwrap_or_default().into_iter().map(|fault| fault.below("bulkhead")).collect()
    }
}

/// A duration, or `false` for none.
fn limit(place: &mut Option<Duration>, key: &'static str, table: &mut Fields<'_, '_>) {
    let Some(value) = table.value(key) else { return };
    match (bool::read(value), Duration::read(value)) {
        (Some(false), _) => *place = None,
        (_, Some(limit)) => *place = Some(limit),
        (_, None) => table.fault(key, value, "a duration with its unit, such as `500ms` or `30s`, or false"),
    }
}
