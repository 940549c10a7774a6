//! The trip rules, ready to be asked: from counts to a reason.
//!
//! How calls are counted is the business of the [`Tally`](super::tally::Tally).

use std::time::Duration;

use crate::{
    config::{Config, Consecutive, Evidence, FailureRate, SlowCalls, Window},
    machine::Reason,
    outcome::Failure,
    time::Instant,
    window::Totals,
};

/// The rules of a config, prepared.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Each window once, however many rules look at it.
    pub(crate) windows: Box<[Window]>,
    pub(crate) evidence: Option<EvidenceRule>,
    run: Option<Consecutive>,
    /// Whether anybody looks at the run of failures.
    pub(crate) counts_run: bool,
    failure_rate: Option<RateRule>,
    burst: Option<RateRule>,
    slow_calls: Option<(RateRule, Duration)>,
    failure_count: Option<CountRule>,
    /// The window that tells the traffic, if anything asks for it.
    pub(crate) vitals: Option<usize>,
    /// Whether that window is the last and no rule looks at it: then it need not know when each success ended.
    pub(crate) estimates: bool,
    /// The window that people are shown, with the calls it needs.
    pub(crate) shown: Option<(usize, u32)>,
    /// What a good call takes away from the [`Trouble`](super::trouble::Trouble), in hundredths of a bad one.
    pub(crate) comfort: u32,
}

/// What has been counted in the closed state.
pub(crate) trait Counts {
    fn totals(&self, window: usize, now: Instant) -> Totals;
    /// Net failures in hundredths.
    fn net(&self) -> u32;
    /// Weight of the run of failures in hundredths, and when it began.
    fn run(&self) -> (u32, Instant);
    /// Calls per second.
    fn traffic(&self, now: Instant) -> f64;
    /// How long a call takes that fails.
    fn failure_time(&self) -> Option<Duration>;
}

impl Rules {
    /// `always_count` asks for a window to show even where no rule has one.
    pub(crate) fn new(config: &Config, always_count: bool) -> Self {
        let mut windows = Vec::new();
        let mut index = |window: Window| {
            windows.iter().position(|known| *known == window).unwrap_or_else(|| {
                windows.push(window);
                windows.len() - 1
            })
        };
        let rate = |rule: FailureRate, window: usize| RateRule::new(rule.threshold, rule.minimum_calls, window);
        let failure_rate = config.failure_rate.map(|rule| rate(rule, index(rule.window)));
        let burst = config.burst.map(|rule| rate(rule, index(rule.window)));
        let slow_calls = config.slow_calls.map(|SlowCalls { duration, threshold, minimum_calls, window }| {
            (RateRule::new(threshold, minimum_calls, index(window)), duration)
        });
        let failure_count = config.failure_count.map(|rule| CountRule {
            needed: rule.failures,
            period: rule.period,
            window: index(rule.window()),
        });
        let asks_for_traffic = config.evidence.is_some()
            || matches!(config.recovery, crate::config::Recovery::Window(_))
            || matches!(config.probing, crate::config::Probing::SquareRoot { .. });
        // For rules of one's own it is a window like the others.
        let counted = always_count.then(|| index(Window::DEFAULT));
        let vitals = asks_for_traffic.then(|| index(Window::DEFAULT)).or(counted);
        let rules = [failure_rate.as_ref(), burst.as_ref(), slow_calls.as_ref().map(|(rule, _)| rule)];
        let looked_at = |window| {
            rules.into_iter().flatten().any(|rule| rule.window == window)
                || failure_count.as_ref().is_some_and(|rule| rule.window == window)
                || counted == Some(window)
        };
        let estimates = vitals.is_some_and(|window| !looked_at(window));
        let shown = failure_rate
            .as_ref()
            .or(slow_calls.as_ref().map(|(rule, _)| rule))
            .or(burst.as_ref())
            .map(|rule| (rule.window, rule.minimum_calls))
            .or(vitals.map(|window| (window, 1)));
        Self {
            windows: windows.into(),
            evidence: config.evidence.map(EvidenceRule::new),
            run: config.consecutive_failures,
            counts_run: config.consecutive_failures.is_some() || always_count,
            failure_rate,
            burst,
            slow_calls,
            failure_count,
            vitals,
            estimates,
            shown,
            comfort: made_up_by(bad_enough(config)),
        }
    }

