//! A circuit as it is shown: what it knows, and how that is written as JSON.

use std::{collections::BTreeSet, time::Duration};

use serde::{Serialize, Serializer};

use super::{listing::Listed, log::Logged};
use crate::{
    config::Config,
    machine::{Ledger, Snapshot, WindowSnapshot},
    state::State,
};

/// A circuit as it is shown. As JSON all durations are whole milliseconds; `docs/dashboard.md` has an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CircuitView {
    /// What it is found by: its name, or for one of a registry by key `name[key]`, with the key as its `Debug` prints it:
    /// `tenants["acme"]`. Where several circuits have the same, those that were added later have a number behind it:
    /// `payments#2`.
    pub id: String,
    /// The key, as its `Debug` prints it, if it is one of a registry by key.
    pub key: Option<String>,
    /// Whether another circuit has the same name and key. Each counts for itself then, which is rarely meant.
    pub duplicate: bool,
    /// Whether it was called [critical](super::Dashboard::critical).
    pub critical: bool,
    /// What it knows.
    pub snapshot: Snapshot,
    /// Its settings.
    pub config: Config,
    /// The id without a number: that of its events.
    pub(super) base: String,
}

/// One circuit and its last events. As JSON these are one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CircuitDetail {
    /// The circuit.
    #[serde(flatten)]
    pub circuit: CircuitView,
    /// Its last events, the oldest first. Circuits of the same name and key share them.
    pub events: Vec<Logged>,
}

impl CircuitView {
    pub(super) fn new(listed: Listed<(Snapshot, Config)>, critical: &BTreeSet<String>) -> Self {
        let Listed { id, base, key, duplicate, seen: (snapshot, config) } = listed;
        let critical = critical.contains(&base);
        Self { id, key, duplicate, critical, snapshot, config, base }
    }
}

impl Serialize for CircuitView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::new(self).serialize(serializer)
    }
}

/// The fields of a circuit in JSON.
#[derive(Serialize)]
struct Wire<'a> {
    id: &'a str,
    name: &'a str,
    key: Option<&'a str>,
    duplicate: bool,
    critical: bool,
    state: &'static str,
    mode: &'static str,
    mode_ends_in_ms: Option<u64>,
    explain: String,
    reason: Option<WireReason>,
    epoch: u64,
    retry_after_ms: Option<u64>,
    in_state_ms: u64,
    outage_ms: Option<u64>,
    times_opened: u64,
    in_flight: u32,
    window: WireWindow,
    thresholds: WireThresholds,
    ledger: WireLedger,
    time_in_ms: WireTimes,
}

#[derive(Serialize)]
struct WireReason {
    rule: &'static str,
    text: String,
}

#[derive(Serialize)]
struct WireWindow {
    calls: u64,
    failures: f64,
    slow: u64,
    minimum_calls: u32,
    failure_rate: Option<f64>,
    slow_rate: Option<f64>,
    run: f64,
}

#[derive(Serialize)]
struct WireThresholds {
    failure_rate: Option<f64>,
    slow_rate: Option<f64>,
    slow_call_ms: Option<u64>,
}

#[derive(Serialize)]
struct WireLedger {
    succeeded: u64,
    failed: u64,
    ignored: u64,
    cancelled: u64,
    late: u64,
    slow: u64,
    rejected: u64,
    would_reject: u64,
}

#[derive(Serialize)]
struct WireTimes {
    closed: u64,
    open: u64,
    half_open: u64,
    recovering: u64,
}

impl<'a> Wire<'a> {
    fn new(view: &'a CircuitView) -> Self {
        let CircuitView { id, key, duplicate, critical, snapshot, config, base: _ } = view;
        let reason = snapshot.reason.as_ref();
        let time_in = |state| ms(snapshot.time_in(state));
        Self {
            id,
            name: &snapshot.name,
            key: key.as_deref(),
            duplicate: *duplicate,
            critical: *critical,
            state: snapshot.state.as_str(),
            mode: snapshot.mode.as_str(),
            mode_ends_in_ms: snapshot.mode_ends_in.map(ms),
            explain: snapshot.explain(),
            reason: reason.map(|reason| WireReason { rule: reason.as_str(), text: reason.to_string() }),
            epoch: snapshot.epoch,
            retry_after_ms: snapshot.retry_after.map(ms),
            in_state_ms: ms(snapshot.in_state),
            outage_ms: snapshot.outage.map(ms),
            times_opened: snapshot.times_opened,
            in_flight: snapshot.in_flight,
            window: snapshot.window.into(),
            thresholds: config.into(),
            ledger: snapshot.ledger.into(),
            time_in_ms: WireTimes {
                closed: time_in(State::Closed),
                open: time_in(State::Open),
                half_open: time_in(State::HalfOpen),
                recovering: time_in(State::Recovering),
            },
        }
    }
}

impl From<WindowSnapshot> for WireWindow {
    fn from(window: WindowSnapshot) -> Self {
        let WindowSnapshot { calls, failures, slow, minimum_calls, failure_rate, slow_rate, run } = window;
        Self { calls, failures, slow, minimum_calls, failure_rate, slow_rate, run }
    }
}

impl From<&Config> for WireThresholds {
    fn from(config: &Config) -> Self {
        let slow = config.slow_calls;
        Self {
            failure_rate: config.failure_rate.map(|rate| rate.threshold),
            slow_rate: slow.map(|slow| slow.threshold),
            slow_call_ms: slow.map(|slow| ms(slow.duration)),
        }
    }
}

impl From<Ledger> for WireLedger {
    fn from(ledger: Ledger) -> Self {
        let Ledger { succeeded, failed, ignored, cancelled, late, slow, rejected, rejected_by: _, would_reject } =
            ledger;
        Self { succeeded, failed, ignored, cancelled, late, slow, rejected, would_reject }
    }
}

/// Whole milliseconds.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
