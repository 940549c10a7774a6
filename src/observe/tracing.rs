//! A log line for each transition, with the reason and its numbers.

use std::{fmt, sync::Arc};

use tracing::{info, warn};

use super::Observer;
use crate::{
    machine::{Event, Transition},
    state::State,
};

/// Writes to the target `tower_breaker`: a trip is a warning, all else is information.
#[derive(Debug, Default)]
pub(super) struct Tracing {
    /// What the circuit is for, if it is one of many with the same name.
    key: Option<Arc<dyn fmt::Debug + Send + Sync>>,
}

impl Tracing {
    #[cfg(feature = "keyed")]
    pub(super) fn of_key(key: Arc<dyn fmt::Debug + Send + Sync>) -> Self {
        Self { key: Some(key) }
    }
}

/// The target of all our events, whatever module they come from.
const TARGET: &str = "tower_breaker";

impl Observer for Tracing {
    fn on_event(&self, event: &Event) {
        match event {
            Event::ModeChanged { circuit, from, to } => info!(
                target: TARGET,
                { circuit.name = &**circuit, circuit.key = self.key.as_ref().map(debug), circuit.mode.from = from.as_str(), circuit.mode.to = to.as_str() },
                "the mode has been changed"
            ),
            Event::Transition(transition) => transitioned(transition, self.key.as_deref()),
        }
    }
}

fn transitioned(transition: &Transition, key: Option<&(dyn fmt::Debug + Send + Sync)>) {
    let Transition { circuit, from, to, reason, epoch, at: _, retry_after } = transition;
    macro_rules! log {
        ($level:ident, $text:literal) => {
            $level!(
                target: TARGET,
                {
                    circuit.name = &**circuit,
                    circuit.key = key.map(debug),
                    circuit.from = from.as_str(),
                    circuit.to = to.as_str(),
                    circuit.reason = reason.as_str(),
                    circuit.epoch = epoch,
                    circuit.retry_after_ms = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
                },
                "{}: {reason}",
                $text
            )
        };
    }
    match (from, to) {
        (State::Closed | State::Recovering, State::Open) => log!(warn, "the circuit has opened"),
        (State::Open | State::HalfOpen, State::Open) => log!(info, "the circuit stays open"),
        (_, State::HalfOpen) => log!(info, "the circuit is half-open"),
        (_, State::Recovering) => log!(info, "the circuit is recovering"),
        (_, State::Closed) => log!(info, "the circuit has closed"),
    }
}