    /// Reports whether the window that tells the traffic is counted, whoever asks for it.
    pub(crate) fn counts_traffic(&self) -> bool {
        self.windows.contains(&Window::DEFAULT)
    }

    /// Reports whether the usual latency is learnt.
    pub(crate) fn sample(&self) -> bool {
        self.vitals.is_some()
    }

    /// The windows that must know when each call ended.
    pub(crate) fn exact(&self) -> usize {
        self.windows.len() - usize::from(self.estimates)
    }

    /// The narrowest bucket of those.
    pub(crate) fn narrowest_bucket(&self) -> Option<Duration> {
        let width = |window: &Window| match *window {
            Window::Count { .. } => None,
            Window::Time { length, buckets } => Some(length / buckets.max(1)),
        };
        self.windows[..self.exact()].iter().filter_map(width).min()
    }

    /// Which rule opens the circuit now that a failure or a slow call has been counted, if any does.
    ///
    /// The familiar rules come first, so that the reason people read is the one they know.
    pub(crate) fn judge(
        &self,
        counts: &impl Counts,
        failure: Option<Failure>,
        slow: bool,
        now: Instant,
    ) -> Option<Reason> {
        let slow_rate =
            || self.slow_calls.as_ref().filter(|_| slow).and_then(|rule| rule.0.judge_slow(counts, rule.1, now));
        let Some(failure) = failure else { return slow_rate() };
        if failure.is_tripping() {
            return Some(Reason::Demanded);
        }
        let failure_rate = || self.failure_rate.as_ref().and_then(|rule| rule.judge(counts, now));
        let burst = || {
            let (rate, threshold, calls) = self.burst.as_ref().and_then(|rule| rule.exceeded(counts, now))?;
            Some(Reason::Burst { rate, threshold, calls })
        };
        self.judge_run(counts, failure, now)
            .or_else(failure_rate)
            .or_else(burst)
            .or_else(|| self.failure_count.as_ref().and_then(|rule| rule.judge(counts, now)))
            .or_else(slow_rate)
            .or_else(|| self.evidence.as_ref().and_then(|rule| rule.judge(counts, now)))
    }

    fn judge_run(&self, counts: &impl Counts, failure: Failure, now: Instant) -> Option<Reason> {
        let Consecutive { failures: needed, span } = self.run.filter(|_| !failure.is_rate_limited())?;
        let (units, began) = counts.run();
        let lasted = now.since(began);
        let reached = u64::from(units) >= u64::from(needed) * 100 && lasted >= span;
        reached.then(|| Reason::ConsecutiveFailures { failures: whole(units.into()), needed, lasted })
    }
}

/// The share of bad calls from which on the settings call it an outage, by the first rule that has one.
fn bad_enough(config: &Config) -> f64 {
    let rate = |rule: FailureRate| rule.threshold;
    let evidence = config.evidence.map(|rule| rule.useless);
    let share = evidence.or(config.failure_rate.map(rate)).or(config.burst.map(rate));
    let share = share.or(config.slow_calls.map(|rule| rule.threshold));
    // All of them for a run; half where nothing says more.
    let run_alone = config.consecutive_failures.is_some() && config.failure_count.is_none();
    share.unwrap_or(if run_alone { 1.0 } else { 0.5 })
}

/// How many bad calls one good call makes up for, in hundredths, so that they keep the balance at this share of bad ones.
fn made_up_by(share: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0.01 to 99, or all where none is good"
    )]
    let hundredths = (share / (1.0 - share) * 100.0).round() as u32;
    hundredths
}

/// Calls per second: those of the window over its length, or over the time since `since` if that is shorter.
///
/// At least a second, so that the first calls of a circuit are no flood.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
pub(crate) fn traffic(calls: u64, since: Instant, now: Instant) -> f64 {
    let length = match Window::DEFAULT {
        Window::Time { length, .. } => length,
        Window::Count { .. } => Duration::MAX,
    };
    calls as f64 / now.since(since).clamp(Duration::from_secs(1), length).as_secs_f64()
}

