//! How durations, shares and numbers are written.

use std::time::Duration;

use super::value::Value;
use crate::{config::Window, outcome::Weight};

/// What can be read from one value; where it cannot, what should stand there.
pub(super) trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn read(value: &Value) -> Option<Self>;
}

impl Scalar for Duration {
    const EXPECTED: &'static str = "a duration with its unit, such as `500ms`, `30s` or `1m 30s`";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text.trim() != "0" => humantime::parse_duration(text.trim()).ok(),
            // Zero is the same in every unit.
            Value::Text(_) | Value::Int(0) => Some(Self::ZERO),
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => {
                None
            }
        }
    }
}

impl Scalar for u32 {
    const EXPECTED: &'static str = "a whole number, at most 4294967295";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Self::try_from(*number).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Nothing | Value::Table(_) => None,
        }
    }
}

impl Scalar for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(*number),
            // Beyond 32 bits no setting has any use for it.
            Value::Int(number) => i32::try_from(*number).ok().map(Self::from),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Bool(_) | Value::List(_) | Value::Nothing | Value::Table(_) => None,
        }
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => None,
        }
    }
}

/// A part of a whole: `0.5`, or `"50%"`.
pub(super) struct Share(pub(super) f64);

impl Scalar for Share {
    const EXPECTED: &'static str = "a share such as `0.5` or `\"50%\"`";

    fn read(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value {
            if let Some(percent) = text.trim().strip_suffix('%') {
                return percent.trim().parse().ok().map(|percent: f64| Self(percent / 100.0));
            }
        }
        // What is meant by 50 can only be guessed.
        f64::read(value).filter(|share| share.is_nan() || *share <= 1.0).map(Self)
    }
}

impl Scalar for Weight {
    const EXPECTED: &'static str = "a weight: a number from 0.01 to 100";

    fn read(value: &Value) -> Option<Self> {
        f64::read(value).and_then(|weight| Self::new(weight).ok())
    }
}

impl Scalar for Window {
    const EXPECTED: &'static str = "a duration such as `30s`, or a number of calls such as `100 calls`";

    fn read(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value {
            if let Some(calls) = text.trim().strip_suffix("calls") {
                return calls.trim().parse().ok().map(Self::count);
            }
        }
        // A bare zero would be zero of what?
        Duration::read(value).filter(|_| matches!(value, Value::Text(_))).map(Self::time)
    }
}
