//! The subjects that are no breaker: a window, a backoff, a config.

use std::time::Duration;

use tower_breaker::{
    Config, Instant, Mode, Outcome,
    clock::Clock,
    config::{CancelledAfter, Consecutive, FailureRate, Probing, Recovery, SlowCalls, Window},
};

use super::{
    Fault, Verdict,
    clock::Virtual,
    hearts::{Answer, Hearts},
    notes::{Note, Notes},
    plan::{Cannot, Plan, backoff, cut, duration, whole},
    reads::{near, share},
    settings::{Backoff, Breaker, Number, WindowConfig},
    steps::{AttemptStep, Counter, Expected, Recorded, WindowStep},
    switches::Switches,
};

/// Whether a config is refused where it should be.
pub(super) fn config(breaker: &Breaker, valid: bool, switches: &Switches, notes: &mut Notes) -> Verdict {
    match (Plan::new(breaker, switches, notes), valid) {
        (Ok(_), true) | (Err(Cannot::Take(_)), false) => Verdict::Passed,
        (Ok(_), false) => Fault::new("config", "it is accepted").into(),
        (Err(Cannot::Take(why)), true) => Fault::new("config", why).into(),
        (Err(Cannot::Express(what)), _) => Verdict::NotApplicable(format!("no setting of ours is {what}")),
    }
}

/// The waits before attempts: an outage whose probes all fail, for one seed or, where jitter has bounds, for many.
pub(super) fn waits(config: &Backoff, steps: &[AttemptStep]) -> Verdict {
    let probing = match backoff(config) {
        Ok(probing) => probing,
        Err(Cannot::Express(what)) => return Verdict::NotApplicable(format!("no setting of ours is {what}")),
        Err(Cannot::Take(why)) => return Fault::new("config", why).into(),
    };
    for seed in 0..100 {
        let longest = steps.iter().map(|step| step.attempt).max().unwrap_or_default();
        let waits = match outage(probing, longest, seed) {
            Ok(waits) => waits,
            Err(what) => return Fault::new("config", what).into(),
        };
        for (i, step) in steps.iter().enumerate() {
            let Some(wait) = step.attempt.checked_sub(1).and_then(|at| waits.get(at)) else {
                return Fault::new(&(i + 1).to_string(), "attempts are counted from one").into();
            };
            let ms = wait.as_secs_f64() * 1_000.0;
            let exact = step.equals_ms.is_none_or(|equals| (ms - equals).abs() < 1e-3);
            let bounded = step.min_ms.is_none_or(|min| ms >= min) && step.max_ms.is_none_or(|max| ms <= max);
            if !exact || !bounded {
                return Fault::new(&(i + 1).to_string(), format!("the wait is {ms} ms (seed {seed})")).into();
            }
        }
    }
    Verdict::Passed
}

/// The first waits of an outage that does not end.
fn outage(probing: Probing, probes: usize, seed: u64) -> Result<Vec<Duration>, String> {
    let config =
        Config::without_rules().consecutive_failures(Consecutive::new(1)).recovery(Recovery::Probes).probing(probing);
    let clock = Virtual::default();
    let mut hearts = Hearts::new(config, seed, &clock)?;
    let mut waits = Vec::new();
    for _ in 0..probes {
        let Answer::Admitted(call) = hearts.begin(false)? else {
            return Err("a probe was rejected after its wait".into());
        };
        hearts.end(call, Some(Outcome::failure()));
        let wait = hearts.snapshot()?.retry_after.ok_or("it is not open after a failed probe")?;
        clock.advance(wait);
        waits.push(wait);
        hearts.take_events()?;
    }
    Ok(waits)
}

/// A window, seen through a circuit that counts and never trips.
struct Windowed<'a> {
    hearts: Hearts,
    clock: Virtual,
    notes: &'a mut Notes,
}

/// The least that a slow call can take.
const LIMIT: Duration = Duration::from_nanos(1);

pub(super) fn window(config: &WindowConfig, steps: &[WindowStep], switches: &Switches, notes: &mut Notes) -> Verdict {
    match Windowed::new(config, switches, notes) {
        Ok(mut windowed) => match windowed.steps(steps, "") {
            Ok(()) => Verdict::Passed,
            Err(fault) => fault.into(),
        },
        Err(Cannot::Express(what)) => Verdict::NotApplicable(format!("no setting of ours is {what}")),
        Err(Cannot::Take(why)) => Fault::new("config", why).into(),
    }
}

