//! What an operator wants, as it comes over the wire.

use std::{error, fmt, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use crate::{circuit::Circuit, config::YEAR, state::Mode};

/// What is to be done to a circuit: one of the methods of [`Circuit`] of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// [`Circuit::auto`].
    Auto,
    /// [`Circuit::disable`].
    Disable,
    /// [`Circuit::force_closed`].
    ForceClosed,
    /// [`Circuit::force_open`].
    ForceOpen,
    /// [`Circuit::metrics_only`].
    MetricsOnly,
    /// [`Circuit::reset`].
    Reset,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 6] =
        [Self::Auto, Self::Disable, Self::ForceClosed, Self::ForceOpen, Self::MetricsOnly, Self::Reset];

    /// Returns the word in JSON, such as `force_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Disable => "disable",
            Self::ForceClosed => "force_closed",
            Self::ForceOpen => "force_open",
            Self::MetricsOnly => "metrics_only",
            Self::Reset => "reset",
        }
    }

    /// The mode that it sets; a reset sets none.
    const fn mode(self) -> Option<Mode> {
        match self {
            Self::Auto => Some(Mode::Auto),
            Self::Disable => Some(Mode::Disabled),
            Self::ForceClosed => Some(Mode::ForcedClosed),
            Self::ForceOpen => Some(Mode::ForcedOpen),
            Self::MetricsOnly => Some(Mode::MetricsOnly),
            Self::Reset => None,
        }
    }

    /// Reads for how long.
    fn lasts(self, given: &Value) -> Result<Duration, InvalidCommand> {
        if !self.can_last() {
            let (given, word) = (shown(given), self.as_str());
            return Err(InvalidCommand(format!("`for` is `{given}`, but `{word}` lasts for no time: leave `for` out")));
        }
        let lasts = given.as_str().and_then(|text| humantime::parse_duration(text.trim()).ok());
        lasts.filter(|lasts| !lasts.is_zero() && *lasts <= YEAR).ok_or_else(|| {
            let must = "must be a duration with its unit, above zero and at most 365 days, such as `30s` or `5m`";
            InvalidCommand(format!("`for` is `{}`, {must}", shown(given)))
        })
    }

    const fn can_last(self) -> bool {
        match self {
            Self::Auto | Self::Reset => false,
            Self::Disable | Self::ForceClosed | Self::ForceOpen | Self::MetricsOnly => true,
        }
    }
}

/// What an operator wants of a circuit, and for how long. See [`Dashboard::steer`](super::Dashboard::steer).
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::dashboard::{Action, Command};
///
/// let command = Command::from_json(br#"{"action": "force_open", "for": "30s"}"#)?;
/// assert_eq!((command.action(), command.lasts()), (Action::ForceOpen, Some(Duration::from_secs(30))));
///
/// let error = Command::from_json(br#"{"action": "force_open", "for": "a while"}"#).unwrap_err();
/// assert!(error.to_string().starts_with("`for` is `a while`"));
/// # Ok::<(), tower_breaker::dashboard::InvalidCommand>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    action: Action,
    /// invariant: none where the action cannot last.
    lasts: Option<Duration>,
}

/// A command as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    action: Value,
    #[serde(rename = "for")]
    lasts: Option<Value>,
}

impl Command {
    /// Reads `{"action": "force_open", "for": "30s"}`. The action is `auto`, `disable`, `force_closed`, `force_open`,
    /// `metrics_only` or `reset`; `for` is a duration with its unit, above zero and at most 365 days, and may be left out.
    ///
    /// # Errors
    ///
    /// [`InvalidCommand`] says which field is wrong, what stands there and what may: also an unknown field, and `for` beside
    /// `auto` or `reset`, which last for no time.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidCommand> {
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(InvalidCommand("the body must be an object such as {\"action\": \"force_open\"}".into()));
        }
        let Written { action, lasts } =
            serde_json::from_slice(json).map_err(|error| InvalidCommand(error.to_string()))?;
        let found = Action::ALL.into_iter().find(|known| action == known.as_str());
        let action = found.ok_or_else(|| {
            let known = Action::ALL.map(|known| format!("`{}`", known.as_str())).join(", ");
            InvalidCommand(format!("`action` is `{}`, must be one of {known}", shown(&action)))
        })?;
        let lasts = lasts.map(|lasts| action.lasts(&lasts)).transpose()?;
        Ok(Self { action, lasts })
    }

    /// Returns what is to be done.
    #[must_use]
    pub fn action(self) -> Action {
        self.action
    }

    /// Returns for how long; none if for good.
    #[must_use]
    pub fn lasts(self) -> Option<Duration> {
        self.lasts
    }

    pub(super) fn apply(self, circuit: &Circuit) {
        match self.action.mode() {
            Some(mode) => circuit.set_mode(mode, self.lasts),
            None => circuit.reset(),
        }
    }
}

/// A text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A command that cannot be understood. Its text says which field is wrong, what stands there and what may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidCommand(String);

impl fmt::Display for InvalidCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for InvalidCommand {}
