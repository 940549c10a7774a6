//! The list of everything that has happened in closed phases, and the trip rules, computed from it from scratch.

use std::time::Duration;

use tower_breaker::{
    Config, Instant,
    config::{Evidence, FailureRate, Probing, Recovery, Window},
};

use super::what::Fail;

#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) items: Vec<(Instant, Item)>,
    /// The windows that the settings ask for: since when each has been counting, and from which item on.
    pub(super) windows: Vec<Known>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Call(Call),
    /// A closed phase began.
    Began,
    /// Other settings; whether the traffic is an estimate from now on.
    Configured {
        estimated: bool,
    },
    /// The rule that looks at them has gone.
    NetForgotten,
    RunForgotten,
    /// A trip was held; net failures beyond these are forgotten.
    NetCapped(u32),
    LatencyForgotten,
}

/// A success or a failure that ended in the closed phase in which it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) failure: Option<Fail>,
    pub(crate) slow: bool,
    /// How long it took, for a plain success that was a sample.
    pub(crate) sample: Option<Duration>,
    /// What a success takes from the net failures, if somebody counts them.
    relief: Option<u32>,
    counts_run: bool,
    /// What it makes up for if it was good, in hundredths.
    pub(super) comfort: i128,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) window: Window,
    pub(super) since: Instant,
    pub(super) from: usize,
    /// When the phase began in which it was new.
    pub(super) phase: Instant,
}

/// The sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) calls: u64,
    pub(crate) hundredths: u64,
    pub(crate) slow: u64,
}

impl Call {
    /// Whether it is a success that nothing more is to be said of.
    pub(super) fn is_plain(&self) -> bool {
        self.failure.is_none() && !self.slow
    }
}

impl Log {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let mut log = Self { items: vec![(now, Item::Began)], windows: Vec::new() };
        log.configure(config, now);
        log
    }

    /// Takes other settings; whether a bucket has begun with it.
    pub(crate) fn configure(&mut self, config: &Config, now: Instant) -> bool {
        let (from, phase) = (self.items.len(), self.phase()[0].0);
        let estimated = !looked_at(config).contains(&Window::DEFAULT);
        self.items.push((now, Item::Configured { estimated }));
        let begun = self.has_begun_a_bucket();
        let known = std::mem::take(&mut self.windows);
        for window in wanted(config) {
            let before = known.iter().find(|known| known.window == window).copied();
            self.windows.push(before.unwrap_or(Known { window, since: now, from, phase }));
        }
        if config.evidence.is_none() {
            self.items.push((now, Item::NetForgotten));
        }
        if config.consecutive_failures.is_none() {
            self.items.push((now, Item::RunForgotten));
        }
        begun
    }

    pub(crate) fn call(
        &mut self,
        config: &Config,
        failure: Option<Fail>,
        slow: bool,
        sample: Option<Duration>,
        now: Instant,
    ) {
        let relief = config.evidence.map(relief);
        let counts_run = config.consecutive_failures.is_some();
        let comfort = super::trouble::comfort(config);
        self.items.push((now, Item::Call(Call { failure, slow, sample, relief, counts_run, comfort })));
    }

    pub(crate) fn sums(&self, window: Window, now: Instant) -> Sums {
        let standing = self.standing(window, now);
        let weight = |call: &Call| u64::from(call.failure.map_or(0, |failure| failure.hundredths));
        Sums {
            calls: standing.len() as u64,
            hundredths: standing.iter().map(|(_, call)| weight(call)).sum(),
            slow: standing.iter().filter(|(_, call)| call.slow).count() as u64,
        }
    }

    /// What stands in each window: how many buckets ago, its weight, and whether it was slow.
    pub(crate) fn standing_by_age(&self, now: Instant) -> Vec<Vec<(u64, u32, bool)>> {
        let windows = self.windows.iter().map(|known| {
            let since = now.since(known.since);
            let present = match known.window {
                Window::Time { length, buckets } => (since.as_nanos() / (length / buckets).as_nanos()) as u64,
                _ => 0,
            };
            let standing = self.standing(known.window, now);
            let weight = |call: &Call| call.failure.map_or(0, |failure| failure.hundredths);
            standing.iter().map(|(bucket, call)| (present.saturating_sub(*bucket), weight(call), call.slow)).collect()
        });
        windows.collect()
    }

    /// How many plain successes there were in this phase.
    pub(crate) fn plain(&self) -> usize {
        self.phase().iter().filter(|(_, item)| matches!(item, Item::Call(call) if call.is_plain())).count()
    }

    /// The items of the present closed phase.
    pub(crate) fn phase(&self) -> &[(Instant, Item)] {
        let began = self.items.iter().rposition(|(_, item)| matches!(item, Item::Began)).unwrap();
        &self.items[began..]
    }

    /// The weight of the failures in a row that came last, and when the first of them came.
    pub(crate) fn run(&self) -> (u32, Option<Instant>) {
        let mut run = (0, None);
        for (at, item) in self.phase() {
            match item {
                Item::Call(Call { failure: None, .. }) | Item::RunForgotten | Item::Began => run = (0, None),
                Item::Call(Call { failure: Some(failure), counts_run: true, .. }) if !failure.rate_limited => {
                    run = (run.0 + failure.hundredths, run.1.or(Some(*at)));
                }
                Item::Call(_)
                | Item::Configured { .. }
                | Item::NetForgotten
                | Item::NetCapped(_)
                | Item::LatencyForgotten => {}
            }
        }
        run
    }

    /// Page's one-sided CUSUM in hundredths, and the usual latency in nanoseconds: the moving average over the samples
    /// of all phases before which there was no net failure.
    pub(crate) fn net_and_latency(&self) -> (u32, u64) {
        let (mut net, mut latency) = (0u32, 0u64);
        for (_, item) in &self.items {
            match item {
                Item::Began | Item::NetForgotten => net = 0,
                Item::NetCapped(most) => net = net.min(*most),
                Item::LatencyForgotten => latency = 0,
                Item::RunForgotten | Item::Configured { .. } => {}
                Item::Call(Call { failure: Some(failure), relief, .. }) => {
                    net += relief.map_or(0, |_| failure.hundredths);
                }
                Item::Call(Call { failure: None, relief, sample, .. }) => {
                    if let (0, Some(took)) = (net, sample) {
                        latency = averaged(latency, *took);
                    }
                    net = net.saturating_sub(relief.unwrap_or(0));
                }
            }
        }
        (net, latency)
    }

    /// Calls per second of the last 10 s, or since the phase or the counting began; of at least a second.
    pub(crate) fn traffic(&self, config: &Config, now: Instant) -> f64 {
        if !asks_for_traffic(config) {
            return 0.0;
        }
        let counting = self.windows.iter().find(|known| known.window == Window::DEFAULT).unwrap().since;
        let since = counting.max(self.phase()[0].0);
        self.sums(Window::DEFAULT, now).calls as f64 / now.since(since).as_secs_f64().clamp(1.0, 10.0)
    }

    /// The reason to open after the last call, if there is one.
    pub(crate) fn verdict(
        &self,
        config: &Config,
        failure: Option<Fail>,
        slow: bool,
        now: Instant,
    ) -> Option<&'static str> {
        let slow_rate = || {
            let rule = config.slow_calls.filter(|_| slow)?;
            let sums = self.sums(rule.window, now);
            let enough = sums.calls >= u64::from(rule.minimum_calls);
            (enough && reaches(sums.slow * 100, sums.calls, rule.threshold)).then_some("slow_call_rate")
        };
        let Some(failure) = failure else { return slow_rate() };
        if failure.tripping {
            return Some("demanded");
        }
        let run = || {
            let rule = config.consecutive_failures.filter(|_| !failure.rate_limited)?;
            let (hundredths, began) = self.run();
            let lasted = now.since(began.unwrap_or(now));
            (hundredths >= rule.failures * 100 && lasted >= rule.span).then_some("consecutive_failures")
        };
        let rate = |rule: Option<FailureRate>, name| {
            let rule = rule?;
            let sums = self.sums(rule.window, now);
            let enough = sums.calls >= u64::from(rule.minimum_calls);
            (enough && reaches(sums.hundredths, sums.calls, rule.threshold)).then_some(name)
        };
        let count = || {
            let rule = config.failure_count?;
            let failures = self.sums(Window::time(rule.period), now).hundredths;
            (failures >= u64::from(rule.failures) * 100).then_some("failure_count")
        };
        let evidence = || {
            let (rule, net) = (config.evidence?, f64::from(self.net_and_latency().0) / 100.0);
            (net >= f64::from(rule.floor) && net >= needed(rule, self.traffic(config, now))).then_some("evidence")
        };
        run()
            .or_else(|| rate(config.failure_rate, "failure_rate"))
            .or_else(|| rate(config.burst, "burst"))
            .or_else(count)
            .or_else(slow_rate)
            .or_else(evidence)
    }
}

