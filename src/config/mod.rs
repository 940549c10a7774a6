//! The numbers of a circuit: plain data, checked in one place.
//!
//! [`Config`] holds what can be compared, printed and overlaid; closures (a classifier, an observer, a rule of your own)
//! belong to the [builder](crate::circuit::Builder) or the layer. Every default says where it comes from.
//!
//! ```
//! use std::time::Duration;
//! use tower_breaker::config::{Config, Consecutive, FailureRate, Window};
//!
//! const CONFIG: Config = Config::new()
//!     .failure_rate(FailureRate::new(0.3).minimum_calls(50).window(Window::time(Duration::from_secs(30))))
//!     .consecutive_failures(Consecutive::new(15));
//! assert!(CONFIG.check().is_ok());
//!
//! let wrong = CONFIG.failure_rate(FailureRate::new(1.5).minimum_calls(0)).check().unwrap_err();
//! assert_eq!(wrong.faults().len(), 2); // all faults at once, each with its field, value and bound
//! ```

mod check;
mod error;
mod open;
mod presets;
mod recover;
mod trip;

pub(crate) use self::check::{Check, MANY, MS, YEAR};
pub use self::{
    error::{ConfigError, Fault},
    open::{Jitter, Probing},
    recover::{HalfOpen, ProbeVerdict, Ramp, Recovery, RecoveryWindow},
    trip::{Consecutive, Evidence, FailureCount, FailureRate, SlowCalls, Window},
};

use std::time::Duration;

use crate::state::State;

/// The settings of a circuit, all numbers.
///
/// `Config::default()` is [`Config::new`]; [`Config::classic`] and its siblings carry the figures of other systems. A
/// config is checked by [`Config::check`], which every constructor of a circuit calls.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a config does nothing until a circuit is built with it"]
pub struct Config {
    /// Opens on adaptive evidence. Default: on, see [`Evidence`].
    pub evidence: Option<Evidence>,
    /// Opens on a failure rate. Default: 0.5 of at least 20 calls in 10 s, as in Hystrix; it costs nothing beside the
    /// evidence.
    pub failure_rate: Option<FailureRate>,
    /// Opens on a failure rate over a second, usually short window. Default: off; the evidence sees bursts sooner.
    pub burst: Option<FailureRate>,
    /// Opens on a rate of slow calls. Default: off; there is no duration that is slow for everybody.
    pub slow_calls: Option<SlowCalls>,
    /// Opens on failures in a row. Default: off; under load a run comes by chance.
    pub consecutive_failures: Option<Consecutive>,
    /// Opens on a number of failures in a period, whatever the traffic. Default: off.
    pub failure_count: Option<FailureCount>,
    /// When the next probe may go while the circuit is open. Default: [`Probing::SquareRoot`].
    pub probing: Probing,
    /// The longest open time that the dependency may ask for by `Retry-After`. Default: 60 s; a day was seen in the
    /// wild.
    pub max_retry_after: Duration,
    /// How probes are made and judged. Default: [`HalfOpen::new`].
    pub half_open: HalfOpen,
    /// What follows good probes. Default: [`Recovery::Window`].
    pub recovery: Recovery,
    /// From which age on a call that is dropped counts as a failure. Default: [`CancelledAfter::SlowCall`].
    pub cancelled_after: CancelledAfter,
    /// The state of a new circuit. Default: [`State::Closed`].
    pub initial_state: State,
}

impl Config {
    /// Returns the recommended settings: adaptive evidence, or half of at least 20 calls in 10 s; square-root probing;
    /// a recovery window.
    ///
    /// Of 20 breakers in a simulation of outages these lost the least traffic (`docs/design.md`).
    pub const fn new() -> Self {
        Self {
            evidence: Some(Evidence::new()),
            failure_rate: Some(FailureRate::new(0.5)),
            burst: None,
            slow_calls: None,
            consecutive_failures: None,
            failure_count: None,
            probing: Probing::SQUARE_ROOT,
            max_retry_after: Duration::from_secs(60),
            half_open: HalfOpen::new(),
            recovery: Recovery::Window(RecoveryWindow::new()),
            cancelled_after: CancelledAfter::SlowCall,
            initial_state: State::Closed,
        }
    }

