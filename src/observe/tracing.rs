//! A log line for each transition, with the reason and its numbers.

use tracing::{field, info, warn};

use super::Key;
use crate::{
    machine::{Event, Transition},
    state::State,
};

/// The target of all our events, whatever module they come from.
const TARGET: &str = "tower_breaker";

/// Writes to the target `tower_breaker`: a trip is a warning, all else is information.
pub(super) fn log(event: &Event, key: Option<&Key>) {
    match event {
        Event::ModeChanged { circuit, from, to } => info!(
            target: TARGET,
            {
                circuit.name = &**circuit,
                circuit.key = key.map(field::debug),
                circuit.mode.from = from.as_str(),
                circuit.mode.to = to.as_str()
            },
            "the mode has been changed"
        ),
        Event::Transition(transition) => transitioned(transition, key),
    }
}

/// Names that stand for several circuits make numbers that nobody can read.
#[cfg(feature = "dashboard")]
pub(super) fn duplicate(name: &str) {
    warn!(target: TARGET, { circuit.name = name }, "several circuits have this name, and each counts for itself");
}

fn transitioned(transition: &Transition, key: Option<&Key>) {
    let Transition { circuit, from, to, reason, epoch, at: _, retry_after } = transition;
    macro_rules! log {
        ($level:ident, $text:literal) => {
            $level!(
                target: TARGET,
                {
                    circuit.name = &**circuit,
                    circuit.key = key.map(field::debug),
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