/// A moving average over some 16 samples; a latency that is known is at least a nanosecond.
pub(crate) fn averaged(average: u64, sample: Duration) -> u64 {
    let sample = u64::try_from(sample.as_nanos()).unwrap().max(1);
    if average == 0 { sample } else { (average - average / 16 + sample / 16).max(1) }
}

/// Rates are compared to the millionth.
fn reaches(hundredths: u64, calls: u64, threshold: f64) -> bool {
    u128::from(hundredths) * 10_000 >= u128::from(calls) * (threshold * 1e6).round() as u128
}

pub(crate) fn asks_for_traffic(config: &Config) -> bool {
    config.evidence.is_some()
        || matches!(config.recovery, Recovery::Window(_))
        || matches!(config.probing, Probing::SquareRoot { .. })
}

/// The windows of the rules.
fn looked_at(config: &Config) -> Vec<Window> {
    let rules = [
        config.failure_rate.map(|rule| rule.window),
        config.burst.map(|rule| rule.window),
        config.slow_calls.map(|rule| rule.window),
        config.failure_count.map(|rule| Window::time(rule.period)),
    ];
    rules.into_iter().flatten().collect()
}

fn wanted(config: &Config) -> Vec<Window> {
    let mut windows = looked_at(config);
    windows.extend(asks_for_traffic(config).then_some(Window::DEFAULT));
    windows.sort_by_key(|window| format!("{window:?}"));
    windows.dedup();
    windows
}

fn odds(evidence: Evidence) -> f64 {
    evidence.useless / (1.0 - evidence.useless)
}

fn relief(evidence: Evidence) -> u32 {
    (odds(evidence) * 100.0).round() as u32
}

/// Net failures that open at this traffic: what chance explains, and what must be lost.
pub(crate) fn needed(evidence: Evidence, traffic: f64) -> f64 {
    let (f, m): (f64, f64) = (evidence.tolerated, odds(evidence));
    // The root of a convex function that is below one left of it, by Newton from the right.
    let mut theta = 1e-3_f64;
    while f * theta.exp() + (1.0 - f) * (-m * theta).exp() < 1.0 {
        theta *= 2.0;
    }
    for _ in 0..20 {
        let value = f * theta.exp() + (1.0 - f) * (-m * theta).exp() - 1.0;
        theta -= value / (f * theta.exp() - m * (1.0 - f) * (-m * theta).exp());
    }
    let chance = ((1.0 + traffic) / evidence.false_opens).ln() / theta;
    chance.max(f64::from(evidence.floor)) + evidence.persistence.as_secs_f64() * traffic
}
