//! Settings as keys and values, to tell what has changed. NOTE: the same keys as in `circuit.rs` and `probing.rs`.

use std::fmt::Debug;

use crate::config::{CancelledAfter, Config, FailureRate, HalfOpen, ProbeVerdict, Probing, Recovery, Window};

/// Keys and values, in the order of the fields.
pub(super) struct Description(pub(super) Vec<(String, String)>);

impl Description {
    pub(super) fn of(config: &Config) -> Self {
        let mut to = Self(Vec::new());
        to.rule("evidence", config.evidence, |to, evidence| {
            to.add("evidence.useless", evidence.useless);
            to.add("evidence.tolerated", evidence.tolerated);
            to.add("evidence.false_opens", evidence.false_opens);
            to.add("evidence.floor", evidence.floor);
            to.add("evidence.persistence", evidence.persistence);
        });
        to.rule("failure_rate", config.failure_rate, |to, rate| to.rate("failure_rate", rate));
        to.rule("burst", config.burst, |to, rate| to.rate("burst", rate));
        to.rule("slow_calls", config.slow_calls, |to, slow| {
            to.add("slow_calls.duration", slow.duration);
            let rate = FailureRate::new(slow.threshold).minimum_calls(slow.minimum_calls).window(slow.window);
            to.rate("slow_calls", rate);
        });
        to.rule("consecutive_failures", config.consecutive_failures, |to, run| {
            to.add("consecutive_failures.failures", run.failures);
            to.add("consecutive_failures.span", run.span);
        });
        to.rule("failure_count", config.failure_count, |to, count| {
            to.add("failure_count.failures", count.failures);
            to.add("failure_count.period", count.period);
        });
        to.probing(config.probing);
        to.add("max_retry_after", config.max_retry_after);
        to.half_open(config.half_open);
        to.recovery(config.recovery);
        match config.cancelled_after {
            CancelledAfter::After(age) => to.add("cancelled_after", age),
            CancelledAfter::Never => to.word("cancelled_after", "never"),
            CancelledAfter::SlowCall => to.word("cancelled_after", "slow_call"),
        }
        to.word("initial_state", config.initial_state.as_str());
        to
    }

    fn add(&mut self, key: &str, value: impl Debug) {
        self.word(key, &format!("{value:?}"));
    }

    fn word(&mut self, key: &str, word: &str) {
        self.0.push((key.to_owned(), word.to_owned()));
    }

    fn rule<T>(&mut self, key: &str, rule: Option<T>, fill: impl FnOnce(&mut Self, T)) {
        self.word(key, if rule.is_some() { "on" } else { "off" });
        if let Some(rule) = rule {
            fill(self, rule);
        }
    }

    fn rate(&mut self, rule: &str, rate: FailureRate) {
        self.add(&format!("{rule}.threshold"), rate.threshold);
        self.add(&format!("{rule}.minimum_calls"), rate.minimum_calls);
        match rate.window {
            Window::Count { calls } => self.word(&format!("{rule}.window"), &format!("{calls} calls")),
            Window::Time { length, buckets } => {
                self.add(&format!("{rule}.window"), length);
                self.add(&format!("{rule}.buckets"), buckets);
            }
        }
    }

    fn probing(&mut self, probing: Probing) {
        match probing {
            Probing::Backoff { base, factor, max, jitter } => {
                self.word("probing.kind", "backoff");
                self.add("probing.base", base);
                self.add("probing.factor", factor);
                self.add("probing.max", max);
                self.add("probing.jitter", jitter);
            }
            Probing::Fixed { wait, jitter } => {
                self.word("probing.kind", "fixed");
                self.add("probing.wait", wait);
                self.add("probing.jitter", jitter);
            }
            Probing::SquareRoot { scale, max, spread } => {
                self.word("probing.kind", "square_root");
                self.add("probing.scale", scale);
                self.add("probing.max", max);
                self.add("probing.spread", spread);
            }
        }
    }

    fn half_open(&mut self, half_open: HalfOpen) {
        match half_open.verdict {
            ProbeVerdict::Rate { probes, threshold } => {
                self.add("half_open.verdict.probes", probes);
                self.add("half_open.verdict.threshold", threshold);
            }
            ProbeVerdict::Successes(successes) => self.add("half_open.verdict.successes", successes),
        }
        self.add("half_open.max_concurrent_probes", half_open.max_concurrent_probes);
        self.add("half_open.probe_timeout", half_open.probe_timeout);
        self.add("half_open.max_wait", half_open.max_wait);
        self.add("half_open.ignored_as_alive", half_open.ignored_as_alive);
    }

    fn recovery(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Probes => self.word("recovery", "probes"),
            Recovery::Ramp(ramp) => {
                self.word("recovery", "ramp");
                self.add("recovery.ramp.shares", ramp.shares);
                self.add("recovery.ramp.step", ramp.step);
                self.add("recovery.ramp.tolerance", ramp.tolerance);
            }
            Recovery::Window(window) => {
                self.word("recovery", "window");
                self.add("recovery.window.probation", window.probation);
                self.add("recovery.window.max_probation", window.max_probation);
                self.add("recovery.window.tolerance", window.tolerance);
            }
        }
    }
}
