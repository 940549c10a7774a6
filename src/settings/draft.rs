//! From any format to settings.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error};

use super::{
    CircuitsConfig, read,
    value::{Reading, Value},
};
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
    pub(super) fn value(&self) -> &Value {
        &self.0
    }

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
        Reading::Plain.deserialize(deserializer).map(|(value, _)| Self(value))
    }
}

/// A [`Draft`] of TOML, whose faults have lines.
///
/// ```
/// use serde::Deserialize;
/// use tower_breaker::settings::TomlDraft;
///
/// #[derive(Deserialize)]
/// struct App {
///     circuits: TomlDraft,
/// }
///
/// let text = "[circuits.defaults]\nmode = 'auto'\n\n[circuits.by_name.payments]\nmode = 'of'";
/// let error = toml::from_str::<App>(text)?.circuits.check(text).unwrap_err();
/// assert_eq!((error.faults()[0].field(), error.faults()[0].line()), ("by_name.payments.mode", Some(5)));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a draft does nothing until it is checked"]
pub struct TomlDraft(Draft);

impl TomlDraft {
    /// Makes settings of it. `text` is the whole file, in which the lines are counted.
    ///
    /// # Errors
    ///
    /// As [`Draft::check`]; each fault has the line of its value, or of the innermost table around it where something is
    /// missing or inherited.
    pub fn check(&self, text: &str) -> Result<CircuitsConfig, ConfigError> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.0.check().map_err(|error| error.with_lines(|field| self.0.0.find("", field).map(line)))
    }
}

impl<'de> Deserialize<'de> for TomlDraft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reading::Spanned.deserialize(deserializer).map(|(value, _)| Self(Draft(value)))
    }
}

impl<'de> Deserialize<'de> for CircuitsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Draft::deserialize(deserializer)?.check().map_err(D::Error::custom)
    }
}
