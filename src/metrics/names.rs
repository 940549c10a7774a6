//! The table of all metrics: names, units, labels, meaning.
//!
//! NOTE: `docs/metrics.md` has the same table for people, and `dashboards/grafana.json` queries by these names; a test holds
//! both to this one.

use metrics::Unit;

/// What is published under one name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, such as `circuit_breaker_calls_total`.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// What it is counted in.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub description: &'static str,
}

/// What a metric may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third kind that can be published from a snapshot")]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

const fn counter(name: &'static str, unit: Unit, labels: &'static [&'static str], description: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, labels, description }
}

const fn gauge(name: &'static str, unit: Unit, labels: &'static [&'static str], description: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels, description }
}

pub(super) const CALLS: Metric = counter(
    "circuit_breaker_calls_total",
    Unit::Count,
    &["name", "outcome"],
    "Calls that have ended in time, by outcome: success, failure, ignored, cancelled.",
);
pub(super) const SLOW_CALLS: Metric = counter(
    "circuit_breaker_slow_calls_total",
    Unit::Count,
    &["name"],
    "Successes and failures that took longer than the slow duration.",
);
pub(super) const LATE: Metric = counter(
    "circuit_breaker_late_results_total",
    Unit::Count,
    &["name"],
    "Calls that have ended when their phase or lease was over; they decided nothing.",
);
pub(super) const REJECTED: Metric = counter(
    "circuit_breaker_rejected_total",
    Unit::Count,
    &["name", "reason"],
    "Calls that were not made, by reason: calls saved.",
);
pub(super) const SAVED: Metric = counter(
    "circuit_breaker_saved_seconds_total",
    Unit::Seconds,
    &["name"],
    "Waiting time saved, an estimate: each rejected call times what a failing call took then, in whole seconds.",
);
pub(super) const WOULD_REJECT: Metric = counter(
    "circuit_breaker_would_reject_total",
    Unit::Count,
    &["name"],
    "Calls that were made in the metrics-only mode and would have been rejected.",
);
pub(super) const OPENED: Metric = counter(
    "circuit_breaker_opened_total",
    Unit::Count,
    &["name"],
    "How often the circuit has opened, failed probes not counted.",
);
pub(super) const STATE_SECONDS: Metric = counter(
    "circuit_breaker_state_seconds_total",
    Unit::Seconds,
    &["name", "state"],
    "Time spent in each state, in whole seconds.",
);
pub(super) const TRANSITIONS: Metric = counter(
    "circuit_breaker_transitions_total",
    Unit::Count,
    &["name", "from", "to", "reason"],
    "Transitions of circuits that have the observer.",
);
pub(super) const DETECTIONS: Metric = counter(
    "circuit_breaker_detections_total",
    Unit::Count,
    &["name"],
    "Trips of which the calls tell when the trouble began, of circuits that have the observer.",
);
pub(super) const DETECTION_SECONDS: Metric = counter(
    "circuit_breaker_detection_seconds_total",
    Unit::Seconds,
    &["name"],
    "Time to detect: since when bad calls outweighed good ones until the trip, summed over these trips, in whole seconds.",
);
pub(super) const RECOVERIES: Metric = counter(
    "circuit_breaker_recoveries_total",
    Unit::Count,
    &["name"],
    "Outages that ended by themselves, of circuits that have the observer.",
);
pub(super) const RECOVERY_SECONDS: Metric = counter(
    "circuit_breaker_recovery_seconds_total",
    Unit::Seconds,
    &["name"],
    "Time to recover: from the trip until it was closed again, summed over these outages, in whole seconds.",
);
pub(super) const CIRCUITS: Metric =
    gauge("circuit_breaker_circuits", Unit::Count, &["name"], "How many circuits have this name.");
pub(super) const STATE: Metric = gauge(
    "circuit_breaker_state",
    Unit::Count,
    &["name", "state"],
    "One for the state in which the circuit is, else zero; of many circuits how many are in it.",
);
pub(super) const MODE: Metric = gauge(
    "circuit_breaker_mode",
    Unit::Count,
    &["name", "mode"],
    "One for the mode that an operator has set, else zero; of many circuits how many are in it.",
);
pub(super) const FAILURE_RATE: Metric = gauge(
    "circuit_breaker_failure_rate",
    Unit::Count,
    &["name"],
    "The share of failures in the window, 0 to 1; absent until there are enough calls, later not a number (NaN) where there are too few.",
);
pub(super) const SLOW_RATE: Metric = gauge(
    "circuit_breaker_slow_rate",
    Unit::Count,
    &["name"],
    "The share of slow calls in the window, 0 to 1; absent until there are enough calls, later not a number (NaN) where there are too few.",
);
pub(super) const FAILURE_TIME: Metric = gauge(
    "circuit_breaker_failure_seconds",
    Unit::Seconds,
    &["name"],
    "How long a failing call takes, a moving average over those that are timed, such as probes; absent until it is known.",
);
pub(super) const WINDOW_CALLS: Metric =
    gauge("circuit_breaker_window_calls", Unit::Count, &["name"], "Successes and failures in the window.");
pub(super) const IN_FLIGHT: Metric = gauge(
    "circuit_breaker_probes_in_flight",
    Unit::Count,
    &["name"],
    "Calls under way as probes or in the recovery window.",
);
pub(super) const OUTAGE: Metric = gauge(
    "circuit_breaker_outage_seconds",
    Unit::Seconds,
    &["name"],
    "How long ago the outage began, zero if the circuit is closed; of many circuits the longest.",
);

/// All metrics, counters first.
pub const METRICS: &[Metric] = &[
    CALLS,
    SLOW_CALLS,
    LATE,
    REJECTED,
    SAVED,
    WOULD_REJECT,
    OPENED,
    STATE_SECONDS,
    TRANSITIONS,
    DETECTIONS,
    DETECTION_SECONDS,
    RECOVERIES,
    RECOVERY_SECONDS,
    CIRCUITS,
    STATE,
    MODE,
    FAILURE_RATE,
    SLOW_RATE,
    FAILURE_TIME,
    WINDOW_CALLS,
    IN_FLIGHT,
    OUTAGE,
];