impl<'a> Windowed<'a> {
    fn new(config: &WindowConfig, switches: &Switches, notes: &'a mut Notes) -> Result<Self, Cannot> {
        let (window, bucket, start) = match config {
            WindowConfig::CountWindow { window, clock_start_ms } => {
                (Window::count(whole(*window)?), Duration::ZERO, clock_start_ms)
            }
            WindowConfig::TimeWindow { window_ms, bucket_ms, clock_start_ms } => {
                let tumbles = switches.is("time_window_alignment", "tumbling");
                let buckets = if tumbles { 1 } else { cut(*window_ms, Some(*bucket_ms), None)? };
                let length = duration(*window_ms)?;
                (Window::time(length).buckets(buckets), length / buckets.max(1), clock_start_ms)
            }
        };
        let start = start.map_or(Ok(Duration::ZERO), duration)?;
        let epoch = switches.is("time_window_alignment", "epoch") && !bucket.is_zero();
        let into_bucket = if epoch { start.as_nanos() % bucket.as_nanos() } else { 0 };
        let clock = Virtual::default();
        clock.set(Instant::ZERO.after(start.saturating_sub(nanos(into_bucket))));
        let config = Config::without_rules()
            .failure_rate(FailureRate::new(1.0).minimum_calls(1).window(window))
            .slow_calls(SlowCalls::new(LIMIT).minimum_calls(1).window(window))
            .cancelled_after(CancelledAfter::Never);
        let mut hearts = Hearts::new(config, 1, &clock).map_err(Cannot::Take)?;
        hearts.set_mode(Mode::ForcedClosed, None);
        clock.set(Instant::ZERO.after(start));
        Ok(Self { hearts, clock, notes })
    }

    fn steps(&mut self, steps: &[WindowStep], above: &str) -> Result<(), Fault> {
        for (i, step) in steps.iter().enumerate() {
            let place = format!("{above}{}", i + 1);
            let done = match step {
                WindowStep::Advance { ms } => duration(Number(*ms)).map(|span| self.clock.advance(span)).map_err(text),
                WindowStep::Expect(expected) => self.check(expected),
                WindowStep::Record { outcome, times, .. } => {
                    (0..times.unwrap_or(1)).try_for_each(|_| self.record(*outcome))
                }
                WindowStep::Repeat { count, steps } => {
                    for turn in 1..=*count {
                        self.steps(steps, &format!("{place} (turn {turn})."))?;
                    }
                    Ok(())
                }
                WindowStep::Reset => {
                    self.hearts.reset();
                    Ok(())
                }
            };
            done.map_err(|what| Fault::new(&place, what))?;
        }
        Ok(())
    }

    /// A slow call ends two nanoseconds after it began; then the clock is put back.
    fn record(&mut self, outcome: Recorded) -> Result<(), String> {
        let Answer::Admitted(call) = self.hearts.begin(false)? else { return Err("a call was rejected".into()) };
        let now = self.clock.now();
        let (outcome, slow) = match outcome {
            Recorded::Failure => (Outcome::failure(), false),
            Recorded::SlowFailure => (Outcome::failure(), true),
            Recorded::SlowSuccess => (Outcome::Success, true),
            Recorded::Success => (Outcome::Success, false),
        };
        if slow {
            self.clock.advance(2 * LIMIT);
        }
        self.hearts.end(call, Some(outcome));
        self.clock.set(now);
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "failures of weight one")]
    fn check(&mut self, expected: &Expected) -> Result<(), String> {
        let window = self.hearts.snapshot()?.window;
        let (calls, failures) = (window.calls, window.failures as u64);
        for (counter, value) in &expected.counts {
            let got = match counter {
                Counter::Failure => failures,
                Counter::Slow => window.slow,
                Counter::Success => calls - failures,
                Counter::Total => calls,
                Counter::AverageDurationMs | Counter::DurationMs => {
                    self.notes.add(Note::Waived("durations are not summed"));
                    continue;
                }
                Counter::SlowFailure | Counter::SlowSuccess => {
                    self.notes.add(Note::Waived("slow calls are not split by outcome"));
                    continue;
                }
                Counter::ConsecutiveFailure
                | Counter::ConsecutiveSuccess
                | Counter::Fired
                | Counter::Ignored
                | Counter::Rejected
                | Counter::Requests => return Err(format!("a window has no {counter:?}")),
            };
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            near(&format!("{counter:?}"), Some(Some(*value)), Some(got as f64), 1e-9)?;
        }
        // Both are counted in one number.
        let split = [Counter::SlowFailure, Counter::SlowSuccess].map(|counter| expected.counts.get(&counter));
        if let [Some(failures), Some(successes)] = split {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            near("the number of slow calls", Some(Some(failures + successes)), Some(window.slow as f64), 1e-9)?;
        }
        let tolerance = expected.tolerance.unwrap_or(1e-4);
        // A window knows no minimum, and none of no calls is none.
        near("failure rate", expected.failure_rate, Some(share(failures, calls)), tolerance)?;
        near("slow call rate", expected.slow_call_rate, Some(share(window.slow, calls)), tolerance)?;
        let own = |part: u64| (calls > 0).then(|| share(part, calls));
        near("failure rate of the snapshot", Some(own(failures)), window.failure_rate, 1e-9)?;
        near("slow rate of the snapshot", Some(own(window.slow)), window.slow_rate, 1e-9)?;
        let asks_more = expected.state.is_some()
            || expected.success_rate.is_some()
            || expected.retry_after_ms.is_some()
            || expected.open_wait_ms.is_some()
            || expected.reason.is_some()
            || expected.on.is_some();
        if asks_more { Err("a window has counts and rates only".into()) } else { Ok(()) }
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn text(why: Cannot) -> String {
    match why {
        Cannot::Express(text) | Cannot::Take(text) => text,
    }
}
