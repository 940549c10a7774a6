//! The steps of a scenario as the schema writes them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    schema::nullable,
    settings::{Breaker, Number},
};

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a number are three things")]
pub(crate) enum Step {
    Advance {
        ms: f64,
    },
    Begin {
        id: String,
        expect: Option<Leave>,
        #[serde(default, deserialize_with = "nullable")]
        retry_after_ms: Option<Option<f64>>,
        rejected_by: Option<String>,
        on: Option<String>,
        via: Option<String>,
    },
    Call {
        outcome: String,
        duration_ms: Option<f64>,
        times: Option<u64>,
        expect: Option<Leave>,
        #[serde(default, deserialize_with = "nullable")]
        retry_after_ms: Option<Option<f64>>,
        rejected_by: Option<String>,
        on: Option<String>,
        via: Option<String>,
    },
    Drop {
        id: String,
    },
    End {
        id: String,
        outcome: String,
    },
    Expect(Box<Expected>),
    ExpectEventCount {
        r#type: EventType,
        equals: u64,
        on: Option<String>,
    },
    ExpectEvents {
        equals: Vec<String>,
        types: Option<Vec<EventType>>,
        on: Option<String>,
    },
    Force {
        to: Target,
        for_ms: Option<f64>,
        until_ms: Option<f64>,
        expect: Option<Obeyed>,
        on: Option<String>,
    },
    Preset {
        #[serde(rename = "counter")]
        _counter: PresetCounter,
        #[serde(rename = "value")]
        _value: Number,
    },
    Repeat {
        count: u64,
        steps: Vec<Self>,
    },
    SetClock {
        ms: f64,
    },
}

/// The answer that a call expects.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Leave {
    Permitted,
    Rejected,
}

/// What an operator is told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Obeyed {
    Error,
    Ok,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PresetCounter {
    Rejected,
}

/// Where an operator sends it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Closed,
    Disabled,
    #[serde(alias = "isolate")]
    ForcedOpen,
    HalfOpen,
    MetricsOnly,
    Open,
    Reset,
}

/// What a reader sees: the state, or the mode that hides it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Seen {
    Closed,
    Disabled,
    ForcedOpen,
    HalfOpen,
    MetricsOnly,
    Open,
}

impl Seen {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Disabled => "disabled",
            Self::ForcedOpen => "forced_open",
            Self::HalfOpen => "half_open",
            Self::MetricsOnly => "metrics_only",
            Self::Open => "open",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventType {
    Failure,
    FailureRateExceeded,
    Ignored,
    Rejected,
    Reset,
    SlowCallRateExceeded,
    State,
    Success,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a number are three things")]
pub(crate) struct Expected {
    pub(crate) state: Option<OneOrMore>,
    #[serde(default)]
    pub(crate) counts: BTreeMap<Counter, f64>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) failure_rate: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) slow_call_rate: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) success_rate: Option<Option<f64>>,
    pub(crate) tolerance: Option<f64>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) retry_after_ms: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) open_wait_ms: Option<Option<f64>>,
    pub(crate) reason: Option<Why>,
    pub(crate) on: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    More(Vec<Seen>),
    One(Seen),
}

impl OneOrMore {
    pub(crate) fn as_slice(&self) -> &[Seen] {
        match self {
            Self::More(states) => states,
            Self::One(state) => std::slice::from_ref(state),
        }
    }
}

/// `duration_ms` is in the files, though the schema's own list forgets it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Counter {
    AverageDurationMs,
    ConsecutiveFailure,
    ConsecutiveSuccess,
    DurationMs,
    Failure,
    Fired,
    Ignored,
    Rejected,
    Requests,
    Slow,
    SlowFailure,
    SlowSuccess,
    Success,
    Total,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    ConsecutiveFailures,
    FailureCount,
    FailureRate,
    HalfOpenMaxWait,
    Manual,
    OutcomeDemanded,
    ProbeDropped,
    ProbeFailed,
    SlowCallRate,
    SuccessRate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WindowStep {
    Advance {
        ms: f64,
    },
    Expect(Box<Expected>),
    Record {
        outcome: Recorded,
        #[serde(rename = "duration_ms")]
        _duration_ms: Option<f64>,
        times: Option<u64>,
    },
    Repeat {
        count: u64,
        steps: Vec<Self>,
    },
    Reset,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recorded {
    Failure,
    SlowFailure,
    SlowSuccess,
    Success,
}

/// The wait before an attempt: exactly, or within bounds that jitter must keep.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttemptStep {
    pub(crate) attempt: usize,
    pub(crate) equals_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
}

/// The outcomes that need no `classify`.
pub(crate) const OUTCOMES: [&str; 7] = ["success", "failure", "ignored", "timeout", "panic", "slow", "slow_failure"];

impl Step {
    /// Refuses an outcome that nobody defined and a breaker that is not there.
    pub(crate) fn check(&self, breakers: &[(String, Breaker)]) -> Result<(), String> {
        let outcome = |label: &String| {
            let defined = OUTCOMES.contains(&label.as_str())
                || breakers.iter().any(|(_, breaker)| breaker.classify.contains_key(label));
            if defined { Ok(()) } else { Err(format!("unknown outcome `{label}`")) }
        };
        let breaker = |name: &Option<String>| {
            let there = name.as_ref().is_none_or(|name| breakers.iter().any(|(known, _)| known == name));
            if there { Ok(()) } else { Err(format!("no breaker is called `{}`", name.as_deref().unwrap_or_default())) }
        };
        match self {
            Self::Begin { on, rejected_by, .. } => breaker(on).and(breaker(rejected_by)),
            Self::Call { outcome: label, on, rejected_by, .. } => {
                outcome(label).and(breaker(on)).and(breaker(rejected_by))
            }
            Self::End { outcome: label, .. } => outcome(label),
            Self::Expect(expected) => breaker(&expected.on),
            Self::ExpectEvents { equals, on, .. } => {
                equals.iter().try_for_each(|event| check_event(event)).and(breaker(on))
            }
            Self::ExpectEventCount { on, .. } | Self::Force { on, .. } => breaker(on),
            Self::Repeat { steps, .. } => steps.iter().try_for_each(|step| step.check(breakers)),
            Self::Advance { .. } | Self::Drop { .. } | Self::Preset { .. } | Self::SetClock { .. } => Ok(()),
        }
    }
}

/// Refuses a type of event that nobody knows.
fn check_event(event: &str) -> Result<(), String> {
    let kind = event.split(':').next().unwrap_or_default();
    let known: Result<EventType, _> = serde_json::from_value(kind.into());
    known.map(drop).map_err(|_| format!("unknown event `{event}`"))
}
