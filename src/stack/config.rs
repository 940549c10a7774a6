//! The numbers of a whole stack, and how they must fit each other.

use std::time::Duration;

use crate::{
    bulkhead::BulkheadConfig,
    config::{Check, Config, ConfigError, MS, Window, YEAR},
    retry::RetryConfig,
    state::Mode,
};

/// The numbers of a whole client or server, as one value.
///
/// Each part can be left out. [`StackConfig::check`] looks at every part, and at whether they fit together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a config does nothing until a stack is built with it"]
pub struct StackConfig {
    /// How long a call may take in all, retries and their waits included, until the head of the response is there: 1 ms to 365
    /// days. Default: 30 s, as in Microsoft's standard handler.
    pub total: Option<Duration>,
    /// How a call is tried again; a server has none. Default: [`RetryConfig::new`].
    pub retry: Option<RetryConfig>,
    /// How many retries there may be for each call, over all calls: 0 to 10, in steps of 0.001. Default: 0.2, see
    /// [`Budget`](crate::retry::Budget).
    pub retry_ratio: f64,
    /// The circuit. Default: [`Config::new`].
    pub circuit: Config,
    /// The mode that the circuit begins in; [`Mode::Disabled`] switches it off. Default: [`Mode::Auto`].
    pub mode: Mode,
    /// How many calls may be under way. Default: none, since nobody but you knows what the dependency can bear.
    pub bulkhead: Option<BulkheadConfig>,
    /// How long one attempt may take, or the handler of a server: 1 ms to 365 days. Default: 5 s, so that three attempts fit into
    /// the total, and two into the window of the failure rate.
    pub attempt: Option<Duration>,
}

impl StackConfig {
    /// Returns the defaults.
    pub const fn new() -> Self {
        Self {
            total: Some(Duration::from_secs(30)),
            retry: Some(RetryConfig::new()),
            retry_ratio: 0.2,
            circuit: Config::new(),
            mode: Mode::Auto,
            bulkhead: None,
            attempt: Some(Duration::from_secs(5)),
        }
    }

    /// Sets how long a call may take in all, or leaves that open.
    pub fn total(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { total: limit.into(), ..self }
    }

    /// Sets how a call is tried again, or that it is not.
    pub fn retry(self, retry: impl Into<Option<RetryConfig>>) -> Self {
        Self { retry: retry.into(), ..self }
    }

    /// Sets how many retries there may be for each call.
    pub const fn retry_ratio(self, ratio: f64) -> Self {
        Self { retry_ratio: ratio, ..self }
    }

    /// Sets the numbers of the circuit.
    pub const fn circuit(self, circuit: Config) -> Self {
        Self { circuit, ..self }
    }

    /// Sets the mode that the circuit begins in.
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Sets how many calls may be under way, or leaves that open.
    pub fn bulkhead(self, bulkhead: impl Into<Option<BulkheadConfig>>) -> Self {
        Self { bulkhead: bulkhead.into(), ..self }
    }

    /// Sets how long one attempt may take, or leaves that open.
    pub fn attempt(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { attempt: limit.into(), ..self }
    }

