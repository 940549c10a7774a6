//! A copy of what a circuit knows, for people, dashboards and tests.

use std::{ops::AddAssign, sync::Arc, time::Duration};

use crate::{
    machine::{
        Core, Reason, Rejections,
        event::percent,
        rules::{Counts, Rules},
    },
    state::{Mode, State},
    time::Instant,
};

/// A copy of what a circuit knows at one instant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the circuit.
    pub name: Arc<str>,
    /// What is measured.
    pub state: State,
    /// What an operator wants.
    pub mode: Mode,
    /// In which time the mode ends by itself.
    pub mode_ends_in: Option<Duration>,
    /// The number of the phase; it grows by one with each transition.
    pub epoch: u64,
    /// Why the circuit is not closed.
    pub reason: Option<Reason>,
    /// In which time the next call may pass; none while calls pass, or if only an operator can tell.
    pub retry_after: Option<Duration>,
    /// How long it has been in this state.
    pub in_state: Duration,
    /// How long ago the outage began, if it is not closed.
    pub outage: Option<Duration>,
    /// How long a call takes that fails, a moving average; none while unknown. Learnt from the calls that are timed: probes,
    /// calls of a recovery, samples, and all where a rule asks for the time.
    pub failure_time: Option<Duration>,
    /// How often it has opened, failed probes not counted.
    pub times_opened: u64,
    /// The time spent in each state, in the order of [`State::ALL`].
    pub time_in: [Duration; 4],
    /// Calls under way as probes or in the recovery window.
    pub in_flight: u32,
    /// The calls that the failure rate looks at; while the circuit is not closed, those that opened it, as they expire.
    pub window: WindowSnapshot,
    /// All calls since the circuit was made. These numbers only grow.
    pub ledger: Ledger,
}

/// The calls in the window of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WindowSnapshot {
    /// Successes and failures. Where no rule looks at a stretch of time it is an estimate, since nobody reads the clock for
    /// each call then.
    pub calls: u64,
    /// The weight of the failures.
    pub failures: f64,
    /// Calls that took longer than [`SlowCalls::duration`](crate::config::SlowCalls::duration).
    pub slow: u64,
    /// How many calls it needs to be judged.
    pub minimum_calls: u32,
    /// The share of failures; absent below [`WindowSnapshot::minimum_calls`].
    pub failure_rate: Option<f64>,
    /// The share of slow calls; absent below [`WindowSnapshot::minimum_calls`].
    pub slow_rate: Option<f64>,
    /// The weight of the failures in a row that came last, if a rule asks for it.
    pub run: f64,
}

/// All calls since the circuit was made.
///
/// Each admitted call that has ended stands in exactly one of the first five lines, unless the circuit was disabled when
/// it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Calls that succeeded.
    pub succeeded: u64,
    /// Calls that failed, dropped ones among them that had run for long enough.
    pub failed: u64,
    /// Calls that said nothing.
    pub ignored: u64,
    /// Calls that were dropped before they meant anything.
    pub cancelled: u64,
    /// Calls whose phase or lease was over when they ended, or that ended while the circuit was disabled; they decided
    /// nothing.
    pub late: u64,
    /// Successes and failures above that were slow.
    pub slow: u64,
    /// Calls that were not made.
    pub rejected: u64,
    /// The same by reason.
    pub rejected_by: Rejections,
    /// Calls that were made in [`Mode::MetricsOnly`] and would have been rejected.
    pub would_reject: u64,
}

/// The lines of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Succeeded,
    Failed,
    Ignored,
    Cancelled,
    Late,
    Slow,
    Rejected,
    WouldReject,
}

impl Line {
    pub(crate) const COUNT: usize = 8;
}

impl Ledger {
    /// Returns how many of the admitted calls have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.ignored + self.cancelled + self.late
    }

    /// `others` are the rejected calls that no open circuit has rejected.
    pub(crate) fn read(line: impl Fn(Line) -> u64, others: Rejections) -> Self {
        Self {
            succeeded: line(Line::Succeeded),
            failed: line(Line::Failed),
            ignored: line(Line::Ignored),
            cancelled: line(Line::Cancelled),
            late: line(Line::Late),
            slow: line(Line::Slow),
            rejected: line(Line::Rejected),
            rejected_by: Rejections { open: line(Line::Rejected) - others.all(), ..others },
            would_reject: line(Line::WouldReject),
        }
    }
}

