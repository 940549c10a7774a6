//! From a config of the schema to one of ours, under the switches that the scenario declares.

use std::time::Duration;

use tower_breaker::{
    Config, State,
    config::{
        CancelledAfter, Consecutive, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Recovery, SlowCalls, Window,
    },
};

use super::{
    notes::{Note, Notes},
    settings::{self, AfterMaxWait, Breaker, Initial, JitterKind, Number, OpenEnds, Trip},
    switches::Switches,
};

/// The longest duration that a config takes.
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Why there is no config.
#[derive(Debug, PartialEq)]
pub(crate) enum Cannot {
    /// Ours has no setting for it.
    Express(String),
    /// Ours refuses it, as a value of its type or in `Config::check`.
    Take(String),
}

type Planned<T> = Result<T, Cannot>;

/// A config of ours, and how what it does is read.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    /// Where buckets begin.
    pub(crate) created: Duration,
    pub(crate) start: Duration,
    /// Whether a rule looks at a window; counts are those of the phase otherwise.
    pub(crate) has_window: bool,
    pub(crate) permitted_calls: u32,
    pub(crate) initial: Initial,
    /// Whether an open circuit whose wait is over is read as half-open.
    pub(crate) reads_over_as_half_open: bool,
}

impl Plan {
    pub(crate) fn new(breaker: &Breaker, switches: &Switches, notes: &mut Notes) -> Planned<Self> {
        let mut config = Config::without_rules().recovery(Recovery::Probes).max_retry_after(YEAR);
        let mut bucket = Duration::ZERO;
        trip(&mut config, &breaker.trip, switches, &mut bucket, notes)?;
        config.probing = probing(&breaker.open)?;
        config.half_open = half_open(&breaker.half_open, &config, switches)?;
        if switches.is("half_open_admission", "refill_per_wait") {
            if let Some(wait) = breaker.open.wait_ms {
                config.half_open.probe_timeout = duration(wait)?;
            }
        }
        config.cancelled_after = cancelled_after(breaker, switches);
        config.initial_state = match breaker.initial_state {
            Initial::Open => State::Open,
            Initial::HalfOpen => State::HalfOpen,
            Initial::Closed | Initial::Disabled | Initial::ForcedOpen | Initial::MetricsOnly => State::Closed,
        };
        config.check().map_err(|error| Cannot::Take(error.to_string()))?;
        let start = breaker.clock_start_ms.map_or(Ok(Duration::ZERO), duration)?;
        let epoch = switches.is("time_window_alignment", "epoch") && !bucket.is_zero();
        let into_bucket = if epoch { start.as_nanos() % bucket.as_nanos() } else { 0 };
        Ok(Self {
            created: Duration::from_nanos(u64::try_from(start.as_nanos() - into_bucket).unwrap_or(u64::MAX)),
            start,
            has_window: config.failure_rate.is_some() || config.slow_calls.is_some(),
            permitted_calls: permitted(&breaker.half_open)?,
            initial: breaker.initial_state,
            reads_over_as_half_open: breaker.open.transition == OpenEnds::Auto
                || switches.is("state_read", "transitions"),
            config,
        })
    }
}

