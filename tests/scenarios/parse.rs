//! From text to steps. Whatever it does not know is an error, so that no expectation is lost by a typo.

use std::time::Duration;

use tower_breaker::{
    Config, Failure, Instant, Mode, Outcome, State, Weight,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
    machine::Snapshot,
};

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) config: Config,
    pub(crate) mode: Mode,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) at: Instant,
    pub(crate) step: Step,
    pub(crate) expected: Option<Expected>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Begin {
        names: Vec<String>,
    },
    Call {
        outcome: Option<Outcome>,
        lasting: Duration,
        times: u32,
        apart: Duration,
    },
    /// The clock steps back.
    Clock,
    Configure(Box<Config>),
    End {
        names: Vec<String>,
        outcome: Option<Outcome>,
    },
    Events(Vec<String>),
    Look,
    Mode {
        mode: Mode,
        lasting: Option<Duration>,
    },
    Reset,
    /// The process is away for so long.
    Restart(Duration),
}

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) state: State,
    pub(crate) refused: bool,
    pub(crate) refused_because: Option<String>,
    pub(crate) retry_after: Option<Wait>,
    pub(crate) facts: Vec<Fact>,
}

/// A wait, or the bounds of one that is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait(Option<(Duration, Duration)>);

impl Wait {
    pub(crate) fn check(self, what: &str, seen: Option<Duration>) -> Result<(), String> {
        let holds = match (self.0, seen) {
            (Some((low, high)), Some(seen)) => low <= seen && seen <= high,
            (None, None) => true,
            _ => false,
        };
        if holds { Ok(()) } else { Err(format!("{what} is {seen:?}")) }
    }
}

/// `late 3` and the like: a number of the snapshot and its value.
#[derive(Debug)]
pub(crate) struct Fact {
    what: String,
    value: String,
}

impl Fact {
    pub(crate) fn check(&self, snapshot: &Snapshot) -> Result<(), String> {
        if self.what == "wait" {
            return wait(&self.value)?.check("the wait", snapshot.retry_after);
        }
        let seen = fact(&self.what, snapshot).ok_or_else(|| format!("nobody knows `{}`", self.what))?;
        if seen == self.value { Ok(()) } else { Err(format!("{} is {seen}", self.what)) }
    }
}

/// The number of a snapshot that has this name.
fn fact(what: &str, snapshot: &Snapshot) -> Option<String> {
    let rate = |rate: Option<f64>| rate.map_or("none".into(), |rate| format!("{:.0}%", rate * 100.0));
    Some(match what {
        "calls" => snapshot.window.calls.to_string(),
        "cancelled" => snapshot.ledger.cancelled.to_string(),
        "epoch" => snapshot.epoch.to_string(),
        "failed" => snapshot.ledger.failed.to_string(),
        "failures" => snapshot.window.failures.to_string(),
        "ignored" => snapshot.ledger.ignored.to_string(),
        "in_flight" => snapshot.in_flight.to_string(),
        "late" => snapshot.ledger.late.to_string(),
        "mode" => snapshot.mode.to_string(),
        "opened" => snapshot.times_opened.to_string(),
        "rate" => rate(snapshot.window.failure_rate),
        "reason" => snapshot.reason.as_ref().map_or("none".into(), |reason| reason.as_str().into()),
        "rejected" => snapshot.ledger.rejected.to_string(),
        "run" => snapshot.window.run.to_string(),
        "slow" => snapshot.ledger.slow.to_string(),
        "slow_rate" => rate(snapshot.window.slow_rate),
        "succeeded" => snapshot.ledger.succeeded.to_string(),
        "time_in_closed" => format!("{:?}", snapshot.time_in(State::Closed)),
        "time_in_open" => format!("{:?}", snapshot.time_in(State::Open)),
        "would_reject" => snapshot.ledger.would_reject.to_string(),
        _ => return None,
    })
}

