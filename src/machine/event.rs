//! What happened to a circuit, and why.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    state::{Mode, State},
    time::Instant,
};

/// Something that happened to a circuit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An operator set another mode, or a mode's own time was over.
    ModeChanged {
        /// The name of the circuit.
        circuit: Arc<str>,
        /// The mode before.
        from: Mode,
        /// The mode now.
        to: Mode,
    },
    /// The circuit went from one state to another.
    Transition(Transition),
}

/// A circuit went from one state to another.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The name of the circuit.
    pub circuit: Arc<str>,
    /// The state before.
    pub from: State,
    /// The state now; equal to `from` only after a reset.
    pub to: State,
    /// Why, with the numbers.
    pub reason: Reason,
    /// The number of the new phase; one more than that of the phase before.
    pub epoch: u64,
    /// When, by the clock of the circuit.
    pub at: Instant,
    /// In which time the first probe may go, if the circuit is open now.
    pub retry_after: Option<Duration>,
    /// How long the dependency had been failing when the closed circuit opened, as far as the calls tell: since when bad calls
    /// have outweighed good ones without a break. None for other transitions, and where somebody opened it without a bad call.
    ///
    /// How many good calls make up for a bad one is what the settings call bad enough: the useless share of the
    /// [evidence](crate::config::Evidence), or else the threshold of the first rate that is set; where only
    /// [failures in a row](crate::Config::consecutive_failures) open it, one good call makes up for all.
    pub detected_after: Option<Duration>,
}

/// Why a circuit went from one state to another.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Opened: [`Config::burst`](crate::Config::burst).
    Burst {
        /// The share of failures, 0 to 1.
        rate: f64,
        /// The share at which it opens.
        threshold: f64,
        /// The calls in the window.
        calls: u64,
    },
    /// Opened: [`Config::consecutive_failures`](crate::Config::consecutive_failures).
    ConsecutiveFailures {
        /// The weight of the failures in the run.
        failures: f64,
        /// The weight at which it opens.
        needed: u32,
        /// How long the run lasted.
        lasted: Duration,
    },
    /// Opened: a [rule of your own](crate::circuit::Rule).
    Custom {
        /// What the rule said.
        said: Arc<str>,
    },
    /// Opened: one failure asked for it, see [`Failure::tripping`](crate::Failure::tripping).
    Demanded,
    /// Opened: [`Config::evidence`](crate::Config::evidence).
    Evidence {
        /// The failures that no success has made up for.
        net_failures: f64,
        /// How many open the circuit at this traffic.
        needed: f64,
        /// The traffic in calls per second.
        traffic: f64,
    },
    /// Opened: [`Config::failure_count`](crate::Config::failure_count).
    FailureCount {
        /// The weight of the failures in the period.
        failures: f64,
        /// The weight at which it opens.
        needed: u32,
        /// The period.
        period: Duration,
    },
    /// Opened: [`Config::failure_rate`](crate::Config::failure_rate).
    FailureRate {
        /// The share of failures, 0 to 1.
        rate: f64,
        /// The share at which it opens.
        threshold: f64,
        /// The calls in the window.
        calls: u64,
    },
    /// Opened again: probes were under way for too long without a success.
    HalfOpenTooLong {
        /// The longest time that is allowed.
        max_wait: Duration,
    },
    /// Closed: an operator forced it.
    Forced,
    /// Opened again: a probe failed.
    ProbeFailed,
    /// Opened again: too many probes failed.
    ProbeRate {
        /// How many of the probes failed.
        failures: u32,
        /// How many probes have answered.
        probes: u32,
    },
    /// Opened again: a probe was slower than [`SlowCalls::duration`](crate::config::SlowCalls::duration).
    ProbeSlow {
        /// How long it took.
        took: Duration,
    },
    /// Closed, or recovering: probes succeeded.
    ProbesSucceeded {
        /// How many.
        successes: u32,
    },
    /// Closed: the recovery is complete.
    Recovered,
    /// Opened again: too many calls failed during the recovery.
    RecoveryFailed {
        /// The failures that no success has made up for.
        net_failures: f64,
    },
    /// Closed: it was reset.
    Reset,
    /// Open: it was when this was saved, see [`Circuit::restore`](crate::Circuit::restore).
    Restored {
        /// Why it had opened then, in words.
        because: Arc<str>,
    },
    /// Opened: [`Config::slow_calls`](crate::Config::slow_calls).
    SlowCallRate {
        /// The share of slow calls, 0 to 1.
        rate: f64,
        /// The share at which it opens.
        threshold: f64,
        /// The calls in the window.
        calls: u64,
        /// From which duration on a call is slow.
        slow: Duration,
    },
    /// Half-open: the wait is over and a call has come.
    WaitOver,
}

