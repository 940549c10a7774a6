//! One table of settings, laid over those it inherits.

use std::time::Duration;

use super::{
    fields::Fields,
    scalar::{Scalar, Share},
    value::Value,
};
use crate::{
    config::{
        CancelledAfter, Config, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, ProbeVerdict, Ramp,
        Recovery, RecoveryWindow, SlowCalls, Window,
    },
    state::{Mode, State},
};

pub(super) const MODES: [(&str, Mode); 5] = [
    ("auto", Mode::Auto),
    ("forced_open", Mode::ForcedOpen),
    ("forced_closed", Mode::ForcedClosed),
    ("disabled", Mode::Disabled),
    ("metrics_only", Mode::MetricsOnly),
];

/// Lays what the table says over the settings.
pub(super) fn lay_over(config: &mut Config, fields: &mut Fields<'_, '_>) {
    rule(fields, "evidence", &mut config.evidence, Evidence::new(), &[], evidence);
    rule(fields, "failure_rate", &mut config.failure_rate, FailureRate::new(0.5), &[], failure_rate);
    let threshold = ("threshold", Share::EXPECTED);
    rule(fields, "burst", &mut config.burst, FailureRate::new(0.5), &[threshold], failure_rate);
    let slow = ("duration", Duration::EXPECTED);
    rule(fields, "slow_calls", &mut config.slow_calls, SlowCalls::new(Duration::ZERO), &[slow], slow_calls);
    let failures = ("failures", u32::EXPECTED);
    rule(fields, "consecutive_failures", &mut config.consecutive_failures, Consecutive::new(0), &[failures], run);
    let count = FailureCount::new(0, Duration::ZERO);
    let period = ("period", Duration::EXPECTED);
    rule(fields, "failure_count", &mut config.failure_count, count, &[failures, period], failure_count);
    super::probing::lay_over(&mut config.probing, fields);
    fields.set("max_retry_after", &mut config.max_retry_after);
    if let Some(mut table) = fields.table("half_open") {
        half_open(&mut config.half_open, &mut table);
        table.end();
    }
    recovery(&mut config.recovery, fields);
    cancelled_after(&mut config.cancelled_after, fields);
    let states = State::ALL.map(|state| (state.as_str(), state));
    if let Some(state) = fields.word("initial_state", &states) {
        config.initial_state = state;
    }
}

/// A rule that may be off: a table switches it on, `false` off, and `true` on with the numbers it has.
pub(super) fn rule<T: Copy>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    place: &mut Option<T>,
    new: T,
    needs: &[(&str, &str)],
    fill: fn(&mut T, &mut Fields<'_, '_>),
) {
    let Some(value) = fields.value(key) else { return };
    match bool::read(value) {
        Some(false) => *place = None,
        Some(true) if needs.is_empty() => *place = place.or(Some(new)),
        Some(true) => {
            if place.is_none() {
                fields.fault(key, value, "a table: it has no numbers yet");
            }
        }
        None if matches!(value, Value::Table(_)) => {
            let Some(mut table) = fields.table(key) else { return };
            let mut rule = place.unwrap_or(new);
            fill(&mut rule, &mut table);
            let mut complete = true;
            for (key, expected) in needs {
                complete &= place.is_some() || table.needs(key, expected);
            }
            table.end();
            if complete {
                *place = Some(rule);
            }
        }
        None => fields.fault(key, value, "a table, or true or false"),
    }
}

fn share(place: &mut f64, key: &'static str, table: &mut Fields<'_, '_>) {
    if let Some(Share(share)) = table.read(key) {
        *place = share;
    }
}

fn evidence(evidence: &mut Evidence, table: &mut Fields<'_, '_>) {
    share(&mut evidence.useless, "useless", table);
    share(&mut evidence.tolerated, "tolerated", table);
    share(&mut evidence.false_opens, "false_opens", table);
    table.set("floor", &mut evidence.floor);
    table.set("persistence", &mut evidence.persistence);
}

fn failure_rate(rate: &mut FailureRate, table: &mut Fields<'_, '_>) {
    share(&mut rate.threshold, "threshold", table);
    table.set("minimum_calls", &mut rate.minimum_calls);
    window(&mut rate.window, table);
}

fn slow_calls(slow: &mut SlowCalls, table: &mut Fields<'_, '_>) {
    table.set("duration", &mut slow.duration);
    share(&mut slow.threshold, "threshold", table);
    table.set("minimum_calls", &mut slow.minimum_calls);
    window(&mut slow.window, table);
}

fn window(window: &mut Window, table: &mut Fields<'_, '_>) {
    if let Some(read) = table.read::<Window>("window") {
        *window = match (*window, read) {
            // Another length leaves the number of buckets as it is.
            (Window::Time { buckets, .. }, Window::Time { length, .. }) => Window::Time { length, buckets },
            (Window::Count { .. }, _) | (_, Window::Count { .. }) => read,
        };
    }
    if let Some(buckets) = table.read::<u32>("buckets") {
        match window {
            Window::Time { .. } => *window = window.buckets(buckets),
            Window::Count { .. } => table.fault("buckets", buckets, "absent: a window of calls has none"),
        }
    }
}

