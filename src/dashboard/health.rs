//! How a program is doing, in the shape of Spring's actuator.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::view::CircuitView;
use crate::state::{Mode, State};

/// How a program is doing, in the shape of Spring's actuator. See [`Dashboard::health`](super::Dashboard::health).
///
/// `UP`, unless a circuit that was called [critical](super::Dashboard::critical) turns calls away, by what was measured or because
/// somebody wants it. One whose next probe is due does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    status: Status,
    components: Components,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
enum Status {
    #[serde(rename = "CIRCUIT_HALF_OPEN")]
    HalfOpen,
    #[serde(rename = "CIRCUIT_OPEN")]
    Open,
    #[serde(rename = "CIRCUIT_RECOVERING")]
    Recovering,
    #[serde(rename = "DOWN")]
    Down,
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "UP")]
    Up,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Components {
    #[serde(rename = "circuitBreakers")]
    circuit_breakers: Component,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Component {
    status: Status,
    details: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Entry {
    status: Status,
    /// None of a circuit that is not there.
    details: Option<Details>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    failure_rate: Option<String>,
    failure_rate_threshold: Option<String>,
    slow_call_rate: Option<String>,
    slow_call_rate_threshold: Option<String>,
    buffered_calls: u64,
    slow_calls: u64,
    failed_calls: u64,
    not_permitted_calls: u64,
    state: String,
    mode: &'static str,
}

impl Health {
    pub(super) fn new(circuits: &[CircuitView], critical: &BTreeSet<String>) -> Self {
        let missing = critical.iter().map(|id| (id.clone(), Entry { status: Status::Unknown, details: None }));
        let mut details: BTreeMap<String, Entry> = missing.collect();
        details.extend(circuits.iter().map(|view| (view.id.clone(), Entry::from(view))));
        let down = details.values().any(|entry| entry.status == Status::Down);
        let status = if down { Status::Down } else { Status::Up };
        Self { status, components: Components { circuit_breakers: Component { status, details } } }
    }

    /// Reports whether it is `UP`.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.status == Status::Up
    }
}

impl From<&CircuitView> for Entry {
    fn from(view: &CircuitView) -> Self {
        let details = Some(Details::from(view));
        // Critical is what turns calls away. In the mode `metrics_only` an open circuit does not, and one whose next probe is
        // due waits for a call: as long as it is `DOWN`, none may come.
        let rejects = match (view.snapshot.mode, view.snapshot.state) {
            (Mode::ForcedOpen, _) => true,
            (Mode::Auto, State::Open) => view.snapshot.retry_after.is_some(),
            (Mode::Auto, State::Closed | State::HalfOpen | State::Recovering)
            | (Mode::Disabled | Mode::ForcedClosed | Mode::MetricsOnly, _) => false,
        };
        let status = match (view.snapshot.mode, view.snapshot.state) {
            _ if rejects && view.critical => Status::Down,
            (Mode::Disabled, _) => Status::Unknown,
            (Mode::ForcedOpen, _) => Status::Open,
            (Mode::Auto | Mode::ForcedClosed | Mode::MetricsOnly, state) => match state {
                State::Closed => Status::Up,
                State::Open => Status::Open,
                State::HalfOpen => Status::HalfOpen,
                State::Recovering => Status::Recovering,
            },
        };
        Self { status, details }
    }
}

impl From<&CircuitView> for Details {
    fn from(view: &CircuitView) -> Self {
        let (snapshot, config) = (&view.snapshot, &view.config);
        let window = snapshot.window;
        Self {
            failure_rate: window.failure_rate.map(percent),
            failure_rate_threshold: config.failure_rate.map(|rate| percent(rate.threshold)),
            slow_call_rate: window.slow_rate.filter(|_| config.slow_calls.is_some()).map(percent),
            slow_call_rate_threshold: config.slow_calls.map(|slow| percent(slow.threshold)),
            buffered_calls: window.calls,
            slow_calls: window.slow,
            failed_calls: whole(window.failures),
            not_permitted_calls: snapshot.ledger.rejected,
            state: snapshot.state.as_str().to_uppercase(),
            mode: snapshot.mode.as_str(),
        }
    }
}

/// As Resilience4j prints it: `80.0%`.
fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sum of weights is not negative; it saturates"
)]
fn whole(weight: f64) -> u64 {
    weight.round() as u64
}