/// The calls of two circuits together.
impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        let Self { succeeded, failed, ignored, cancelled, late, slow, rejected, rejected_by, would_reject } = other;
        self.succeeded += succeeded;
        self.failed += failed;
        self.ignored += ignored;
        self.cancelled += cancelled;
        self.late += late;
        self.slow += slow;
        self.rejected += rejected;
        self.rejected_by += rejected_by;
        self.would_reject += would_reject;
    }
}

/// What only the phases know.
pub(crate) struct History {
    pub(crate) reason: Option<Reason>,
    pub(crate) in_state: Duration,
    pub(crate) outage: Option<Duration>,
    pub(crate) times_opened: u64,
    pub(crate) time_in: [Duration; 4],
    pub(crate) in_flight: u32,
}

impl Snapshot {
    pub(crate) fn new(core: &Core, rules: &Rules, counts: &impl Counts, ledger: Ledger, now: Instant) -> Self {
        let History { reason, in_state, outage, times_opened, time_in, in_flight } = core.history(now);
        Self {
            name: Arc::clone(core.name()),
            state: core.state(),
            mode: core.effective_mode(now),
            mode_ends_in: core.mode_until().map(|until| until.since(now)).filter(|left| !left.is_zero()),
            epoch: core.epoch(),
            reason,
            retry_after: core.would_admit(now).err().and_then(|rejection| rejection.retry_after),
            in_state,
            outage,
            failure_time: counts.failure_time(),
            times_opened,
            time_in,
            in_flight,
            window: WindowSnapshot::new(rules, counts, now),
            ledger,
        }
    }

    /// Returns the time spent in `state`.
    #[must_use]
    pub fn time_in(&self, state: State) -> Duration {
        self.time_in[state.index()]
    }

    /// Says in one sentence what the circuit is doing and why:
    /// `closed: 7 of 10 calls seen, 71 % failed, needs 10 to decide`.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = match self.mode {
            Mode::Auto => String::new(),
            Mode::ForcedOpen => "forced open, every call is rejected; measured: ".into(),
            Mode::ForcedClosed => "forced closed, every call passes; measured: ".into(),
            Mode::Disabled => "disabled, nothing is counted; last measured: ".into(),
            Mode::MetricsOnly => "metrics only, every call passes; measured: ".into(),
        };
        let why = || self.reason.as_ref().map_or_else(|| "it began so".into(), ToString::to_string);
        text += &match self.state {
            State::Closed => format!("closed: {}", self.window.explain()),
            State::Open if self.mode != Mode::Auto => format!("open: {}", why()),
            State::Open => match self.retry_after {
                Some(wait) => format!("open: {}; the next probe may go in {wait:.1?}", why()),
                None => format!("open: {}; the next call is a probe", why()),
            },
            State::HalfOpen => {
                format!("half-open: {} under way; it had opened because: {}", probes(self.in_flight), why())
            }
            State::Recovering => format!("recovering: growing traffic passes; it had opened because: {}", why()),
        };
        text
    }
}

fn probes(count: u32) -> String {
    if count == 1 { "1 probe".into() } else { format!("{count} probes") }
}

impl WindowSnapshot {
    pub(crate) fn new(rules: &Rules, counts: &impl Counts, now: Instant) -> Self {
        let run = super::rules::whole(counts.run().0.into());
        let Some((window, minimum_calls)) = rules.shown else { return Self { run, ..Self::default() } };
        let totals = counts.totals(window, now);
        let enough = totals.calls >= u64::from(minimum_calls);
        Self {
            calls: totals.calls,
            failures: super::rules::whole(totals.failures),
            slow: totals.slow,
            minimum_calls,
            failure_rate: totals.failure_rate().filter(|_| enough),
            slow_rate: totals.slow_rate().filter(|_| enough),
            run,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    fn explain(&self) -> String {
        let Self { calls, failures, minimum_calls, .. } = self;
        if *calls == 0 {
            return if self.run > 0.0 { format!("{} failures in a row", self.run) } else { "no calls seen".into() };
        }
        let failed = percent((failures / *calls as f64).min(1.0));
        if *calls < u64::from(*minimum_calls) {
            format!("{calls} of {minimum_calls} calls seen, {failed} failed, needs {minimum_calls} to decide")
        } else {
            format!("{calls} calls seen, {failed} failed")
        }
    }
}