fn trip(
    config: &mut Config,
    trip: &Trip,
    switches: &Switches,
    bucket: &mut Duration,
    notes: &mut Notes,
) -> Planned<()> {
    match trip {
        Trip::AnyOf { policies, warm_up_ms } => {
            no_warm_up(*warm_up_ms)?;
            for policy in policies {
                if policy.has_its_own {
                    return cannot("a rule with a classifier or a wait of its own");
                }
                self::trip(config, &policy.trip, switches, bucket, notes)?;
            }
            Ok(())
        }
        Trip::Average { .. } => cannot("a rule on a moving average of successes"),
        Trip::Consecutive { failure_threshold, warm_up_ms } => {
            no_warm_up(*warm_up_ms)?;
            only_one(config.consecutive_failures.is_some())?;
            config.consecutive_failures = Some(Consecutive::new(whole(*failure_threshold)?));
            Ok(())
        }
        Trip::External { .. } => Ok(()),
        Trip::CountWindow {
            window,
            minimum_calls,
            failure_rate,
            failure_count,
            slow_call_rate,
            slow_call_duration_ms,
            warm_up_ms,
        } => {
            no_warm_up(*warm_up_ms)?;
            if failure_count.is_some() {
                return cannot("a number of failures among the last calls");
            }
            let calls = whole(*window)?;
            let full = switches.is("window_readiness", "full");
            let minimum = minimum_calls.map_or(Ok(1), whole)?;
            let minimum = if full { calls } else { minimum };
            let looks = Looks { window: Window::count(calls), minimum };
            looks.rate(config, *failure_rate)?;
            looks.slow(config, *slow_call_rate, *slow_call_duration_ms)
        }
        Trip::TimeWindow {
            window_ms,
            bucket_ms,
            buckets,
            minimum_calls,
            failure_rate,
            failure_count,
            slow_call_rate,
            slow_call_duration_ms,
            warm_up_ms,
        } => {
            no_warm_up(*warm_up_ms)?;
            let length = duration(*window_ms)?;
            let tumbles = switches.is("time_window_alignment", "tumbling");
            let buckets = if tumbles { 1 } else { cut(*window_ms, *bucket_ms, *buckets)? };
            *bucket = length / buckets.max(1);
            let looks =
                Looks { window: Window::time(length).buckets(buckets), minimum: minimum_calls.map_or(Ok(1), whole)? };
            looks.rate(config, *failure_rate)?;
            looks.slow(config, *slow_call_rate, *slow_call_duration_ms)?;
            let Some(count) = failure_count else { return Ok(()) };
            only_one(config.failure_count.is_some())?;
            let failures = whole(*count)?;
            if looks.minimum > failures {
                return cannot("a number of failures with a minimum of calls");
            }
            if buckets != 10 {
                notes.add(Note::By("a number of failures is counted in ten buckets"));
            }
            config.failure_count = Some(FailureCount::new(failures, length));
            Ok(())
        }
    }
}

/// A window and when it is judged.
struct Looks {
    window: Window,
    minimum: u32,
}

impl Looks {
    fn rate(&self, config: &mut Config, threshold: Option<Number>) -> Planned<()> {
        let Some(Number(threshold)) = threshold else { return Ok(()) };
        let rate = FailureRate::new(threshold).minimum_calls(self.minimum).window(self.window);
        match (config.failure_rate, config.burst) {
            (None, _) => config.failure_rate = Some(rate),
            (Some(_), None) => config.burst = Some(rate),
            (Some(_), Some(_)) => return only_one(true),
        }
        Ok(())
    }

    /// The rate alone has the duration of Resilience4j's default, the duration alone its rate.
    fn slow(&self, config: &mut Config, threshold: Option<Number>, limit: Option<Number>) -> Planned<()> {
        if threshold.is_none() && limit.is_none() {
            return Ok(());
        }
        only_one(config.slow_calls.is_some())?;
        let limit = limit.map_or(Ok(Duration::from_secs(60)), duration)?;
        let threshold = threshold.map_or(1.0, |Number(threshold)| threshold);
        let slow = SlowCalls::new(limit).threshold(threshold).minimum_calls(self.minimum).window(self.window);
        config.slow_calls = Some(slow);
        Ok(())
    }
}

/// In how many buckets a window is cut.
pub(crate) fn cut(window: Number, bucket: Option<Number>, buckets: Option<Number>) -> Planned<u32> {
    match (bucket, buckets) {
        (Some(_), Some(_)) => Err(Cannot::Take("buckets are given by their length or by their number".into())),
        (None, buckets) => buckets.map_or(Ok(10), whole),
        (Some(bucket), None) => {
            let number = window.0 / bucket.0;
            let rounded = number.round();
            if (number - rounded).abs() > 1e-6 {
                return cannot("a bucket that is no whole part of its window");
            }
            whole(Number(rounded))
        }
    }
}

fn probing(open: &settings::Open) -> Planned<Probing> {
    if open.transition == OpenEnds::Never {
        return Ok(Probing::fixed(YEAR));
    }
    match (open.wait_ms, &open.backoff) {
        (Some(_), Some(_)) => Err(Cannot::Take("`Probing` is a fixed wait or a backoff, never both".into())),
        (Some(wait), None) => Ok(Probing::fixed(duration(wait)?)),
        (None, Some(backoff)) => self::backoff(backoff),
        (None, None) => Ok(Probing::fixed(Duration::from_secs(60))),
    }
}

