//! From any format to settings.

use serde::de::{Deserialize, Deserializer, Error};

use super::{CircuitsConfig, read, value::Value};
use crate::config::ConfigError;

/// What a file says, not looked at yet: to have its faults one by one, and not as the text of the format's error.
///
/// ```
/// use tower_breaker::settings::Draft;
///
/// let draft: Draft = serde_json::from_str(r#"{
///     "defaults": { "failure_rat": { "threshold": 0.5 } },
///     "by_name": { "payments": { "failure_rate": { "threshold": 1.5, "window": "ten" } } }
/// }"#)?;
/// let error = draft.check().unwrap_err();
/// let fields: Vec<_> = error.faults().iter().map(|fault| fault.field()).collect();
/// assert_eq!(
///     fields,
///     [
///         "defaults.failure_rat",
///         "by_name.payments.failure_rate.threshold",
///         "by_name.payments.failure_rate.window",
///     ]
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a draft does nothing until it is checked"]
pub struct Draft(Value);

impl Draft {
    /// Makes settings of it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every key that there is not, and every value that cannot be read or is out of its bounds, in the
    /// order of the tables.
    pub fn check(&self) -> Result<CircuitsConfig, ConfigError> {
        read::circuits(&self.0)
    }
}

impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for CircuitsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Draft::deserialize(deserializer)?.check().map_err(D::Error::custom)
    }
}
