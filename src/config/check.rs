//! The one place where settings are refused.

use std::{fmt::Debug, time::Duration};

use super::{
    CancelledAfter, Config, ConfigError, Consecutive, Evidence, FailureCount, FailureRate, Fault, HalfOpen, Jitter,
    ProbeVerdict, Probing, Ramp, Recovery, RecoveryWindow, SlowCalls, Window,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
pub(crate) const MANY: u32 = 1_000_000;

impl Config {
    /// Reports whether a circuit can be built with these settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] lists every fault, each with its field, its value and the bound it breaks.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        if let Some(evidence) = self.evidence {
            check.evidence(evidence);
        }
        if let Some(rate) = self.failure_rate {
            check.rate(&FAILURE_RATE, rate.threshold, rate.minimum_calls, rate.window);
        }
        if let Some(FailureRate { threshold, minimum_calls, window }) = self.burst {
            check.rate(&BURST, threshold, minimum_calls, window);
        }
        if let Some(SlowCalls { duration, threshold, minimum_calls, window }) = self.slow_calls {
            check.within("slow_calls.duration", duration, Duration::from_nanos(1), YEAR);
            check.rate(&SLOW_CALLS, threshold, minimum_calls, window);
        }
        if let Some(Consecutive { failures, span }) = self.consecutive_failures {
            check.within("consecutive_failures.failures", failures, 1, MANY);
            check.within("consecutive_failures.span", span, Duration::ZERO, YEAR);
        }
        if let Some(FailureCount { failures, period }) = self.failure_count {
            check.within("failure_count.failures", failures, 1, MANY);
            check.within("failure_count.period", period, 10 * MS, YEAR);
        }
        check.probing(self.probing);
        check.within("max_retry_after", self.max_retry_after, MS, YEAR);
        check.half_open(self.half_open);
        match self.recovery {
            Recovery::Probes => {}
            Recovery::Ramp(ramp) => check.ramp(ramp),
            Recovery::Window(window) => check.window(window),
        }
        if let CancelledAfter::After(age) = self.cancelled_after {
            check.within("cancelled_after", age, Duration::ZERO, YEAR);
        }
        check.done()
    }
}

/// The names of the fields of one rate rule.
struct RateFields {
    threshold: &'static str,
    minimum_calls: &'static str,
    window: &'static str,
}

const FAILURE_RATE: RateFields = RateFields {
    threshold: "failure_rate.threshold",
    minimum_calls: "failure_rate.minimum_calls",
    window: "failure_rate.window",
};
const BURST: RateFields =
    RateFields { threshold: "burst.threshold", minimum_calls: "burst.minimum_calls", window: "burst.window" };
const SLOW_CALLS: RateFields = RateFields {
    threshold: "slow_calls.threshold",
    minimum_calls: "slow_calls.minimum_calls",
    window: "slow_calls.window",
};

/// Collects faults, so that all are told at once.
#[derive(Default)]
pub(crate) struct Check(Vec<Fault>);

