//! What happens to the back end, and when.

use std::time::Duration;

use serde_json::{Value, json};

/// How the back end behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Answers500,
    BreaksOff,
    Hangs,
    SaysNothing,
    Slow,
    TenthOfCapacity,
    Works,
}

impl Behaviour {
    /// Whether its answers are of no use to anybody: the circuit should open.
    pub(crate) fn is_dead(self) -> bool {
        match self {
            Self::Answers500 | Self::BreaksOff | Self::Hangs | Self::SaysNothing | Self::Slow => true,
            Self::TenthOfCapacity | Self::Works => false,
        }
    }

    /// Returns the words for the live lines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answers500 => "answers 500",
            Self::BreaksOff => "breaks off in mid-body",
            Self::Hangs => "takes calls and never answers",
            Self::SaysNothing => "accepts connections and says nothing",
            Self::Slow => "takes 220 to 620 ms",
            Self::TenthOfCapacity => "is back at a tenth of its capacity",
            Self::Works => "works",
        }
    }
}

/// A stretch of time in which the back end behaves in one way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) behaviour: Behaviour,
    /// Since the start of the load.
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
}

impl Phase {
    pub(crate) fn to_json(self) -> Value {
        json!({ "back_end": self.behaviour.as_str(), "begins_s": self.begins.as_secs_f64(), "ends_s": self.ends.as_secs_f64() })
    }
}

/// All phases, in order and without gaps. Each way to be dead is there once; the last one ends in the hardest way, since
/// a back end that comes back with little capacity is easily put down again by its callers.
pub(crate) fn timeline() -> Vec<Phase> {
    let mut ends = Duration::ZERO;
    let phases = PHASES.iter().map(|&(behaviour, millis)| {
        let begins = ends;
        ends += Duration::from_millis(millis);
        Phase { behaviour, begins, ends }
    });
    phases.collect()
}

const PHASES: [(Behaviour, u64); 12] = [
    (Behaviour::Works, 2_500),
    (Behaviour::Answers500, 4_000),
    (Behaviour::Works, 3_500),
    (Behaviour::SaysNothing, 5_000),
    (Behaviour::Works, 3_500),
    (Behaviour::BreaksOff, 4_000),
    (Behaviour::Works, 3_500),
    (Behaviour::Slow, 5_000),
    (Behaviour::Works, 3_500),
    (Behaviour::Hangs, 5_000),
    (Behaviour::TenthOfCapacity, 4_000),
    (Behaviour::Works, 4_000),
];
