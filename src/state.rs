//! The words for what a circuit is doing: its measured state and the mode an operator has set.

use std::fmt;

/// What the circuit has measured. See the [chapter on states](crate::guide::states).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "dashboards and metrics list all four; a fifth would be a breaking change")]
pub enum State {
    /// Calls pass and are counted.
    #[default]
    Closed,
    /// Calls are rejected until the next probe is due.
    Open,
    /// A few calls pass as probes; their results decide.
    HalfOpen,
    /// The dependency answers again; calls are let through in growing number.
    Recovering,
}

impl State {
    /// All states, in the order in which an outage passes through them.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Open, Self::HalfOpen, Self::Recovering];

    /// Returns the word for logs and metrics: `closed`, `open`, `half_open`, `recovering`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Recovering => "recovering",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who has set a mode. What an operator wants is saved, and keeps a registry from forgetting; the others will say it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Giver {
    Group,
    Operator,
    /// Or code, when the circuit was built.
    Settings,
}

/// What an operator wants, apart from what is measured. It lasts until it is changed or its own time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "each mode is a promise about every call; users match on all of them")]
pub enum Mode {
    /// The state decides.
    #[default]
    Auto,
    /// Every call is rejected.
    ForcedOpen,
    /// Every call passes and is counted; nothing trips.
    ForcedClosed,
    /// Every call passes, nothing is counted.
    Disabled,
    /// The state changes as in [`Mode::Auto`], but every call passes; what would have been rejected is counted.
    MetricsOnly,
}

impl Mode {
    /// Returns the word for logs and metrics: `auto`, `forced_open`, `forced_closed`, `disabled`, `metrics_only`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