    /// Reports whether a stack can be built with these numbers.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every number that is out of its bounds, and every pair that does not fit:
    ///
    /// | number | must be | or else |
    /// |---|---|---|
    /// | `attempt` | at most `total` | it never ends an attempt |
    /// | `attempt` | at most half of the time windows of the failure rate and of slow calls, and of the period of the failure count | a hang is seen once a window, and no rate comes about |
    /// | `attempt` | at most `half_open.probe_timeout` | a probe loses its slot before it can answer |
    /// | `attempt` | above `slow_calls.duration` | nothing is ever slow, it is ended before |
    /// | `retry.attempts` | so few that they and their waits fit into `total` | the last ones are always cut off |
    /// | `retry.deadline` | at most `total` | it never ends anything |
    /// | `retry_ratio` | at most one less than `retry.attempts` | the budget never ends anything |
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut faults: Vec<_> = self.circuit.check().err().into_iter().collect();
        faults.extend(self.retry.and_then(|retry| retry.check().err()));
        faults.extend(self.bulkhead.and_then(|bulkhead| bulkhead.check().err()));
        let mut check = Check::default();
        faults.into_iter().for_each(|error| check.all(error));
        self.check_whole(&mut check);
        check.done()
    }

    /// What is wrong beyond each part by itself, under the names that [`StackConfig::check`] has.
    #[cfg(feature = "serde")]
    pub(crate) fn misfits(&self) -> Vec<crate::config::Fault> {
        let mut check = Check::default();
        self.check_whole(&mut check);
        check.done().err().map(ConfigError::into_faults).unwrap_or_default()
    }

    fn check_whole(&self, check: &mut Check) {
        for (field, limit) in [("total", self.total), ("attempt", self.attempt)] {
            if let Some(limit) = limit {
                check.within(field, limit, MS, YEAR);
            }
        }
        self.check_attempt(check);
        self.check_retry(check);
    }

    fn check_attempt(&self, check: &mut Check) {
        let Some(attempt) = self.attempt else { return };
        let mut most = |limit: Duration, why: &str| {
            if attempt > limit {
                check.fault("attempt", attempt, format!("at most {limit:?}, {why}"));
            }
        };
        if let Some(total) = self.total {
            most(total, "the total");
        }
        for (rule, window) in self.windows() {
            if let Window::Time { length, .. } = window {
                most(length / 2, &format!("half of the window of `{rule}`"));
            }
        }
        most(self.circuit.half_open.probe_timeout, "the lease of a probe (`half_open.probe_timeout`)");
        if let Some(slow) = self.circuit.slow_calls {
            if slow.duration >= attempt {
                check.fault("slow_calls.duration", slow.duration, format!("below the attempt, {attempt:?}"));
            }
        }
    }

    /// The windows of the rules that need to see a hang twice; a burst is short by intention, and of quick failures.
    fn windows(&self) -> impl Iterator<Item = (&'static str, Window)> {
        let Config { failure_rate, slow_calls, failure_count, .. } = self.circuit;
        let rate = failure_rate.map(|rule| ("failure_rate", rule.window));
        let count = failure_count.map(|rule| ("failure_count", Window::time(rule.period)));
        rate.into_iter().chain(slow_calls.map(|rule| ("slow_calls", rule.window))).chain(count)
    }

    fn check_retry(&self, check: &mut Check) {
        let Some(retry) = self.retry else { return };
        if !(0.0..=f64::from(retry.attempts.saturating_sub(1))).contains(&self.retry_ratio) {
            let most = format!("from 0 to {}, the retries of one call", retry.attempts.saturating_sub(1));
            check.fault("retry_ratio", self.retry_ratio, most);
        }
        let Some(total) = self.total else { return };
        if retry.deadline > total {
            check.fault("deadline", retry.deadline, format!("at most {total:?}, the total"));
        }
        let needed = self.longest(&retry);
        if needed > total {
            let bound =
                format!("so few that attempts and waits, {needed:?} at the most, fit into the total, {total:?}");
            check.fault("attempts", retry.attempts, bound);
        }
    }

    /// The longest that all attempts and the waits between them can take, before the server asks for more.
    pub(super) fn longest(&self, retry: &RetryConfig) -> Duration {
        let attempts = self.attempt.unwrap_or_default().saturating_mul(retry.attempts);
        let wait = |number: i32| {
            let grown = retry.backoff.base.as_secs_f64() * retry.backoff.factor.powi(number);
            grown.min(retry.backoff.max.as_secs_f64())
        };
        let waits: f64 =
            (0..retry.attempts.saturating_sub(1).min(100)).map(|n| wait(i32::try_from(n).unwrap_or(i32::MAX))).sum();
        attempts.saturating_add(Duration::try_from_secs_f64(waits).unwrap_or(Duration::MAX))
    }
}

impl Default for StackConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FailureCount, Fault, SlowCalls};

    const SECOND: Duration = Duration::from_secs(1);

    fn faults(config: StackConfig) -> Vec<String> {
        let faults = config.check().err().map(|error| error.faults().to_vec()).unwrap_or_default();
        faults.iter().map(Fault::field).map(Into::into).collect()
    }

    #[test]
    fn the_defaults_fit_together_and_so_does_a_stack_of_nothing() {
        assert_eq!(StackConfig::new().check(), Ok(()));
        assert_eq!(StackConfig::new().total(None).retry(None).attempt(None).check(), Ok(()));
    }

    #[test]
    fn each_pair_that_does_not_fit_is_named() {
        let new = StackConfig::new;
        assert_eq!(faults(new().attempt(31 * SECOND).retry(None)), ["attempt", "attempt", "attempt"]);
        assert_eq!(faults(new().attempt(Duration::from_millis(5_001))), ["attempt"], "more than half of the window");
        let slow = |secs| Config::new().slow_calls(SlowCalls::new(secs * SECOND));
        assert_eq!(faults(new().circuit(slow(5))), ["slow_calls.duration"]);
        assert_eq!(faults(new().circuit(slow(4))), Vec::<String>::new());
        let count = |secs| Config::new().failure_count(FailureCount::new(5, secs * SECOND));
        assert_eq!(faults(new().circuit(count(9))), ["attempt"]);
        assert_eq!(faults(new().circuit(count(10))), Vec::<String>::new());
        assert_eq!(faults(new().retry(RetryConfig::new().attempts(6))), ["attempts"], "30 s of attempts, and waits");
        assert_eq!(faults(new().retry(RetryConfig::new().deadline(31 * SECOND))), ["deadline"]);
        assert_eq!(faults(new().retry_ratio(2.5)), ["retry_ratio"]);
        assert_eq!(faults(new().retry_ratio(f64::NAN)), ["retry_ratio"]);
    }

    #[test]
    fn faults_of_all_parts_come_at_once() {
        let all = StackConfig::new()
            .total(Duration::ZERO)
            .retry(RetryConfig::new().attempts(0))
            .bulkhead(BulkheadConfig::new(0))
            .circuit(Config::new().max_retry_after(Duration::MAX));
        let found = faults(all);
        for field in ["total", "attempts", "limit", "max_retry_after", "attempt"] {
            assert!(found.iter().any(|fault| fault == field), "{field} is not among {found:?}");
        }
    }

    #[test]
    fn the_longest_way_is_that_of_all_attempts_and_all_waits() {
        let retry = RetryConfig::new();
        assert_eq!(StackConfig::new().longest(&retry), 15 * SECOND + Duration::from_millis(300));
        let endless = retry.attempts(u32::MAX);
        assert!(StackConfig::new().longest(&endless) > 1_000_000 * SECOND);
    }
}
