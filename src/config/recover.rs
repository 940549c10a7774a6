//! How probes are made and judged, and what follows good ones.

use std::time::Duration;

/// How probes are made and judged while the circuit is half-open.
///
/// A probe is a lease: it ends with its result, its drop, a panic, or its deadline, and its slot is free again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "the settings do nothing until they are put into a config"]
pub struct HalfOpen {
    /// What closes the circuit and what opens it again. Default: one success closes, since the recovery window that
    /// follows is the better test; [`Config::classic`](super::Config::classic) has three.
    pub verdict: ProbeVerdict,
    /// How many probes may be under way at once: 1 to 10,000. Default: 1; without a limit traffic was amplified 17-fold.
    pub max_concurrent_probes: u32,
    /// After which time a probe without an answer gives its slot back: 1 ms to 365 days. Default: 30 s. Set it to twice
    /// the timeout of a call.
    pub probe_timeout: Duration,
    /// For how long probes may be under way without a success before the circuit opens again: at least `probe_timeout`, at
    /// most 365 days. Default: 60 s; a circuit that was half-open for six days was seen. The time in which nobody calls does
    /// not count.
    pub max_wait: Duration,
    /// How many ignored answers in a row show that the dependency is alive, and count as one success: 0 (never) to
    /// 1,000. Default: 3; where most answers are 404 the circuit would never close otherwise.
    pub ignored_as_alive: u32,
}

impl HalfOpen {
    /// Returns the defaults.
    pub const fn new() -> Self {
        Self {
            verdict: ProbeVerdict::Successes(1),
            max_concurrent_probes: 1,
            probe_timeout: Duration::from_secs(30),
            max_wait: Duration::from_secs(60),
            ignored_as_alive: 3,
        }
    }

    /// Closes after this many successful probes; one failed or slow probe opens the circuit again.
    pub const fn success_threshold(self, successes: u32) -> Self {
        Self { verdict: ProbeVerdict::Successes(successes), ..self }
    }

    /// Judges a number of probes by their failure rate.
    pub const fn failure_rate(self, probes: u32, threshold: f64) -> Self {
        Self { verdict: ProbeVerdict::Rate { probes, threshold }, ..self }
    }

    /// Sets how many probes may be under way at once.
    pub const fn max_concurrent_probes(self, probes: u32) -> Self {
        Self { max_concurrent_probes: probes, ..self }
    }

    /// Sets after which time a probe without an answer gives its slot back.
    pub const fn probe_timeout(self, timeout: Duration) -> Self {
        Self { probe_timeout: timeout, ..self }
    }

    /// Sets how long the circuit may be half-open.
    pub const fn max_wait(self, max: Duration) -> Self {
        Self { max_wait: max, ..self }
    }

    /// Sets how many ignored answers in a row count as one success.
    pub const fn ignored_as_alive(self, answers: u32) -> Self {
        Self { ignored_as_alive: answers, ..self }
    }
}

impl Default for HalfOpen {
    fn default() -> Self {
        Self::new()
    }
}

/// What probes must show. Both are decided as early as they can be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProbeVerdict {
    /// By the failure rate of a number of probes.
    Rate {
        /// How many probes: 1 to 10,000.
        probes: u32,
        /// The share of failed or slow ones from which on it opens again: above 0, at most 1.
        threshold: f64,
    },
    /// This many successes close it (1 to 10,000); one failed or slow probe opens it again.
    Successes(u32),
}

/// What follows good probes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Recovery {
    /// The circuit closes at once.
    Probes,
    /// A share of the calls passes, more with each step.
    Ramp(Ramp),
    /// The calls under way are limited, and the limit grows with success.
    Window(RecoveryWindow),
}

/// Lets a share of the calls pass, spread evenly, more with each step; then the circuit closes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a ramp does nothing until it is put into a config"]
pub struct Ramp {
    /// The share of calls in each step: each above 0 and at most 1, not falling. A share of 1 is the end of the ramp.
    /// Default: 5 %, 25 %, 100 %.
    pub shares: [f64; 4],
    /// How long each step lasts: 1 ms to 365 days. Default: 10 s, as in Traefik.
    pub step: Duration,
    /// How many net failures open the circuit again: 1 to 1,000,000; a success takes two away. Default: 5.
    pub tolerance: u32,
}

impl Ramp {
    /// Returns the defaults: 5 %, 25 %, 100 %, 10 s each.
    pub const fn new() -> Self {
        Self { shares: [0.05, 0.25, 1.0, 1.0], step: Duration::from_secs(10), tolerance: 5 }
    }

    /// Sets the share of calls in each step; fewer than four steps end with a share of 1.
    pub const fn shares(self, shares: [f64; 4]) -> Self {
        Self { shares, ..self }
    }

    /// Sets how long each step lasts.
    pub const fn step(self, step: Duration) -> Self {
        Self { step, ..self }
    }

    /// Sets how many net failures open the circuit again.
    pub const fn tolerance(self, failures: u32) -> Self {
        Self { tolerance: failures, ..self }
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::new()
    }
}

/// Limits the calls under way to a window that grows with success, until the circuit closes.
///
/// It begins with two calls, gains one with each success and loses one with each failure, and is full at two plus three
/// times the usual number of calls under way. By Little's law this bounds the queue that a client can build, so a cold or
/// overloaded dependency gets what it can carry. The circuit closes once the full window has held for the probation and
/// nothing was rejected meanwhile, or latency is below twice the usual. A slow answer shrinks the window and is no failure.
/// Where nothing usual is known, as in a slow start, it grows until all who come fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a window does nothing until it is put into a config"]
pub struct RecoveryWindow {
    /// How long the full window must hold: 1 ms to 365 days. Default: 1 s.
    pub probation: Duration,
    /// The longest probation; each relapse makes it four times as long: `probation` to 365 days. Default: 60 s.
    pub max_probation: Duration,
    /// How many net failures open the circuit again: 1 to 1,000,000; a success takes two away. Default: 5. Once the window
    /// has been wide enough for most of the usual traffic it takes as many as would open the closed circuit by the
    /// [`Evidence`](super::Evidence), if that is on and asks for more.
    pub tolerance: u32,
}

impl RecoveryWindow {
    /// Returns the defaults.
    pub const fn new() -> Self {
        Self { probation: Duration::from_secs(1), max_probation: Duration::from_secs(60), tolerance: 5 }
    }

    /// Sets how long the full window must hold.
    pub const fn probation(self, probation: Duration) -> Self {
        Self { probation, ..self }
    }

    /// Sets the longest probation.
    pub const fn max_probation(self, max: Duration) -> Self {
        Self { max_probation: max, ..self }
    }

    /// Sets how many net failures open the circuit again.
    pub const fn tolerance(self, failures: u32) -> Self {
        Self { tolerance: failures, ..self }
    }

    /// How long the full window must hold after this many relapses.
    pub(crate) fn probation_after(self, relapses: u32) -> Duration {
        self.probation.saturating_mul(4u32.saturating_pow(relapses)).min(self.max_probation)
    }
}

impl Default for RecoveryWindow {
    fn default() -> Self {
        Self::new()
    }
}