impl Check {
    pub(crate) fn done(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError::new(self.0)) }
    }

    pub(crate) fn fault(&mut self, field: &'static str, value: impl Debug, bound: impl Into<String>) {
        self.0.push(Fault::new(field, value, bound));
    }

    /// Takes the faults of a part over.
    #[cfg(feature = "stack")]
    pub(crate) fn all(&mut self, part: ConfigError) {
        self.0.extend(part.into_faults());
    }

    /// NaN is within no bounds.
    pub(crate) fn within<T: PartialOrd + Debug>(&mut self, field: &'static str, value: T, least: T, most: T) {
        if !(value >= least && value <= most) {
            self.fault(field, value, format!("from {least:?} to {most:?}"));
        }
    }

    fn share(&mut self, field: &'static str, value: f64) {
        if !(value > 0.0 && value <= 1.0) {
            self.fault(field, value, "above 0 and at most 1");
        } else if value < 1e-6 {
            self.fault(field, value, "at least 0.000001, the finest step of a rate");
        }
    }

    fn rate(&mut self, fields: &RateFields, threshold: f64, minimum_calls: u32, window: Window) {
        self.share(fields.threshold, threshold);
        self.within(fields.minimum_calls, minimum_calls, 1, MANY);
        match window {
            Window::Count { calls } => {
                // So that the sum of all weights fits into 32 bits.
                self.within(fields.window, calls, 1, 400_000);
                if minimum_calls > calls && minimum_calls <= MANY && calls > 0 {
                    self.fault(fields.minimum_calls, minimum_calls, format!("at most the {calls} calls of the window"));
                }
            }
            Window::Time { length, buckets } => {
                self.within(fields.window, length, MS, YEAR);
                self.within(fields.window, buckets, 1, 1_000);
                if (1..=1_000).contains(&buckets) && length >= MS && length / buckets < MS {
                    self.fault(fields.window, window, "in buckets of at least 1 ms");
                }
            }
        }
    }

    fn evidence(&mut self, evidence: Evidence) {
        let Evidence { useless, tolerated, false_opens, floor, persistence } = evidence;
        self.within("evidence.useless", useless, 0.01, 0.99);
        // Nearer to each other than this, chance explains everything and nothing opens.
        if !(tolerated >= 0.001 && tolerated <= 0.9 * useless) {
            self.fault("evidence.tolerated", tolerated, "from 0.001 to nine tenths of `evidence.useless`");
        }
        self.within("evidence.false_opens", false_opens, 1e-9, 0.5);
        self.within("evidence.floor", floor, 1, MANY);
        self.within("evidence.persistence", persistence, Duration::ZERO, Duration::from_secs(60));
    }

    fn probing(&mut self, probing: Probing) {
        match probing {
            Probing::Backoff { base, factor, max, jitter } => {
                self.within("probing.base", base, MS, YEAR);
                self.within("probing.factor", factor, 1.0, 100.0);
                self.within("probing.max", max, base.max(MS), YEAR);
                self.jitter(jitter);
            }
            Probing::Fixed { wait, jitter } => {
                self.within("probing.wait", wait, MS, YEAR);
                self.jitter(jitter);
            }
            Probing::SquareRoot { scale, max, spread } => {
                self.within("probing.scale", scale, MS, Duration::from_secs(60));
                self.within("probing.max", max, Duration::from_millis(250), YEAR);
                self.within("probing.spread", spread, 0.0, 0.9);
            }
        }
    }

    fn jitter(&mut self, jitter: Jitter) {
        if let Jitter::Spread(share) = jitter {
            self.within("probing.jitter", share, 0.0, 0.9);
        }
    }

    fn half_open(&mut self, half_open: HalfOpen) {
        let HalfOpen { verdict, max_concurrent_probes, probe_timeout, max_wait, ignored_as_alive } = half_open;
        match verdict {
            ProbeVerdict::Rate { probes, threshold } => {
                self.within("half_open.verdict.probes", probes, 1, 10_000);
                self.share("half_open.verdict.threshold", threshold);
            }
            ProbeVerdict::Successes(successes) => self.within("half_open.verdict.successes", successes, 1, 10_000),
        }
        self.within("half_open.max_concurrent_probes", max_concurrent_probes, 1, 10_000);
        self.within("half_open.probe_timeout", probe_timeout, MS, YEAR);
        self.within("half_open.max_wait", max_wait, probe_timeout.clamp(MS, YEAR), YEAR);
        self.within("half_open.ignored_as_alive", ignored_as_alive, 0, 1_000);
    }

    fn ramp(&mut self, ramp: Ramp) {
        let Ramp { shares, step, tolerance } = ramp;
        for share in shares {
            self.share("recovery.ramp.shares", share);
        }
        // Written so that NaN, which was reported above, is no second fault.
        if shares.windows(2).any(|pair| pair[1] < pair[0]) {
            self.fault("recovery.ramp.shares", shares, "not falling");
        }
        self.within("recovery.ramp.step", step, MS, YEAR);
        self.within("recovery.ramp.tolerance", tolerance, 1, MANY);
    }

    fn window(&mut self, window: RecoveryWindow) {
        let RecoveryWindow { probation, max_probation, tolerance } = window;
        self.within("recovery.window.probation", probation, MS, YEAR);
        self.within("recovery.window.max_probation", max_probation, probation.clamp(MS, YEAR), YEAR);
        self.within("recovery.window.tolerance", tolerance, 1, MANY);
    }
}
