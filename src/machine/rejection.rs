//! Why a call may not be made.

use std::{fmt, time::Duration};

use crate::state::State;

/// Why a call may not be made, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The state that rejects it.
    pub state: State,
    /// Why.
    pub reason: RejectReason,
    /// In which time it is worth coming back; none if only an operator can tell.
    pub retry_after: Option<Duration>,
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// An operator forced the circuit open.
    Forced,
    /// The circuit is half-open, and all probes that are needed are under way.
    HalfOpen,
    /// The circuit had been open when the service was asked for readiness, and the inner service is not ready now.
    NotReady,
    /// The circuit is open.
    Open,
    /// The circuit is recovering, and the share of traffic that may pass is used up.
    Recovering,
}

impl RejectReason {
    /// Returns the word for logs and metrics: `forced`, `half_open`, `not_ready`, `open`, `recovering`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forced => "forced",
            Self::HalfOpen => "half_open",
            Self::NotReady => "not_ready",
            Self::Open => "open",
            Self::Recovering => "recovering",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
