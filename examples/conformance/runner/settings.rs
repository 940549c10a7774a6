//! The config of a breaker, a window or a backoff as the schema writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A number, or its name where JSON has none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "RawNumber")]
pub(crate) struct Number(pub(crate) f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawNumber {
    Name(String),
    Value(f64),
}

impl TryFrom<RawNumber> for Number {
    type Error = String;

    fn try_from(raw: RawNumber) -> Result<Self, String> {
        Ok(Self(match raw {
            RawNumber::Value(value) => value,
            RawNumber::Name(name) => match name.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return Err(format!("`{name}` is no number")),
            },
        }))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Breaker {
    pub(crate) trip: Trip,
    #[serde(default)]
    pub(crate) open: Open,
    #[serde(default)]
    pub(crate) half_open: HalfOpen,
    #[serde(default)]
    pub(crate) classify: BTreeMap<String, Class>,
    #[serde(default)]
    pub(crate) open_for_outcome: BTreeMap<String, Number>,
    #[serde(default)]
    pub(crate) cancel_counts_as: Option<CancelClass>,
    #[serde(default)]
    pub(crate) initial_state: Initial,
    #[serde(default)]
    pub(crate) clock_start_ms: Option<Number>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Failure,
    Ignored,
    Success,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelClass {
    Failure,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Initial {
    #[default]
    Closed,
    Disabled,
    ForcedOpen,
    HalfOpen,
    MetricsOnly,
    Open,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Trip {
    AnyOf {
        policies: Vec<Policy>,
        warm_up_ms: Option<Number>,
    },
    Consecutive {
        failure_threshold: Number,
        warm_up_ms: Option<Number>,
    },
    CountWindow {
        window: Number,
        minimum_calls: Option<Number>,
        failure_rate: Option<Number>,
        failure_count: Option<Number>,
        slow_call_rate: Option<Number>,
        slow_call_duration_ms: Option<Number>,
        warm_up_ms: Option<Number>,
    },
    #[serde(rename = "ema")]
    Average {
        #[serde(rename = "required_success_rate")]
        _required_success_rate: Number,
        #[serde(rename = "window_calls")]
        _window_calls: Option<Number>,
        #[serde(rename = "window_ms")]
        _window_ms: Option<Number>,
        #[serde(rename = "minimum_calls")]
        _minimum_calls: Option<Number>,
        #[serde(rename = "warm_up_ms")]
        _warm_up_ms: Option<Number>,
    },
    External {
        #[serde(rename = "warm_up_ms")]
        _warm_up_ms: Option<Number>,
    },
    TimeWindow {
        window_ms: Number,
        bucket_ms: Option<Number>,
        buckets: Option<Number>,
        minimum_calls: Option<Number>,
        failure_rate: Option<Number>,
        failure_count: Option<Number>,
        slow_call_rate: Option<Number>,
        slow_call_duration_ms: Option<Number>,
        warm_up_ms: Option<Number>,
    },
}

/// One of the policies of `any_of`: a trip that may have its own `classify` and `open`, which no rule of ours has.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
pub(crate) struct Policy {
    pub(crate) trip: Trip,
    pub(crate) has_its_own: bool,
}

impl TryFrom<serde_json::Map<String, serde_json::Value>> for Policy {
    type Error = String;

    fn try_from(mut map: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        let text = |error: serde_json::Error| error.to_string();
        let classify = map.remove("classify").map(serde_json::from_value::<BTreeMap<String, Class>>);
        let open = map.remove("open").map(serde_json::from_value::<Open>);
        let has_its_own = classify.transpose().map_err(text)?.is_some() | open.transpose().map_err(text)?.is_some();
        Ok(Self { trip: serde_json::from_value(map.into()).map_err(text)?, has_its_own })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    pub(crate) wait_ms: Option<Number>,
    pub(crate) backoff: Option<Backoff>,
    #[serde(default)]
    pub(crate) transition: OpenEnds,
}

/// Who ends the open state.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpenEnds {
    Auto,
    #[default]
    Lazy,
    Never,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Backoff {
    Exponential {
        initial_ms: Number,
        multiplier: Option<Number>,
        max_ms: Option<Number>,
        jitter: Option<Jitter>,
    },
    Fixed {
        wait_ms: Number,
        jitter: Option<Jitter>,
    },
    Sequence {
        #[serde(rename = "waits_ms")]
        _waits_ms: Vec<Number>,
        #[serde(rename = "then_ms")]
        _then_ms: Option<Number>,
        #[serde(rename = "jitter")]
        _jitter: Option<Jitter>,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jitter {
    pub(crate) kind: JitterKind,
    pub(crate) factor: Option<Number>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JitterKind {
    Add,
    Equal,
    Factor,
    Full,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HalfOpen {
    pub(crate) permitted_calls: Option<Number>,
    pub(crate) success_threshold: Option<Number>,
    pub(crate) capacity: Option<Number>,
    pub(crate) max_wait_ms: Option<Number>,
    pub(crate) after_max_wait: Option<AfterMaxWait>,
}

/// `half_open` stands in configs that must be refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterMaxWait {
    Closed,
    HalfOpen,
    Open,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WindowConfig {
    CountWindow { window: Number, clock_start_ms: Option<Number> },
    TimeWindow { window_ms: Number, bucket_ms: Number, clock_start_ms: Option<Number> },
}
