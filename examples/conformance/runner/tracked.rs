//! One breaker under test, with what the schema asks for beyond a snapshot: counts of a phase, and all its events.

use std::time::Duration;

use tower_breaker::{
    Instant, Mode, Outcome, State,
    machine::{Event, Ledger, Reason, Snapshot},
};

use super::{
    clock::Virtual,
    hearts::{Agreed, Answer, Call, Hearts},
    plan::Plan,
    settings::Initial,
    steps::Seen,
};

/// The seed of the jitter.
const SEED: u64 = 1;

pub(crate) struct Tracked {
    pub(crate) hearts: Hearts,
    pub(crate) plan: Plan,
    /// Where the ledger stood when the phase began.
    pub(crate) base: Ledger,
    /// The phase before, with what the ledger counted in it.
    pub(crate) before: Option<(State, PhaseCounts)>,
    /// All since creation, as the schema writes them.
    pub(crate) events: Vec<String>,
    /// The state and the mode that the events so far have led to.
    told: (State, Mode),
    /// Failures of the adapter's own, by which it forced the circuit open.
    pub(crate) own_failures: u64,
    /// When the adapter's last failure entered the window that is shown while open.
    pub(crate) own_in_window: Option<Instant>,
    /// Calls that have begun and not ended.
    pub(crate) under_way: usize,
}

/// What the ledger counted in one phase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PhaseCounts {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    pub(crate) ended: u64,
    pub(crate) slow: u64,
    pub(crate) rejected: u64,
}

impl PhaseCounts {
    pub(crate) fn between(base: &Ledger, end: &Ledger) -> Self {
        Self {
            succeeded: end.succeeded - base.succeeded,
            failed: end.failed - base.failed,
            ignored: end.ignored - base.ignored,
            // A call that was dropped or came late counts nowhere.
            ended: (end.succeeded + end.failed + end.ignored) - (base.succeeded + base.failed + base.ignored),
            slow: end.slow - base.slow,
            rejected: end.rejected - base.rejected,
        }
    }
}

/// Whether what an operation counts belongs to the phase that it begins or to the one that it ends.
#[derive(Clone, Copy)]
enum Counts {
    After,
    Before,
}

impl Tracked {
    pub(crate) fn new(plan: Plan, clock: &Virtual) -> Agreed<Self> {
        let hearts = Hearts::new(plan.config, SEED, clock)?;
        let mut tracked = Self {
            base: Ledger::default(),
            before: None,
            events: Vec::new(),
            told: (plan.config.initial_state, Mode::Auto),
            own_failures: 0,
            own_in_window: None,
            under_way: 0,
            hearts,
            plan,
        };
        match tracked.plan.initial {
            Initial::Closed | Initial::HalfOpen | Initial::Open => {}
            Initial::Disabled => tracked.set_mode(Mode::Disabled)?,
            Initial::ForcedOpen => tracked.set_mode(Mode::ForcedOpen)?,
            Initial::MetricsOnly => tracked.set_mode(Mode::ForcedClosed)?,
        }
        // It began so, which is no event.
        tracked.events.clear();
        Ok(tracked)
    }

    pub(crate) fn begin(&mut self, by_clone: bool) -> Agreed<Answer> {
        let answer = self.watch(Counts::After, |hearts| hearts.begin(by_clone))?;
        self.under_way += usize::from(matches!(answer, Answer::Admitted(_)));
        Ok(answer)
    }

    pub(crate) fn end(&mut self, call: Call, outcome: Option<Outcome>) -> Agreed<()> {
        self.under_way -= 1;
        self.watch(Counts::Before, |hearts| {
            hearts.end(call, outcome);
            Ok(())
        })
    }

    pub(crate) fn set_mode(&mut self, mode: Mode) -> Agreed<()> {
        self.watch(Counts::Before, |hearts| {
            hearts.set_mode(mode, None);
            Ok(())
        })
    }

    pub(crate) fn reset(&mut self) -> Agreed<()> {
        self.watch(Counts::Before, |hearts| {
            hearts.reset();
            Ok(())
        })
    }

    /// The schema's word for what a reader sees.
    pub(crate) fn seen(&self, snapshot: &Snapshot) -> Seen {
        let over = snapshot.state == State::Open && snapshot.mode == Mode::Auto && snapshot.retry_after.is_none();
        if over && self.plan.reads_over_as_half_open {
            return Seen::HalfOpen;
        }
        plainly_seen(snapshot.state, snapshot.mode)
    }

    /// What the events have led to.
    pub(crate) fn told(&self) -> &'static str {
        plainly_seen(self.told.0, self.told.1).as_str()
    }

    /// How long ago the adapter's own failure entered the window.
    pub(crate) fn own_age(&self, now: Instant) -> Option<Duration> {
        self.own_in_window.map(|at| now.since(at))
    }

    fn watch<T>(&mut self, counts: Counts, operation: impl FnOnce(&mut Hearts) -> Agreed<T>) -> Agreed<T> {
        let before = self.hearts.snapshot()?;
        let result = operation(&mut self.hearts)?;
        let after = self.hearts.snapshot()?;
        if after.epoch != before.epoch {
            let border = match counts {
                Counts::After => before.ledger,
                Counts::Before => after.ledger,
            };
            self.before = Some((before.state, PhaseCounts::between(&self.base, &border)));
            self.base = border;
        }
        if after.state == State::Closed {
            self.own_in_window = None;
        }
        for event in self.hearts.take_events()? {
            self.hear(&event)?;
        }
        if self.told != (after.state, after.mode) {
            return Err(format!("the events led to {:?}, it is {} and {}", self.told, after.state, after.mode));
        }
        Ok(result)
    }

    fn hear(&mut self, event: &Event) -> Agreed<()> {
        let was = self.told();
        match event {
            Event::ModeChanged { from, to, .. } => {
                if *from != self.told.1 {
                    return Err(format!("an event leaves the mode {from}, it was {}", self.told.1));
                }
                self.told.1 = *to;
            }
            Event::Transition(transition) => {
                if transition.from != self.told.0 {
                    return Err(format!("an event leaves {}, it was {}", transition.from, self.told.0));
                }
                self.told.0 = transition.to;
                match transition.reason {
                    Reason::FailureRate { .. } => self.events.push("failure_rate_exceeded".into()),
                    Reason::SlowCallRate { .. } => self.events.push("slow_call_rate_exceeded".into()),
                    Reason::Reset => self.events.push("reset".into()),
                    _ => {}
                }
            }
            _ => return Err(format!("nobody knows the event {event:?}")),
        }
        let is = self.told();
        if was != is {
            self.events.push(format!("state:{was}->{is}"));
        }
        Ok(())
    }
}

/// Metrics-only is our forced closed: every call passes and is counted, nothing trips. (Our own metrics-only goes on
/// with its state underneath.)
pub(crate) fn plainly_seen(state: State, mode: Mode) -> Seen {
    match (mode, state) {
        (Mode::Disabled, _) => Seen::Disabled,
        (Mode::ForcedOpen, _) => Seen::ForcedOpen,
        (Mode::ForcedClosed | Mode::MetricsOnly, _) => Seen::MetricsOnly,
        (Mode::Auto, State::Closed | State::Recovering) => Seen::Closed,
        (Mode::Auto, State::HalfOpen) => Seen::HalfOpen,
        (Mode::Auto, State::Open) => Seen::Open,
    }
}