pub(crate) fn backoff(backoff: &settings::Backoff) -> Planned<Probing> {
    let spread = |jitter: &Option<settings::Jitter>| {
        let Some(jitter) = jitter else { return Ok(Jitter::None) };
        match jitter.kind {
            JitterKind::Add => cannot("jitter that is added"),
            JitterKind::Equal => Ok(Jitter::Equal),
            JitterKind::Factor => Ok(Jitter::Spread(jitter.factor.map_or(0.5, |Number(factor)| factor))),
            JitterKind::Full => Ok(Jitter::Full),
        }
    };
    match backoff {
        settings::Backoff::Exponential { initial_ms, multiplier, max_ms, jitter } => Ok(Probing::Backoff {
            base: duration(*initial_ms)?,
            factor: multiplier.map_or(2.0, |Number(multiplier)| multiplier),
            max: max_ms.map_or(Ok(YEAR), duration)?,
            jitter: spread(jitter)?,
        }),
        settings::Backoff::Fixed { wait_ms, jitter } => {
            Ok(Probing::Fixed { wait: duration(*wait_ms)?, jitter: spread(jitter)? })
        }
        settings::Backoff::Sequence { .. } => cannot("a list of waits; ours are fixed or grow by a factor"),
    }
}

fn permitted(half_open: &settings::HalfOpen) -> Planned<u32> {
    half_open.permitted_calls.map_or(Ok(10), whole)
}

/// A probe may stay away as long as the phase lasts: these systems lend no leases.
fn half_open(half_open: &settings::HalfOpen, config: &Config, switches: &Switches) -> Planned<HalfOpen> {
    if half_open.capacity.is_some() || switches.is("half_open_rule", "ratio") {
        return cannot("a verdict by k of the last n probes");
    }
    if matches!(half_open.after_max_wait, Some(AfterMaxWait::Closed | AfterMaxWait::HalfOpen)) {
        return cannot("`after_max_wait`: what follows too long a half-open phase is always open");
    }
    let max_wait = half_open.max_wait_ms.map_or(Ok(YEAR), duration)?;
    let probes = permitted(half_open)?;
    let ours = HalfOpen::new().ignored_as_alive(0).max_concurrent_probes(probes).max_wait(max_wait);
    let ours = ours.probe_timeout(max_wait);
    Ok(match config.failure_rate {
        Some(rate) if switches.is("half_open_rule", "rate") => ours.failure_rate(probes, rate.threshold),
        Some(_) | None => ours.success_threshold(half_open.success_threshold.map_or(Ok(probes), whole)?),
    })
}

fn cancelled_after(breaker: &Breaker, switches: &Switches) -> CancelledAfter {
    if switches.is("on_probe_drop", "reopen") || switches.is("on_probe_drop", "failure") {
        return CancelledAfter::After(Duration::ZERO);
    }
    match breaker.cancel_counts_as {
        Some(settings::CancelClass::Failure) => CancelledAfter::After(Duration::ZERO),
        None => CancelledAfter::Never,
    }
}

fn no_warm_up(warm_up: Option<Number>) -> Planned<()> {
    if warm_up.is_some() { cannot("a warm-up without judgement") } else { Ok(()) }
}

fn only_one(there: bool) -> Planned<()> {
    if there { cannot("a second rule of the same kind") } else { Ok(()) }
}

fn cannot<T>(what: &str) -> Planned<T> {
    Err(Cannot::Express(what.into()))
}

/// Milliseconds as a duration, which is never negative.
pub(crate) fn duration(Number(ms): Number) -> Planned<Duration> {
    Duration::try_from_secs_f64(ms / 1_000.0).map_err(|_| Cannot::Take(format!("{ms} ms is no `Duration`")))
}

/// A number of calls, which is whole and never negative.
pub(crate) fn whole(Number(number): Number) -> Planned<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared in the next line")]
    let cast = number as u32;
    #[expect(clippy::float_cmp, reason = "a whole number is exactly itself")]
    let same = f64::from(cast) == number;
    if same { Ok(cast) } else { Err(Cannot::Take(format!("{number} is no number of calls"))) }
}