/// Hundredths as a number.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
pub(crate) fn whole(units: u64) -> f64 {
    units as f64 / 100.0
}

#[derive(Clone, Debug)]
struct RateRule {
    threshold: f64,
    /// The threshold in millionths: 7 of 100 at 0.07 is decided in whole numbers.
    millionths: u64,
    minimum_calls: u32,
    window: usize,
}

impl RateRule {
    fn new(threshold: f64, minimum_calls: u32, window: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share, 0 to 1")]
        let millionths = (threshold * 1e6).round() as u64;
        Self { threshold, millionths, minimum_calls, window }
    }

    fn judge(&self, counts: &impl Counts, now: Instant) -> Option<Reason> {
        let (rate, threshold, calls) = self.exceeded(counts, now)?;
        Some(Reason::FailureRate { rate, threshold, calls })
    }

    fn judge_slow(&self, counts: &impl Counts, slow: Duration, now: Instant) -> Option<Reason> {
        let totals = counts.totals(self.window, now);
        let reached = self.reached(totals.slow.saturating_mul(100), totals.calls);
        let rate = totals.slow_rate().filter(|_| reached)?;
        Some(Reason::SlowCallRate { rate, threshold: self.threshold, calls: totals.calls, slow })
    }

    fn exceeded(&self, counts: &impl Counts, now: Instant) -> Option<(f64, f64, u64)> {
        let totals = counts.totals(self.window, now);
        let rate = totals.failure_rate().filter(|_| self.reached(totals.failures, totals.calls))?;
        Some((rate, self.threshold, totals.calls))
    }

    /// `units` are hundredths of a call.
    fn reached(&self, units: u64, calls: u64) -> bool {
        let enough = calls >= u64::from(self.minimum_calls);
        enough && u128::from(units) * 1_000_000 >= u128::from(calls) * 100 * u128::from(self.millionths)
    }
}

#[derive(Clone, Debug)]
struct CountRule {
    needed: u32,
    period: Duration,
    window: usize,
}

impl CountRule {
    fn judge(&self, counts: &impl Counts, now: Instant) -> Option<Reason> {
        let failures = counts.totals(self.window, now).failures;
        let reached = failures >= u64::from(self.needed) * 100;
        let reason = || Reason::FailureCount { failures: whole(failures), needed: self.needed, period: self.period };
        reached.then(reason)
    }
}

/// See [`Evidence`] for the algorithm and its source.
#[derive(Clone, Debug)]
pub(crate) struct EvidenceRule {
    /// What a success takes away, in hundredths.
    pub(crate) relief: u32,
    theta: f64,
    floor: f64,
    false_opens: f64,
    persistence: f64,
}

impl EvidenceRule {
    pub(crate) fn new(evidence: Evidence) -> Self {
        let Evidence { useless, tolerated, false_opens, floor, persistence } = evidence;
        let m = useless / (1.0 - useless);
        Self {
            relief: made_up_by(useless),
            theta: theta(tolerated, m),
            floor: f64::from(floor),
            false_opens,
            persistence: persistence.as_secs_f64(),
        }
    }

    /// How many net failures open the circuit at this traffic.
    fn needed(&self, traffic: f64) -> f64 {
        let convincing = ((1.0 + traffic) / self.false_opens).ln() / self.theta;
        convincing.max(self.floor) + self.persistence * traffic
    }

    /// The same in hundredths, rounded up.
    pub(crate) fn needed_units(&self, traffic: f64) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number; saturates")]
        let units = (self.needed(traffic) * 100.0).ceil() as u32;
        units
    }

    fn judge(&self, counts: &impl Counts, now: Instant) -> Option<Reason> {
        let net_failures = whole(counts.net().into());
        // The traffic costs a sum over the window, so ask for it only where it can decide.
        if net_failures < self.needed(0.0) {
            return None;
        }
        let traffic = counts.traffic(now);
        let needed = self.needed(traffic);
        (net_failures >= needed).then_some(Reason::Evidence { net_failures, needed, traffic })
    }
}

