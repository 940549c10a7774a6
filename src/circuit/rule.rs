//! A trip rule of your own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    machine::{Reason, WindowSnapshot},
    sync::Arc,
};

/// Decides from the counts whether the circuit opens, beside the rules of the [`Config`](crate::Config).
///
/// It is asked after each failure and each slow call while the circuit is closed, outside every lock, by the thread whose
/// call it was.
///
/// ```
/// use tower_breaker::{Circuit, Config, Outcome, State, machine::WindowSnapshot};
///
/// // Three failures, but only if no more than ten calls were made.
/// let circuit = Circuit::builder("payments")
///     .config(Config::without_rules())
///     .rule(|window: &WindowSnapshot| {
///         (window.failures >= 3.0 && window.calls <= 10).then(|| format!("{} early failures", window.failures))
///     })
///     .build()?;
/// for _ in 0..3 {
///     circuit.try_acquire()?.record(Outcome::failure());
/// }
/// assert_eq!(circuit.state(), State::Open);
/// assert_eq!(circuit.snapshot().reason.unwrap().to_string(), "3 early failures");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Rule: Send + Sync {
    /// Returns why the circuit opens, in words for people, or none if it stays closed.
    ///
    /// # Panics
    ///
    /// A panic is caught and means that the circuit stays closed.
    fn judge(&self, window: &WindowSnapshot) -> Option<String>;
}

impl<F: Fn(&WindowSnapshot) -> Option<String> + Send + Sync> Rule for F {
    fn judge(&self, window: &WindowSnapshot) -> Option<String> {
        self(window)
    }
}

/// What the first rule that fires says.
pub(super) fn judge(rules: &[Arc<dyn Rule>], window: &WindowSnapshot) -> Option<Reason> {
    rules.iter().find_map(|rule| {
        // A panic is the rule's own; the hook has already reported it.
        let said = catch_unwind(AssertUnwindSafe(|| rule.judge(window))).ok().flatten()?;
        Some(Reason::Custom { said: said.into() })
    })
}
