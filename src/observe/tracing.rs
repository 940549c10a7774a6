//! A log line for each transition and for some rejections; the state of a circuit on the span of a call.

use std::time::Duration;

use tracing::{
    Level, Span, debug, enabled, field, info,
    level_filters::{LevelFilter, STATIC_MAX_LEVEL},
    warn,
};

use super::Key;
use crate::{
    machine::{Event, Rejection, Transition},
    state::State,
};

/// The target of all our events, whatever module they come from.
const TARGET: &str = "tower_breaker";

/// Whether there is a subscriber that wants anything at all.
#[inline]
pub(super) fn is_heard() -> bool {
    STATIC_MAX_LEVEL != LevelFilter::OFF && LevelFilter::current() != LevelFilter::OFF
}

/// Whether a subscriber wants to hear of rejections.
pub(super) fn hears_rejections() -> bool {
    enabled!(target: TARGET, Level::DEBUG)
}

/// Writes the state to the field `circuit.state` of the current span, if that has declared one.
pub(super) fn mark_span(state: State) {
    // No field, no effect.
    Span::current().record("circuit.state", state.as_str());
}

/// Writes a rejection, and how many there were since the last line that have none.
pub(super) fn log_rejection(circuit: &str, key: Option<&Key>, rejection: &Rejection, left_out: u64) {
    debug!(
        target: TARGET,
        {
            circuit.name = circuit,
            circuit.key = key.map(field::debug),
            circuit.state = rejection.state.as_str(),
            circuit.reason = rejection.reason.as_str(),
            circuit.retry_after_ms = rejection.retry_after.map(millis),
            circuit.left_out = left_out
        },
        "a call has been rejected"
    );
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

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
#[cfg(feature = "keyed")]
pub(super) fn log_duplicate(name: &str, circuits: usize) {
    warn!(target: TARGET, { circuit.name = name, circuits }, "several circuits have one name, and each counts for itself");
}

fn transitioned(transition: &Transition, key: Option<&Key>) {
    let Transition { circuit, from, to, reason, epoch, at: _, retry_after, detected_after } = transition;
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
                    circuit.retry_after_ms = retry_after.map(millis),
                    circuit.detected_after_ms = detected_after.map(millis)
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
