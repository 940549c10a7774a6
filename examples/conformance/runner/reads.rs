//! What a scenario may ask about a breaker, answered from a snapshot and the ledger.

use std::time::Duration;

use tower_breaker::{
    State,
    clock::Clock,
    config::Window,
    machine::{Reason, Snapshot},
};

use super::{
    notes::{Note, Notes},
    steps::{Counter, EventType, Expected, Why},
    switches::Switches,
    tracked::{PhaseCounts, Tracked, plainly_seen},
};

type Checked = Result<(), String>;

/// What is counted at this moment.
struct Numbers {
    success: u64,
    failure: u64,
    slow: u64,
    /// How many the rates are judged from.
    minimum: u64,
    /// None where they are not counted in the window that is shown.
    ignored: Option<u64>,
    requests: Option<u64>,
    run: Option<f64>,
}

impl Tracked {
    pub(crate) fn check(&self, expected: &Expected, switches: &Switches, notes: &mut Notes) -> Checked {
        let snapshot = self.snapshot()?;
        if let Some(states) = &expected.state {
            let seen = self.seen(&snapshot);
            if seen != plainly_seen(snapshot.state, snapshot.mode) {
                notes.add(Note::By("open is read as half-open once the wait is over"));
            }
            if !states.as_slice().contains(&seen) {
                return Err(format!("the state is {}", seen.as_str()));
            }
        }
        let numbers = self.numbers(&snapshot, switches);
        if !expected.counts.is_empty() && snapshot.state == State::Open && switches.is("counts_on_open", "clear") {
            notes.add(Note::By("counts that are cleared on opening are those of the phase, by the ledger"));
        }
        for (counter, value) in &expected.counts {
            self.check_count(*counter, *value, &numbers, &snapshot, notes)?;
        }
        let tolerance = expected.tolerance.unwrap_or(1e-4);
        let raw = switches.is("undefined_rate", "raw");
        let total = numbers.success + numbers.failure;
        let rate = |part: u64| {
            if total >= numbers.minimum.max(1) { Some(share(part, total)) } else { raw.then(|| share(part, total)) }
        };
        for (what, expected, got) in [
            ("failure rate", expected.failure_rate, rate(numbers.failure)),
            ("slow call rate", expected.slow_call_rate, rate(numbers.slow)),
            ("success rate", expected.success_rate, rate(numbers.success)),
        ] {
            near(what, expected, got, tolerance)?;
        }
        self.check_own_rates(&snapshot, &numbers)?;
        near("retry after (ms)", expected.retry_after_ms, millis(snapshot.retry_after), 1e-6)?;
        let open = (snapshot.state == State::Open).then(|| snapshot.retry_after.unwrap_or_default());
        near("open wait (ms)", expected.open_wait_ms, millis(open), 1e-6)?;
        expected.reason.map_or(Ok(()), |why| self.check_reason(why, snapshot.reason.as_ref()))
    }

    /// The rates of the snapshot are those of its counts.
    fn check_own_rates(&self, snapshot: &Snapshot, numbers: &Numbers) -> Checked {
        if snapshot.state != State::Closed || !self.plan.has_window {
            return Ok(());
        }
        let total = numbers.success + numbers.failure;
        let judged = total >= u64::from(snapshot.window.minimum_calls) && total > 0;
        let failure_rate = judged.then(|| share(numbers.failure, total));
        near("failure rate of the snapshot", Some(failure_rate), snapshot.window.failure_rate, 1e-9)?;
        let slow_rate = judged.then(|| share(numbers.slow, total));
        near("slow rate of the snapshot", Some(slow_rate), snapshot.window.slow_rate, 1e-9)
    }