const FACTS: [&str; 21] = [
    "calls",
    "cancelled",
    "epoch",
    "failed",
    "failures",
    "ignored",
    "in_flight",
    "late",
    "mode",
    "opened",
    "rate",
    "reason",
    "rejected",
    "run",
    "slow",
    "slow_rate",
    "succeeded",
    "time_in_closed",
    "time_in_open",
    "wait",
    "would_reject",
];

impl Scenario {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
        if !lines.next().is_some_and(|(_, line)| line.starts_with("# ") && line.ends_with('.')) {
            return Err("1: the first line says in a sentence what holds: `# … .`".into());
        }
        // Few rules, few surprises: a scenario switches on what it is about.
        let base = Config::without_rules().probing(Probing::fixed(Duration::from_secs(10))).recovery(Recovery::Probes);
        let mut scenario = Self { config: base, mode: Mode::Auto, lines: Vec::new() };
        for (number, line) in lines {
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let fault = |fault: String| format!("{number}: {fault}\n    {text}");
            if text.starts_with(|c: char| c.is_ascii_digit()) {
                let line = step(number, text, scenario.config).map_err(fault)?;
                scenario.lines.push(line);
            } else if let Some(name) = text.strip_prefix("mode ") {
                scenario.mode = mode(name).map_err(fault)?;
            } else {
                scenario.config = setting(scenario.config, text).map_err(fault)?;
            }
        }
        if scenario.lines.is_empty() { Err("1: nothing happens".into()) } else { Ok(scenario) }
    }
}

/// One step: `2.5s  call -> failure x3   # closed; calls 3`.
fn step(number: usize, text: &str, config: Config) -> Result<Line, String> {
    let (what, expected) = text.split_once('#').map_or((text, None), |(what, expected)| (what, Some(expected.trim())));
    let (at, what) = what.trim().split_once(' ').ok_or("a time and a step")?;
    let at = Instant::ZERO.after(duration(at)?);
    let (action, result) = what.split_once("->").map_or((what, None), |(action, result)| (action, Some(result.trim())));
    let mut words = action.split_whitespace();
    let verb = words.next().ok_or("what happens?")?;
    let rest: Vec<&str> = words.collect();
    let names = || rest.iter().map(ToString::to_string).collect::<Vec<_>>();
    if let ("events", Some(expected)) = (verb, expected) {
        let events =
            expected.split(',').map(|event| event.trim().to_owned()).filter(|event| !event.is_empty()).collect();
        return Ok(Line { number, text: text.into(), at, step: Step::Events(events), expected: None });
    }
    let step = match (verb, &rest[..], result) {
        ("begin", [_, ..], None) => Step::Begin { names: names() },
        ("call", [], None) => Step::Call { outcome: None, lasting: Duration::ZERO, times: 1, apart: Duration::ZERO },
        ("call", [], Some(result)) => call(result)?,
        ("clock", [], None) => Step::Clock,
        ("configure", [_, ..], None) => Step::Configure(Box::new(setting(config, &rest.join(" "))?)),
        ("drop", [_, ..], None) => Step::End { names: names(), outcome: None },
        ("end", [_, ..], Some(result)) => Step::End { names: names(), outcome: Some(outcome(result)?) },
        ("look", [], None) => Step::Look,
        ("mode", [name], None) => Step::Mode { mode: mode(name)?, lasting: None },
        ("mode", [name, "for", lasting], None) => Step::Mode { mode: mode(name)?, lasting: Some(duration(lasting)?) },
        ("reset", [], None) => Step::Reset,
        ("restart", ["after", gap], None) => Step::Restart(duration(gap)?),
        _ => return Err("nobody knows this step".into()),
    };
    let expected = expected.map(self::expected).transpose()?;
    Ok(Line { number, text: text.into(), at, step, expected })
}