/// The positive root of `f·e^θ + (1 − f)·e^(−mθ) = 1`: how fast chance runs out of excuses.
///
/// There is exactly one for f < m / (1 + m): the left side is convex, 1 at zero, and falls there.
fn theta(f: f64, m: f64) -> f64 {
    let left = |theta: f64| f * theta.exp() + (1.0 - f) * (-m * theta).exp();
    let (mut low, mut high) = (0.0, 1.0);
    while left(high) < 1.0 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if left(middle) < 1.0 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_needed_grows_with_the_traffic_as_published() {
        let rule = EvidenceRule::new(Evidence::new());
        assert!((rule.theta - 1.128).abs() < 0.001, "theta is {}", rule.theta);
        assert_eq!(rule.relief, 200);
        for (traffic, needed) in [(0.2, 4.9), (1.0, 5.6), (10.0, 9.3), (50.0, 20.7), (5_000.0, 1262.2)] {
            assert!((rule.needed(traffic) - needed).abs() < 0.1, "{needed} at {traffic}: {}", rule.needed(traffic));
        }
    }

    #[test]
    fn a_rate_is_compared_in_whole_numbers() {
        for (failures, calls, threshold) in [(7, 100, 0.07), (7, 10, 0.7), (29, 100, 0.29), (1, 3, 1.0 / 3.0)] {
            let rule = RateRule::new(threshold, 1, 0);
            assert!(rule.reached(failures * 100, calls), "{failures} of {calls} is {threshold}");
            assert!(!rule.reached(failures * 100 - 1, calls), "a hundredth less is not");
        }
    }

    #[test]
    fn the_narrowest_bucket_is_that_of_a_rule_and_none_of_a_count() {
        let rules = |config: Config| Rules::new(&config, false);
        let rate = |window| FailureRate::new(0.5).window(window);
        let counted = Config::without_rules().failure_rate(rate(Window::count(100)));
        assert_eq!(rules(counted).narrowest_bucket(), None);
        let [ten, two] = [10, 2].map(Duration::from_secs);
        let timed = counted.burst(rate(Window::Time { length: ten, buckets: 5 }));
        assert_eq!(rules(timed).narrowest_bucket(), Some(two));
        let both = Config::without_rules().failure_rate(rate(Window::time(ten))).burst(rate(Window::time(two)));
        assert_eq!(rules(both).narrowest_bucket(), Some(two / 10));
        assert_eq!(rules(Config::without_rules().evidence(Evidence::new())).narrowest_bucket(), None, "it estimates");
    }

    #[test]
    fn rules_that_look_at_the_same_calls_share_a_window() {
        let slow = SlowCalls::new(Duration::from_secs(1));
        assert_eq!(Rules::new(&Config::new().slow_calls(slow), true).windows[..], [Window::DEFAULT]);
        assert_eq!(Rules::new(&Config::resilience4j(), false).windows[..], [Window::count(100)]);
    }

    #[test]
    fn a_good_call_makes_up_for_as_much_as_keeps_the_balance() {
        assert_eq!([0.5, 2.0 / 3.0, 0.9, 0.0, 1.0].map(made_up_by), [100, 200, 900, 0, u32::MAX]);
        let single = Config::without_rules();
        let run = single.consecutive_failures(Consecutive::new(3));
        let cases = [
            (Config::new(), 2.0 / 3.0),
            (Config::new().without_evidence(), 0.5),
            (single.failure_rate(FailureRate::new(0.3)).slow_calls(SlowCalls::new(Duration::from_secs(1))), 0.3),
            (single.burst(FailureRate::new(0.9)), 0.9),
            (run, 1.0),
            (run.failure_count(crate::config::FailureCount::new(3, Duration::from_secs(1))), 0.5),
            (single, 0.5),
        ];
        for (config, share) in cases {
            assert!((bad_enough(&config) - share).abs() < 1e-9, "{config:?}");
        }
    }
}