    /// In the closed state, and while open what opened it, by the window where a rule has one; else of the phase, by the
    /// ledger.
    fn numbers(&self, snapshot: &Snapshot, switches: &Switches) -> Numbers {
        let phase = PhaseCounts::between(&self.base, &snapshot.ledger);
        let minimum = u64::from(snapshot.window.minimum_calls);
        let of_phase = |counts: PhaseCounts, minimum: u64, run: Option<f64>| Numbers {
            success: counts.succeeded,
            failure: counts.failed,
            slow: counts.slow,
            minimum,
            ignored: Some(counts.ignored),
            requests: Some(counts.ended + u64::from(snapshot.in_flight)),
            run,
        };
        let run = self.plan.config.consecutive_failures.map(|_| snapshot.window.run);
        let permitted = u64::from(self.plan.permitted_calls);
        match snapshot.state {
            State::Closed if !self.plan.has_window => {
                Numbers { requests: (self.under_way == 0).then_some(phase.ended), ..of_phase(phase, minimum, run) }
            }
            State::Closed => self.of_window(snapshot, run),
            State::HalfOpen | State::Recovering => of_phase(phase, permitted, None),
            State::Open if switches.is("counts_on_open", "clear") => of_phase(phase, minimum, None),
            State::Open => match self.before {
                Some((State::HalfOpen | State::Recovering, counts)) => of_phase(counts, permitted, None),
                Some((State::Closed, counts)) if !self.plan.has_window => of_phase(counts, minimum, run),
                Some((State::Open, counts)) => of_phase(counts, minimum, None),
                Some((State::Closed, _)) | None => self.of_window(snapshot, run),
            },
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "failures of weight one")]
    fn of_window(&self, snapshot: &Snapshot, run: Option<f64>) -> Numbers {
        let own = u64::from(snapshot.state == State::Open && self.own_is_in_window());
        let failure = (snapshot.window.failures as u64).saturating_sub(own);
        let total = snapshot.window.calls.saturating_sub(own);
        Numbers {
            success: total.saturating_sub(failure),
            failure,
            slow: snapshot.window.slow,
            minimum: u64::from(snapshot.window.minimum_calls),
            ignored: None,
            requests: None,
            run,
        }
    }

    fn own_is_in_window(&self) -> bool {
        let rate = self.plan.config.failure_rate.map(|rate| rate.window);
        let window = rate.or(self.plan.config.slow_calls.map(|slow| slow.window));
        let Some(age) = self.own_age(self.hearts.clock().now()) else { return false };
        match window {
            Some(Window::Time { length, .. }) => age < length,
            _ => true,
        }
    }

    fn check_count(
        &self,
        counter: Counter,
        expected: f64,
        numbers: &Numbers,
        snapshot: &Snapshot,
        notes: &mut Notes,
    ) -> Checked {
        let got = match counter {
            Counter::Failure => Some(numbers.failure),
            Counter::Ignored => numbers.ignored,
            Counter::Rejected => Some(PhaseCounts::between(&self.base, &snapshot.ledger).rejected),
            Counter::Requests => numbers.requests,
            Counter::Slow => Some(numbers.slow),
            Counter::Success => Some(numbers.success),
            Counter::Total => Some(numbers.success + numbers.failure),
            Counter::ConsecutiveFailure => {
                let Some(run) = numbers.run else {
                    notes
                        .add(Note::Waived("a run of failures is counted only for a rule about runs, and while closed"));
                    return Ok(());
                };
                return near("the run of failures", Some(Some(expected)), Some(run), 1e-9);
            }
            Counter::ConsecutiveSuccess => {
                notes.add(Note::Waived("a run of successes is not counted"));
                return Ok(());
            }
            Counter::AverageDurationMs | Counter::DurationMs => {
                notes.add(Note::Waived("durations are not summed"));
                return Ok(());
            }
            Counter::Fired => {
                notes.add(Note::Waived("calls that were asked for are not one number"));
                return Ok(());
            }
            Counter::SlowFailure | Counter::SlowSuccess => {
                notes.add(Note::Waived("slow calls are not split by outcome"));
                return Ok(());
            }
        };
        let Some(got) = got else {
            notes.add(Note::Waived(
                "in the closed state neither ignored calls are windowed nor calls under way counted",
            ));
            return Ok(());
        };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let got = got as f64;
        near(&format!("{counter:?}"), Some(Some(expected)), Some(got), 1e-9)
    }