fn run(run: &mut Consecutive, table: &mut Fields<'_, '_>) {
    table.set("failures", &mut run.failures);
    table.set("span", &mut run.span);
}

fn failure_count(count: &mut FailureCount, table: &mut Fields<'_, '_>) {
    table.set("failures", &mut count.failures);
    table.set("period", &mut count.period);
}

fn half_open(half_open: &mut HalfOpen, table: &mut Fields<'_, '_>) {
    if let Some(mut verdict) = table.table("verdict") {
        probe_verdict(&mut half_open.verdict, &mut verdict);
        verdict.end();
    }
    table.set("max_concurrent_probes", &mut half_open.max_concurrent_probes);
    table.set("probe_timeout", &mut half_open.probe_timeout);
    table.set("max_wait", &mut half_open.max_wait);
    table.set("ignored_as_alive", &mut half_open.ignored_as_alive);
}

/// Either `successes`, or `probes` and `threshold`.
fn probe_verdict(verdict: &mut ProbeVerdict, table: &mut Fields<'_, '_>) {
    let by_rate = table.has("probes") || table.has("threshold");
    let successes = table.read::<u32>("successes");
    let probes = table.read::<u32>("probes");
    let threshold = table.read::<Share>("threshold").map(|Share(share)| share);
    if table.has("successes") && by_rate {
        return table.fault("successes", "beside `probes` and `threshold`", "absent, or they");
    }
    if let Some(successes) = successes {
        *verdict = ProbeVerdict::Successes(successes);
    }
    if by_rate {
        let (had_probes, had_threshold) = match *verdict {
            ProbeVerdict::Rate { probes, threshold } => (Some(probes), Some(threshold)),
            ProbeVerdict::Successes(_) => (None, None),
        };
        let complete = (had_probes.is_some() || table.needs("probes", u32::EXPECTED))
            & (had_threshold.is_some() || table.needs("threshold", Share::EXPECTED));
        if let (true, Some(probes), Some(threshold)) = (complete, probes.or(had_probes), threshold.or(had_threshold)) {
            *verdict = ProbeVerdict::Rate { probes, threshold };
        }
    }
}

/// `"probes"`, or a table with one table in it: `ramp` or `window`.
fn recovery(recovery: &mut Recovery, fields: &mut Fields<'_, '_>) {
    match fields.value("recovery") {
        None => {}
        Some(Value::Text(word)) if word == "probes" => *recovery = Recovery::Probes,
        Some(Value::Table(_)) => {
            let Some(mut table) = fields.table("recovery") else { return };
            let had = *recovery;
            if let Some(mut fields) = table.table("window") {
                let mut window = match had {
                    Recovery::Window(window) => window,
                    Recovery::Probes | Recovery::Ramp(_) => RecoveryWindow::new(),
                };
                fields.set("probation", &mut window.probation);
                fields.set("max_probation", &mut window.max_probation);
                fields.set("tolerance", &mut window.tolerance);
                fields.end();
                *recovery = Recovery::Window(window);
            }
            if let Some(mut fields) = table.table("ramp") {
                let mut ramp = match had {
                    Recovery::Ramp(ramp) => ramp,
                    Recovery::Probes | Recovery::Window(_) => Ramp::new(),
                };
                shares(&mut ramp.shares, &mut fields);
                fields.set("step", &mut ramp.step);
                fields.set("tolerance", &mut ramp.tolerance);
                fields.end();
                *recovery = Recovery::Ramp(ramp);
            }
            if table.has("window") && table.has("ramp") {
                table.fault("ramp", "beside `window`", "absent, or `window`");
            }
            table.end();
        }
        Some(value) => fields.fault("recovery", value, "`probes`, or a table with `window` or `ramp`"),
    }
}

/// One to four shares; what is missing are shares of 1.
fn shares(place: &mut [f64; 4], table: &mut Fields<'_, '_>) {
    let Some(value) = table.value("shares") else { return };
    let list = match value {
        Value::List(list) if (1..=4).contains(&list.len()) => list.iter().map(Share::read).collect(),
        Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing => None,
        Value::Table(_) | Value::Text(_) => None,
    };
    let Some(list) = list else {
        return table.fault("shares", value, "a list of one to four shares such as `0.05` or `\"5%\"`");
    };
    let list: Vec<Share> = list;
    *place = [1.0; 4];
    for (place, Share(share)) in place.iter_mut().zip(list) {
        *place = share;
    }
}

/// A duration, `"never"` or `"slow_call"`.
fn cancelled_after(place: &mut CancelledAfter, fields: &mut Fields<'_, '_>) {
    match fields.value("cancelled_after") {
        None => {}
        Some(Value::Text(word)) if word == "never" => *place = CancelledAfter::Never,
        Some(Value::Text(word)) if word == "slow_call" => *place = CancelledAfter::SlowCall,
        Some(value) => match Duration::read(value) {
            Some(age) => *place = CancelledAfter::After(age),
            None => fields.fault("cancelled_after", value, "`never`, `slow_call`, or a duration such as `500ms`"),
        },
    }
}