impl Reason {
    /// Returns the word for logs and metrics, such as `failure_rate`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Burst { .. } => "burst",
            Self::ConsecutiveFailures { .. } => "consecutive_failures",
            Self::Custom { .. } => "custom",
            Self::Demanded => "demanded",
            Self::Evidence { .. } => "evidence",
            Self::FailureCount { .. } => "failure_count",
            Self::FailureRate { .. } => "failure_rate",
            Self::HalfOpenTooLong { .. } => "half_open_too_long",
            Self::Forced => "forced",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeRate { .. } => "probe_rate",
            Self::ProbeSlow { .. } => "probe_slow",
            Self::ProbesSucceeded { .. } => "probes_succeeded",
            Self::Recovered => "recovered",
            Self::RecoveryFailed { .. } => "recovery_failed",
            Self::Reset => "reset",
            Self::Restored { .. } => "restored",
            Self::SlowCallRate { .. } => "slow_call_rate",
            Self::WaitOver => "wait_over",
        }
    }
}

/// The reason in words, with its numbers: `80 % of 40 calls failed, 50 % open it`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst { rate, threshold, calls } => {
                write!(f, "{} of {calls} calls failed in a burst, {} open it", percent(*rate), percent(*threshold))
            }
            Self::ConsecutiveFailures { failures, needed, lasted } => {
                write!(f, "{failures} failures in a row over {lasted:.1?}, {needed} open it")
            }
            Self::Custom { said } => f.write_str(said),
            Self::Demanded => f.write_str("one failure asked for it"),
            Self::Evidence { net_failures, needed, traffic } => {
                write!(f, "{net_failures:.0} net failures at {traffic:.1} calls/s, {needed:.1} open it")
            }
            Self::FailureCount { failures, needed, period } => {
                write!(f, "{failures} failures in {period:?}, {needed} open it")
            }
            Self::FailureRate { rate, threshold, calls } => {
                write!(f, "{} of {calls} calls failed, {} open it", percent(*rate), percent(*threshold))
            }
            Self::HalfOpenTooLong { max_wait } => write!(f, "no verdict within {max_wait:?} of half-open"),
            Self::Forced => f.write_str("forced by an operator"),
            Self::ProbeFailed => f.write_str("a probe failed"),
            Self::ProbeRate { failures, probes } => write!(f, "{failures} of {probes} probes failed"),
            Self::ProbeSlow { took } => write!(f, "a probe was slow: {took:.1?}"),
            Self::ProbesSucceeded { successes: 1 } => f.write_str("a probe succeeded"),
            Self::ProbesSucceeded { successes } => write!(f, "{successes} probes succeeded"),
            Self::Recovered => f.write_str("the dependency takes full traffic again"),
            Self::RecoveryFailed { net_failures } => write!(f, "{net_failures:.0} net failures during recovery"),
            Self::Reset => f.write_str("reset"),
            Self::Restored { because } => write!(f, "restored, it had opened because: {because}"),
            Self::SlowCallRate { rate, threshold, calls, slow } => write!(
                f,
                "{} of {calls} calls took longer than {slow:?}, {} open it",
                percent(*rate),
                percent(*threshold)
            ),
            Self::WaitOver => f.write_str("a probe is due"),
        }
    }
}

/// A share as text: `71 %`, and `0.5 %` where whole numbers say too little.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 || percent.fract().abs() < 1e-9 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_a_decimal_where_a_whole_number_says_too_little() {
        let shares = [0.0, 0.005, 0.07, 0.075, 0.1, 0.714, 1.0];
        let said = shares.map(percent);
        assert_eq!(said, ["0 %", "0.5 %", "7 %", "7.5 %", "10 %", "71 %", "100 %"]);
    }
}
