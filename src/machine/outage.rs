//! What is known of an outage: when it began, and what was usual before it.

use std::time::Duration;

use crate::time::Instant;

/// What is known about the dependency's usual traffic when a rule fires.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vitals {
    /// Calls per second, zero while unknown.
    pub(crate) traffic: f64,
    pub(crate) usual_latency: Option<Duration>,
    /// Since when bad calls have outweighed good ones, if they do.
    pub(crate) began: Option<Instant>,
}

/// An outage, from the first trip until the circuit is closed again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) since: Instant,
    /// How long it had lasted by then, where it goes back to before this process.
    pub(crate) before: Duration,
    /// When the dependency began to fail, as far as that can be told.
    pub(crate) began: Option<Instant>,
    /// The usual traffic before it, calls per second, zero if unknown.
    pub(crate) traffic: f64,
    pub(crate) usual_latency: Option<Duration>,
    /// How often it has been opened again since.
    pub(crate) failed_probes: u32,
    /// How often the dependency has failed again soon after it had come back.
    pub(crate) relapses: u32,
}

impl Outage {
    pub(crate) fn begin(vitals: Vitals, relapses: u32, now: Instant) -> Self {
        let Vitals { traffic, usual_latency, began } = vitals;
        Self { since: now, before: Duration::ZERO, began, traffic, usual_latency, failed_probes: 0, relapses }
    }

    /// How long it has lasted.
    pub(crate) fn lasted(&self, now: Instant) -> Duration {
        self.before.saturating_add(now.since(self.since))
    }
}