/// `failure`, `success after 2s`, `failure x5`, `failure x5 every 1s`.
fn call(text: &str) -> Result<Step, String> {
    let (text, apart) = match text.split_once(" every ") {
        Some((text, apart)) => (text, duration(apart.trim())?),
        None => (text, Duration::ZERO),
    };
    let (text, times) = match text.rsplit_once(" x") {
        Some((text, times)) => (text, times.trim().parse().map_err(|_| "how often?")?),
        None => (text, 1),
    };
    let (text, lasting) = match text.split_once(" after ") {
        Some((text, lasting)) => (text, duration(lasting.trim())?),
        None => (text, Duration::ZERO),
    };
    Ok(Step::Call { outcome: Some(outcome(text.trim())?), lasting, times, apart })
}

/// `success`, `ignored`, `failure weight 2 retry_after 7s rate_limited trips`.
fn outcome(text: &str) -> Result<Outcome, String> {
    let mut words = text.split_whitespace();
    match words.next() {
        Some("success") if text == "success" => return Ok(Outcome::Success),
        Some("ignored") if text == "ignored" => return Ok(Outcome::Ignored),
        Some("failure") => {}
        _ => return Err(format!("`{text}` is no outcome")),
    }
    let mut failure = Failure::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` of what?"));
        failure = match word {
            "weight" => {
                let weight = value()?.parse().map_err(|_| "a weight")?;
                failure.weight(Weight::new(weight).map_err(|error| error.to_string())?)
            }
            "retry_after" => failure.retry_after(duration(value()?)?),
            "rate_limited" => failure.rate_limited(),
            "trips" => failure.tripping(),
            _ => return Err(format!("`{word}` is nothing of a failure")),
        };
    }
    Ok(failure.into())
}

/// `open: refused open, 7s; rejected 3`.
fn expected(text: &str) -> Result<Expected, String> {
    let mut parts = text.split(';').map(str::trim);
    let head = parts.next().unwrap_or_default();
    let (state, refusal) = head.split_once(':').map_or((head, None), |(state, refusal)| (state, Some(refusal.trim())));
    let state = state_of(state.trim())?;
    let mut expected = Expected { state, refused: false, refused_because: None, retry_after: None, facts: Vec::new() };
    if let Some(refusal) = refusal {
        let text = refusal.strip_prefix("refused").ok_or("only a refusal stands behind a colon")?;
        expected.refused = true;
        let (reason, retry) = text.split_once(',').map_or((text, None), |(reason, retry)| (reason, Some(retry.trim())));
        expected.refused_because = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        expected.retry_after = retry.map(wait).transpose()?;
    }
    for part in parts {
        let (what, value) = part.split_once(' ').ok_or("a name and a value")?;
        if !FACTS.contains(&what) {
            return Err(format!("nobody knows `{what}`"));
        }
        expected.facts.push(Fact { what: what.into(), value: value.trim().into() });
    }
    Ok(expected)
}

fn setting(config: Config, text: &str) -> Result<Config, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let half_open = config.half_open;
    Ok(match words[..] {
        ["base", "default"] => Config::new(),
        ["base", "classic"] => Config::classic(),
        ["base", "resilience4j"] => Config::resilience4j(),
        ["base", "hystrix"] => Config::hystrix(),
        ["base", "polly"] => Config::polly(),
        ["base", "opossum"] => Config::opossum(),
        ["base", "envoy"] => Config::envoy(),
        ["base", "gobreaker"] => Config::gobreaker(),
        ["base", "failsafe"] => Config::failsafe(),
        ["evidence"] => config.evidence(Evidence::new()),
        ["evidence", "useless", share_] => config.evidence(Evidence::new().useless(share(share_)?)),
        ["failures", n] => config.consecutive_failures(Consecutive::new(number(n)?)),
        ["failures", n, "over", span] => {
            config.consecutive_failures(Consecutive::new(number(n)?).span(duration(span)?))
        }
        ["failure_count", n, "in", period] => config.failure_count(FailureCount::new(number(n)?, duration(period)?)),
        ["failure_rate", threshold, "of", n, ref of @ ..] => {
            config.failure_rate(FailureRate::new(share(threshold)?).minimum_calls(number(n)?).window(window(of)?))
        }
        ["no_failure_rate"] => config.without_failure_rate(),
        ["burst", threshold, "of", n, ref of @ ..] => {
            config.burst(FailureRate::new(share(threshold)?).minimum_calls(number(n)?).window(window(of)?))
        }
        ["slow", limit, threshold, "of", n, ref of @ ..] => config.slow_calls(
            SlowCalls::new(duration(limit)?).threshold(share(threshold)?).minimum_calls(number(n)?).window(window(of)?),
        ),
        ["open_for", "square_root"] => config.probing(Probing::SQUARE_ROOT),
        ["open_for", wait] => config.probing(Probing::fixed(duration(wait)?)),
        ["open_for", base, factor, "to", max] => config.probing(Probing::Backoff {
            base: duration(base)?,
            factor: factor.trim_start_matches('x').parse().map_err(|_| "a factor")?,
            max: duration(max)?,
            jitter: Jitter::None,
        }),
        ["max_retry_after", max] => config.max_retry_after(duration(max)?),
        ["probes", n] => config.half_open(half_open.success_threshold(number(n)?)),
        ["probe_rate", threshold, "of", n] => config.half_open(half_open.failure_rate(number(n)?, share(threshold)?)),
        ["concurrent_probes", n] => config.half_open(half_open.max_concurrent_probes(number(n)?)),
        ["probe_timeout", timeout] => config.half_open(half_open.probe_timeout(duration(timeout)?)),
        ["half_open_at_most", max] => config.half_open(HalfOpen::max_wait(half_open, duration(max)?)),
        ["ignored_as_alive", n] => config.half_open(half_open.ignored_as_alive(number(n)?)),
        ["recovery", "probes"] => config.recovery(Recovery::Probes),
        ["recovery", "window"] => config.recovery(Recovery::Window(RecoveryWindow::new())),
        ["recovery", "window", "tolerance", n] => {
            config.recovery(Recovery::Window(RecoveryWindow::new().tolerance(number(n)?)))
        }
        ["recovery", "ramp", "step", step] => config.recovery(Recovery::Ramp(Ramp::new().step(duration(step)?))),
        ["recovery", "ramp", "step", step, "tolerance", n] => {
            config.recovery(Recovery::Ramp(Ramp::new().step(duration(step)?).tolerance(number(n)?)))
        }
        ["cancelled_after", "never"] => config.cancelled_after(CancelledAfter::Never),
        ["cancelled_after", age] => config.cancelled_after(CancelledAfter::After(duration(age)?)),
        ["initial", state] => config.initial_state(state_of(state)?),
        _ => return Err("nobody knows this setting".into()),
    })
}

/// `in 10s`, `in 10s / 5`, `last 100`.
fn window(words: &[&str]) -> Result<Window, String> {
    Ok(match words {
        ["in", length] => Window::time(duration(length)?),
        ["in", length, "/", buckets] => Window::time(duration(length)?).buckets(number(buckets)?),
        ["last", calls] => Window::count(number(calls)?),
        _ => return Err("`in 10s`, `in 10s / 5` or `last 100`".into()),
    })
}

fn state_of(name: &str) -> Result<State, String> {
    State::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| format!("`{name}` is no state"))
}

fn mode(name: &str) -> Result<Mode, String> {
    let modes = [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly];
    modes.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| format!("`{name}` is no mode"))
}

fn wait(text: &str) -> Result<Wait, String> {
    if text == "none" {
        return Ok(Wait(None));
    }
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    Ok(Wait(Some((duration(low.trim())?, duration(high.trim())?))))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// `50%` or `0.5`.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    number.parse::<f64>().map(|share| share * scale).map_err(|_| format!("`{text}` is no share"))
}

/// `7s`, `250ms`, `1.5s`, `2m`, `30d`, `0`.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let secs = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(format!("`{text}` is no duration")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is no duration"))?;
    Ok(Duration::from_secs_f64(number * secs))
}