    /// The longest stretch of time that a rule looks back on.
    #[cfg(feature = "keyed")]
    pub(crate) fn looks_back(&self) -> Duration {
        let windows = [
            self.failure_rate.map(|rate| rate.window),
            self.burst.map(|rate| rate.window),
            self.slow_calls.map(|slow| slow.window),
        ];
        let lengths = windows.into_iter().flatten().map(|window| match window {
            Window::Count { .. } => Duration::ZERO,
            Window::Time { length, .. } => length,
        });
        let period = self.failure_count.map(|count| count.period);
        lengths.chain(period).max().unwrap_or_default()
    }

    /// Returns [`Config::new`] with no rule that trips: a base to switch on single rules, or for a rule of your own.
    pub const fn without_rules() -> Self {
        Self { evidence: None, failure_rate: None, ..Self::new() }
    }

    /// Switches the adaptive evidence on.
    pub const fn evidence(self, evidence: Evidence) -> Self {
        Self { evidence: Some(evidence), ..self }
    }

    /// Switches the adaptive evidence off.
    pub const fn without_evidence(self) -> Self {
        Self { evidence: None, ..self }
    }

    /// Switches the failure rate on.
    pub const fn failure_rate(self, rate: FailureRate) -> Self {
        Self { failure_rate: Some(rate), ..self }
    }

    /// Switches the failure rate off.
    pub const fn without_failure_rate(self) -> Self {
        Self { failure_rate: None, ..self }
    }

    /// Switches the burst rule on: a failure rate over a window beside that of [`Config::failure_rate`].
    pub const fn burst(self, burst: FailureRate) -> Self {
        Self { burst: Some(burst), ..self }
    }

    /// Switches the rate of slow calls on.
    pub const fn slow_calls(self, slow: SlowCalls) -> Self {
        Self { slow_calls: Some(slow), ..self }
    }

    /// Switches the run of failures on.
    pub const fn consecutive_failures(self, run: Consecutive) -> Self {
        Self { consecutive_failures: Some(run), ..self }
    }

    /// Switches the number of failures in a period on.
    pub const fn failure_count(self, count: FailureCount) -> Self {
        Self { failure_count: Some(count), ..self }
    }

    /// Sets when the next probe may go.
    pub const fn probing(self, probing: Probing) -> Self {
        Self { probing, ..self }
    }

    /// Sets the longest open time that the dependency may ask for: 1 ms to 365 days.
    pub const fn max_retry_after(self, max: Duration) -> Self {
        Self { max_retry_after: max, ..self }
    }

    /// Sets how probes are made and judged.
    pub const fn half_open(self, half_open: HalfOpen) -> Self {
        Self { half_open, ..self }
    }

    /// Sets what follows good probes.
    pub const fn recovery(self, recovery: Recovery) -> Self {
        Self { recovery, ..self }
    }

    /// Sets from which age on a dropped call is a failure.
    pub const fn cancelled_after(self, after: CancelledAfter) -> Self {
        Self { cancelled_after: after, ..self }
    }

    /// Sets the state of a new circuit. [`State::Recovering`] is a slow start.
    pub const fn initial_state(self, state: State) -> Self {
        Self { initial_state: state, ..self }
    }

    /// The duration above which a call is slow, if slow calls are counted.
    pub(crate) const fn slow_after(&self) -> Option<Duration> {
        match self.slow_calls {
            Some(slow) => Some(slow.duration),
            None => None,
        }
    }

    /// The age from which on a dropped call is a failure, if it ever is.
    pub(crate) const fn abandoned_after(&self) -> Option<Duration> {
        match self.cancelled_after {
            CancelledAfter::After(age) => Some(age),
            CancelledAfter::Never => None,
            CancelledAfter::SlowCall => self.slow_after(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// From which age on a call whose future is dropped counts as a failure.
///
/// A caller that leaves early says nothing about the dependency; a caller that gives up after a second does. With an
/// age set, a timeout *outside* the breaker opens it too, which it never does otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelledAfter {
    /// From this age on: up to 365 days. At zero every dropped call is a failure, whoever dropped it.
    After(Duration),
    /// Never: every dropped call is neutral.
    Never,
    /// From the duration of a slow call on if [`Config::slow_calls`] is set, else never.
    #[default]
    SlowCall,
}
