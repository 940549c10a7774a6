//! The rules that open a closed circuit. They are joined by OR; each names itself when it fires.

use std::time::Duration;

/// The calls that a rate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// The last calls, however old they are.
    Count {
        /// How many: 1 to 400,000. It takes 16 bytes for each failed or slow call in it, and nothing for the others.
        calls: u32,
    },
    /// The calls that ended in the last stretch of time, in buckets that expire whole.
    Time {
        /// How long: 1 ms to 365 days.
        length: Duration,
        /// In how many parts: 1 to 1,000, none shorter than 1 ms. Memory and the cost of a failure grow with it.
        buckets: u32,
    },
}

impl Window {
    /// Returns a window of 10 s in 10 buckets, as in Hystrix and opossum.
    pub const DEFAULT: Self = Self::time(Duration::from_secs(10));

    /// Returns a time window in 10 buckets.
    #[must_use]
    pub const fn time(length: Duration) -> Self {
        Self::Time { length, buckets: 10 }
    }

    /// Returns a window of the last calls.
    #[must_use]
    pub const fn count(calls: u32) -> Self {
        Self::Count { calls }
    }

    /// Sets the number of buckets of a time window; a count window has none and stays as it is.
    #[must_use]
    pub const fn buckets(self, buckets: u32) -> Self {
        match self {
            Self::Time { length, .. } => Self::Time { length, buckets },
            Self::Count { calls } => Self::Count { calls },
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Opens when too large a share of calls fails.
///
/// The rate is the weight of the failures over the number of calls, at most 1. It opens at the threshold, not above it:
/// 5 of 10 is 50 %.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a rule does nothing until it is put into a config"]
pub struct FailureRate {
    /// The share of failures from which on it opens: above 0, at most 1.
    pub threshold: f64,
    /// How many calls must be in the window before it is judged: 1 to 1,000,000, at most the calls of a count window.
    /// Default: 20, as in Hystrix; 10 trips falsely at one call a second.
    pub minimum_calls: u32,
    /// The calls that are looked at. Default: [`Window::DEFAULT`].
    pub window: Window,
}

impl FailureRate {
    /// Opens from this share of failures on, among at least 20 calls in 10 s.
    pub const fn new(threshold: f64) -> Self {
        Self { threshold, minimum_calls: 20, window: Window::DEFAULT }
    }

    /// Sets how many calls must be in the window before it is judged.
    pub const fn minimum_calls(self, calls: u32) -> Self {
        Self { minimum_calls: calls, ..self }
    }

    /// Sets the calls that are looked at.
    pub const fn window(self, window: Window) -> Self {
        Self { window, ..self }
    }
}

/// Opens when too large a share of calls is slow, failed or not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a rule does nothing until it is put into a config"]
pub struct SlowCalls {
    /// A call that took longer than this is slow: 1 ns to 365 days.
    pub duration: Duration,
    /// The share of slow calls from which on it opens: above 0, at most 1. Default: 0.5.
    pub threshold: f64,
    /// How many calls must be in the window before it is judged. Default: 20.
    pub minimum_calls: u32,
    /// The calls that are looked at. Default: [`Window::DEFAULT`].
    pub window: Window,
}

impl SlowCalls {
    /// Opens when half of at least 20 calls in 10 s took longer than `duration`.
    pub const fn new(duration: Duration) -> Self {
        Self { duration, threshold: 0.5, minimum_calls: 20, window: Window::DEFAULT }
    }

    /// Sets the share of slow calls from which on it opens.
    pub const fn threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// Sets how many calls must be in the window before it is judged.
    pub const fn minimum_calls(self, calls: u32) -> Self {
        Self { minimum_calls: calls, ..self }
    }

    /// Sets the calls that are looked at.
    pub const fn window(self, window: Window) -> Self {
        Self { window, ..self }
    }
}

/// Opens on failures in a row. Ignored and rate-limited calls neither lengthen nor end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a rule does nothing until it is put into a config"]
pub struct Consecutive {
    /// How many: 1 to 1,000,000.
    pub failures: u32,
    /// How long the run must have lasted, from its first failure to its last: up to 365 days. Default: zero. With 200 ms
    /// a burst of failures that arrives at one instant does not open it.
    pub span: Duration,
}

impl Consecutive {
    /// Opens at the `failures`-th failure in a row.
    pub const fn new(failures: u32) -> Self {
        Self { failures, span: Duration::ZERO }
    }

    /// Sets how long the run must have lasted.
    pub const fn span(self, span: Duration) -> Self {
        Self { span, ..self }
    }
}

/// Opens on a number of failures in a period, whatever the number of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a rule does nothing until it is put into a config"]
pub struct FailureCount {
    /// How many: 1 to 1,000,000.
    pub failures: u32,
    /// In which time, in 10 buckets: 10 ms to 365 days.
    pub period: Duration,
}

impl FailureCount {
    /// Opens at the `failures`-th failure within `period`.
    pub const fn new(failures: u32, period: Duration) -> Self {
        Self { failures, period }
    }

    pub(crate) const fn window(self) -> Window {
        Window::time(self.period)
    }
}

/// Opens on net failures, as many as the traffic makes them convincing.
///
/// Each failure adds its weight, each success takes `m = useless / (1 - useless)` away, never below zero (Page's
/// one-sided CUSUM). The circuit opens at `max(floor, ln((1 + λ) / false_opens) / θ) + persistence · λ` net failures, λ
/// being the calls per second of the last 10 s: 5 at one call in five seconds, 21 at 50, 1,263 at 5,000. While the share
/// of failures is at most `tolerated`, at least `e^(θk)` calls pass between two false opens on average (Lorden).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a rule does nothing until it is put into a config"]
pub struct Evidence {
    /// The share of failures from which on the dependency is not worth calling: 0.01 to 0.99. Default:
    /// 2/3, since retries hide less. Lower it where a fallback is worth more than a retry.
    pub useless: f64,
    /// The share of failures that must not open it: 0.001 to nine tenths of `useless`. Default: 0.3.
    pub tolerated: f64,
    /// The share of calls that may be lost to false opens: 0.000000001 to 0.5. Default: 0.005.
    pub false_opens: f64,
    /// The least number of net failures: 1 to 1,000,000. Default: 3.
    pub floor: u32,
    /// How much traffic must be lost before it opens: up to 60 s. Default: 250 ms, so that shorter blips hardly ever
    /// open it.
    pub persistence: Duration,
}

impl Evidence {
    /// Returns the defaults, which lost the least traffic in simulation (`docs/design.md`).
    pub const fn new() -> Self {
        Self {
            useless: 2.0 / 3.0,
            tolerated: 0.3,
            false_opens: 0.005,
            floor: 3,
            persistence: Duration::from_millis(250),
        }
    }

    /// Sets the share of failures from which on the dependency is not worth calling.
    pub const fn useless(self, share: f64) -> Self {
        Self { useless: share, ..self }
    }

    /// Sets the share of failures that must not open it.
    pub const fn tolerated(self, share: f64) -> Self {
        Self { tolerated: share, ..self }
    }

    /// Sets the share of calls that may be lost to false opens.
    pub const fn false_opens(self, share: f64) -> Self {
        Self { false_opens: share, ..self }
    }

    /// Sets the least number of net failures.
    pub const fn floor(self, failures: u32) -> Self {
        Self { floor: failures, ..self }
    }

    /// Sets how much traffic must be lost before it opens.
    pub const fn persistence(self, persistence: Duration) -> Self {
        Self { persistence, ..self }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self::new()
    }
}
