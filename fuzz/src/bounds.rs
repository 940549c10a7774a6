//! The bounds of all settings, written down a second time from their documentation, and the values by their fields.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use tower_breaker::{
    Config,
    config::{CancelledAfter, Jitter, ProbeVerdict, Probing, Recovery, Window},
};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(31_536_000);

/// What must be said of some settings.
#[derive(Debug, Default)]
pub struct Faults {
    /// These are out of their bounds.
    pub must: BTreeSet<&'static str>,
    /// These are bounded by one that is out of its own: either answer is right.
    pub may: BTreeSet<&'static str>,
    values: Vec<(&'static str, String)>,
}

/// Returns what must be said of these settings.
pub fn faults(config: &Config) -> Faults {
    let mut faults = Faults::default();
    if let Some(e) = config.evidence {
        let useless = e.useless >= 0.01 && e.useless <= 0.99;
        faults.field("evidence.useless", e.useless, useless);
        faults.field("evidence.tolerated", e.tolerated, e.tolerated >= 0.001 && e.tolerated <= 0.9 * e.useless);
        faults.field("evidence.false_opens", e.false_opens, e.false_opens >= 1e-9 && e.false_opens <= 0.5);
        faults.count("evidence.floor", e.floor);
        faults.field("evidence.persistence", e.persistence, e.persistence <= MINUTE);
    }
    let rates = [
        (config.failure_rate, ["failure_rate.threshold", "failure_rate.minimum_calls", "failure_rate.window"]),
        (config.burst, ["burst.threshold", "burst.minimum_calls", "burst.window"]),
    ];
    for (rate, names) in rates {
        if let Some(rate) = rate {
            faults.rate(names, rate.threshold, rate.minimum_calls, rate.window);
        }
    }
    if let Some(slow) = config.slow_calls {
        faults.span("slow_calls.duration", slow.duration, Duration::from_nanos(1));
        let names = ["slow_calls.threshold", "slow_calls.minimum_calls", "slow_calls.window"];
        faults.rate(names, slow.threshold, slow.minimum_calls, slow.window);
    }
    if let Some(run) = config.consecutive_failures {
        faults.count("consecutive_failures.failures", run.failures);
        faults.span("consecutive_failures.span", run.span, Duration::ZERO);
    }
    if let Some(count) = config.failure_count {
        faults.count("failure_count.failures", count.failures);
        faults.span("failure_count.period", count.period, 10 * MS);
    }
    faults.span("max_retry_after", config.max_retry_after, MS);
    faults.probing(config.probing);
    faults.half_open(config);
    faults.recovery(config.recovery);
    if let CancelledAfter::After(age) = config.cancelled_after {
        faults.span("cancelled_after", age, Duration::ZERO);
    }
    faults
}

impl Faults {
    /// Reports whether this value is one of the field's.
    pub fn has(&self, field: &str, value: &str) -> bool {
        self.values.iter().any(|(name, known)| *name == field && known == value)
    }

    fn field(&mut self, name: &'static str, value: impl Debug, is_good: bool) {
        self.values.push((name, format!("{value:?}")));
        if !is_good {
            self.must.insert(name);
        }
    }

    fn count(&mut self, name: &'static str, value: u32) {
        self.field(name, value, (1..=1_000_000).contains(&value));
    }

    fn span(&mut self, name: &'static str, value: Duration, least: Duration) {
        self.field(name, value, value >= least && value <= YEAR);
    }

    fn share(&mut self, name: &'static str, value: f64) {
        self.field(name, value, (1e-6..=1.0).contains(&value));
    }

    fn rate(&mut self, [threshold, minimum, name]: [&'static str; 3], share: f64, calls: u32, window: Window) {
        self.share(threshold, share);
        self.count(minimum, calls);
        match window {
            Window::Count { calls: size } => {
                self.field(name, size, (1..=400_000).contains(&size));
                self.field(minimum, calls, size == 0 || calls <= size);
                if size == 0 {
                    self.may.insert(minimum);
                }
            }
            Window::Time { length, buckets } => {
                self.span(name, length, MS);
                self.field(name, buckets, (1..=1_000).contains(&buckets));
                self.field(name, window, buckets == 0 || length / buckets >= MS);
            }
            _ => unreachable!("there are two"),
        }
    }

    fn probing(&mut self, probing: Probing) {
        let jitter = match probing {
            Probing::Backoff { base, factor, max, jitter } => {
                self.span("probing.base", base, MS);
                self.field("probing.factor", factor, (1.0..=100.0).contains(&factor));
                self.span("probing.max", max, base.max(MS));
                jitter
            }
            Probing::Fixed { wait, jitter } => {
                self.span("probing.wait", wait, MS);
                jitter
            }
            Probing::SquareRoot { scale, max, spread } => {
                self.field("probing.scale", scale, scale >= MS && scale <= MINUTE);
                self.span("probing.max", max, 250 * MS);
                self.field("probing.spread", spread, (0.0..=0.9).contains(&spread));
                Jitter::None
            }
            _ => unreachable!("there are three"),
        };
        if let Jitter::Spread(share) = jitter {
            self.field("probing.jitter", share, (0.0..=0.9).contains(&share));
        }
    }

    fn half_open(&mut self, config: &Config) {
        let settings = config.half_open;
        let few = |count: u32| (1..=10_000).contains(&count);
        match settings.verdict {
            ProbeVerdict::Rate { probes, threshold } => {
                self.field("half_open.verdict.probes", probes, few(probes));
                self.share("half_open.verdict.threshold", threshold);
            }
            ProbeVerdict::Successes(successes) => self.field("half_open.verdict.successes", successes, few(successes)),
            _ => unreachable!("there are two"),
        }
        let probes = settings.max_concurrent_probes;
        self.field("half_open.max_concurrent_probes", probes, few(probes));
        self.span("half_open.probe_timeout", settings.probe_timeout, MS);
        let ignored = settings.ignored_as_alive;
        self.field("half_open.ignored_as_alive", ignored, ignored <= 1_000);
        self.not_below("half_open.max_wait", settings.max_wait, "half_open.probe_timeout", settings.probe_timeout);
    }

    fn recovery(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Probes => {}
            Recovery::Ramp(ramp) => {
                for share in ramp.shares {
                    self.share("recovery.ramp.shares", share);
                }
                let falls = ramp.shares.windows(2).any(|pair| pair[1] < pair[0]);
                self.field("recovery.ramp.shares", ramp.shares, !falls);
                self.span("recovery.ramp.step", ramp.step, MS);
                self.count("recovery.ramp.tolerance", ramp.tolerance);
            }
            Recovery::Window(window) => {
                let probation = window.probation;
                self.span("recovery.window.probation", probation, MS);
                let max = window.max_probation;
                self.not_below("recovery.window.max_probation", max, "recovery.window.probation", probation);
                self.count("recovery.window.tolerance", window.tolerance);
            }
            _ => unreachable!("there are three"),
        }
    }

    /// A span that is bounded by another one.
    fn not_below(&mut self, name: &'static str, value: Duration, other: &'static str, least: Duration) {
        if self.must.contains(other) {
            self.may.insert(name);
        }
        self.field(name, value, value >= least && value <= YEAR);
    }
}