    fn check_reason(&self, why: Why, reason: Option<&Reason>) -> Checked {
        let holds = match (why, reason) {
            (Why::Manual, Some(Reason::Demanded)) => self.own_failures > 0,
            (Why::ConsecutiveFailures, Some(Reason::ConsecutiveFailures { .. }))
            | (Why::FailureCount, Some(Reason::FailureCount { .. }))
            | (Why::FailureRate, Some(Reason::FailureRate { .. } | Reason::Burst { .. }))
            | (Why::HalfOpenMaxWait, Some(Reason::HalfOpenTooLong { .. }))
            | (Why::OutcomeDemanded, Some(Reason::Demanded))
            | (Why::ProbeDropped, Some(Reason::ProbeFailed))
            | (Why::ProbeFailed, Some(Reason::ProbeFailed | Reason::ProbeRate { .. } | Reason::ProbeSlow { .. }))
            | (Why::SlowCallRate, Some(Reason::SlowCallRate { .. })) => true,
            _ => false,
        };
        if holds { Ok(()) } else { Err(format!("the reason is {reason:?}")) }
    }

    /// Transitions are events of ours; calls that ended are numbers of the ledger, whose order nobody tells.
    pub(crate) fn check_events(&self, equals: &[String], types: Option<&[EventType]>, notes: &mut Notes) -> Checked {
        let asked = |kind: EventType| types.is_none_or(|types| types.contains(&kind));
        let expected: Vec<&String> = equals.iter().filter(|event| !is_of_a_call(event)).collect();
        let got: Vec<&String> = self.events.iter().filter(|event| asked(kind(event))).collect();
        if got != expected {
            return Err(format!("the events were {got:?}"));
        }
        for kind in OF_CALLS.into_iter().filter(|kind| asked(*kind)) {
            let expected = equals.iter().filter(|event| self::kind(event) == kind).count();
            if expected > 0 || types.is_none() {
                notes.add(Note::By("a single call is no event of ours; how many there were is in the ledger"));
            }
            self.check_event_count(kind, expected as u64, notes)?;
        }
        if equals.len() > expected.len() && equals.len() > 1 {
            notes.add(Note::Waived("the order of the events of single calls"));
        }
        Ok(())
    }

    pub(crate) fn check_event_count(&self, kind: EventType, expected: u64, notes: &mut Notes) -> Checked {
        let ledger = self.snapshot()?.ledger;
        let got = match kind {
            EventType::Failure => ledger.failed - self.own_failures,
            EventType::Ignored => ledger.ignored,
            EventType::Rejected => ledger.rejected,
            EventType::Success => ledger.succeeded,
            EventType::FailureRateExceeded | EventType::Reset | EventType::SlowCallRateExceeded | EventType::State => {
                self.events.iter().filter(|event| self::kind(event) == kind).count() as u64
            }
        };
        if OF_CALLS.contains(&kind) {
            notes.add(Note::By("a single call is no event of ours; how many there were is in the ledger"));
        }
        if got == expected { Ok(()) } else { Err(format!("there were {got} events `{kind:?}`")) }
    }
}

const OF_CALLS: [EventType; 4] = [EventType::Failure, EventType::Ignored, EventType::Rejected, EventType::Success];

fn is_of_a_call(event: &str) -> bool {
    OF_CALLS.contains(&kind(event))
}

fn kind(event: &str) -> EventType {
    match event.split(':').next().unwrap_or_default() {
        "failure" => EventType::Failure,
        "failure_rate_exceeded" => EventType::FailureRateExceeded,
        "ignored" => EventType::Ignored,
        "rejected" => EventType::Rejected,
        "reset" => EventType::Reset,
        "slow_call_rate_exceeded" => EventType::SlowCallRateExceeded,
        "success" => EventType::Success,
        _ => EventType::State,
    }
}

/// Compares a number, or that there is none; what is not written is not asserted.
#[expect(clippy::option_option, reason = "left out, null and a number are three things")]
pub(crate) fn near(what: &str, expected: Option<Option<f64>>, got: Option<f64>, tolerance: f64) -> Checked {
    match (expected, got) {
        (None, _) | (Some(None), None) => Ok(()),
        (Some(Some(expected)), Some(got)) if (expected - got).abs() <= tolerance => Ok(()),
        (Some(_), Some(got)) => Err(format!("{what} is {got}")),
        (Some(Some(_)), None) => Err(format!("there is no {what}")),
    }
}

pub(crate) fn millis(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64() * 1_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
