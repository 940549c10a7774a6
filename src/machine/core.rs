//! What a circuit does outside the closed state: one truth for the pure machine and for the concurrent circuit.
//!
//! Everything rare lives here, behind a lock in `circuit/`: a trip, the wait, probes, the recovery, the modes. How calls
//! are counted in the closed state is not its business; it is told when a rule has fired.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    config::Config,
    machine::{
        Event, Outage, Reason, Rejection, Vitals,
        half_open::{Answer, HalfOpen, Verdict},
        recovering::{Recovering, Step},
        settings::Settings,
        snapshot::History,
        stamp::{Epoch, Finished, Kind, Stamp},
    },
    rng::Rng,
    state::{Giver, Mode, State},
    time::Instant,
};

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Closed,
    Open { next_probe: Instant },
    HalfOpen(Box<HalfOpen>),
    Recovering(Box<Recovering>),
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen(_) => State::HalfOpen,
            Self::Recovering(_) => State::Recovering,
        }
    }
}

/// The phases of a circuit and the modes over them.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(super) name: Arc<str>,
    pub(super) settings: Arc<Settings>,
    pub(super) phase: Phase,
    /// The number of the phase; every permit carries it.
    pub(super) epoch: u64,
    pub(super) entered: Instant,
    pub(super) mode: Mode,
    giver: Giver,
    /// When the mode ends by itself; never where it was set for good.
    pub(super) mode_until: Instant,
    pub(super) rng: Rng,
    /// Openings since the circuit was last closed.
    pub(super) streak: u32,
    /// invariant: none in a closed phase.
    pub(super) outage: Option<Box<Outage>>,
    /// When the last recovery was complete, and the outage that it ended.
    pub(super) recovered: Option<Box<(Instant, Outage)>>,
    /// How long the last wait was drawn, nanoseconds.
    pub(super) last_wait: u64,
    /// Why it is not closed.
    pub(super) reason: Option<Box<Reason>>,
    pub(super) times_opened: u64,
    /// What a clock would say that ran in this state only.
    pub(super) time_in: [Instant; 4],
    /// In a box while there are some, so that a circuit to which nothing happens pays nothing.
    #[expect(clippy::box_collection, reason = "a word in place of four, in every circuit")]
    events: Option<Box<VecDeque<Event>>>,
}

impl Core {
    /// `config` has been checked.
    pub(crate) fn new(name: Arc<str>, settings: Arc<Settings>, seed: u64, now: Instant) -> Self {
        let initial = settings.config.initial_state;
        let mut core = Self {
            name,
            settings,
            phase: Phase::Closed,
            epoch: 1,
            entered: now,
            mode: Mode::Auto,
            giver: Giver::Operator,
            mode_until: Instant::FAR,
            rng: Rng::new(seed),
            streak: 0,
            outage: None,
            recovered: None,
            last_wait: 0,
            reason: None,
            times_opened: 0,
            time_in: [Instant::ZERO; 4],
            events: None,
        };
        let outage = Outage::begin(Vitals::default(), 0, now);
        match initial {
            State::Closed => return core,
            State::Open => {
                core.outage = Some(Box::new(outage));
                core.phase = core.open(None, now);
            }
            State::HalfOpen => {
                core.outage = Some(Box::new(outage));
                core.phase = Phase::HalfOpen(Box::default());
            }
            State::Recovering => core.phase = core.recovering(&outage, now).unwrap_or(Phase::Closed),
        }
        core.outage = (!matches!(core.phase, Phase::Closed)).then(|| Box::new(outage));
        core
    }

    /// Answers a call: a stamp for its permit, or why it may not go.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Stamp, Rejection> {
        self.end_mode(now);
        match self.mode {
            Mode::Disabled => return Ok(self.stamp((Kind::Uncounted, 0), now)),
            Mode::ForcedOpen => return Err(self.forced(now)),
            Mode::Auto | Mode::ForcedClosed | Mode::MetricsOnly => {}
        }
        let kind = self.pass(now);
        match kind {
            Ok(kind) => Ok(self.stamp(kind, now)),
            Err(_) if self.mode == Mode::MetricsOnly => Ok(self.stamp((Kind::Shadow, 0), now)),
            Err(rejection) => Err(rejection),
        }
    }

    /// Makes the transitions that are due and answers as [`Core::admit`] would, without admitting a call.
    pub(crate) fn look(&mut self, now: Instant) -> Result<(), Rejection> {
        self.end_mode(now);
        if matches!(self.mode, Mode::Auto | Mode::ForcedClosed | Mode::MetricsOnly) {
            self.move_on(now);
        }
        self.would_admit(now)
    }

    /// Reports whether a share of the calls passes: then whoever waits for leave must try, or no share is had.
    pub(crate) fn is_ramping(&self) -> bool {
        matches!(&self.phase, Phase::Recovering(recovering) if recovering.is_ramp())
    }

    /// Takes the result of a call that was not counted in a closed phase; false if it came too late to matter.
    pub(crate) fn settle(&mut self, stamp: &Stamp, finished: Finished, now: Instant) -> bool {
        self.end_mode(now);
        if stamp.epoch != Epoch::new(self.epoch) {
            return false;
        }
        if self.mode == Mode::Disabled {
            self.give_back(stamp, now);
            return false;
        }
        self.settle_phase(stamp, finished, now)
    }

    /// What ends while the circuit is disabled gives its slot back and decides nothing.
    fn give_back(&mut self, stamp: &Stamp, now: Instant) {
        match (&mut self.phase, stamp.kind) {
            (Phase::HalfOpen(half_open), Kind::Probe) => {
                half_open.settle(&self.settings.config.half_open, stamp.lease, Answer::Cancelled, now);
            }
            (Phase::Recovering(recovering), Kind::Recovering) => recovering.give_back(stamp.lease, now),
            (Phase::Closed | Phase::Open { .. } | Phase::HalfOpen(_) | Phase::Recovering(_), _) => {}
        }
    }

    fn settle_phase(&mut self, stamp: &Stamp, finished: Finished, now: Instant) -> bool {
        if stamp.kind == Kind::Probe {
            // The phase may be over, and nobody has looked.
            self.move_on(now);
        }
        match (&mut self.phase, stamp.kind) {
            (Phase::HalfOpen(half_open), Kind::Probe) => {
                let Some(verdict) =
                    half_open.settle(&self.settings.config.half_open, stamp.lease, finished.answer(), now)
                else {
                    return false;
                };
                self.follow(verdict, finished.hint(), now);
            }
            (Phase::Recovering(recovering), Kind::Recovering) => {
                let (in_time, step) = recovering.settle(stamp.lease, finished.end(), now);
                self.step(step, finished.hint(), now);
                return in_time;
            }
            (Phase::Closed | Phase::Open { .. } | Phase::HalfOpen(_) | Phase::Recovering(_), _) => return false,
        }
        true
    }

    /// Sets the mode, for good or until `until`.
    pub(crate) fn set_mode(&mut self, mode: Mode, until: Option<Instant>, now: Instant) {
        self.end_mode(now);
        self.change_mode(mode, until);
        if mode == Mode::ForcedClosed && !matches!(self.phase, Phase::Closed) {
            self.close(Reason::Forced, now);
        }
    }

    /// Sets the mode for good, as somebody wants it who is no operator.
    pub(crate) fn give_mode(&mut self, mode: Mode, giver: Giver, now: Instant) {
        self.set_mode(mode, None, now);
        self.giver = giver;
    }

    /// Closes the circuit and forgets all history; the mode stays.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.end_mode(now);
        self.close(Reason::Reset, now);
        self.recovered = None;
    }

    /// Takes other settings; the phase goes on, and the next decision is made by them.
    pub(crate) fn reconfigure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
        if let Phase::HalfOpen(half_open) = &mut self.phase {
            half_open.reconfigured();
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.settings.config
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn state(&self) -> State {
        self.phase.state()
    }

    /// When the next probe may go, while the circuit is open.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open { next_probe } => Some(*next_probe),
            Phase::Closed | Phase::HalfOpen(_) | Phase::Recovering(_) => None,
        }
    }

    /// The mode at this time, which may have ended by itself.
    pub(crate) fn effective_mode(&self, now: Instant) -> Mode {
        if self.mode_until().is_some_and(|until| now >= until) { Mode::Auto } else { self.mode }
    }

    /// The mode as it was set; it may have ended since.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The mode that this giver has set and nobody since, or none.
    pub(crate) fn mode_by(&self, giver: Giver, now: Instant) -> Mode {
        if self.giver == giver { self.effective_mode(now) } else { Mode::Auto }
    }

    /// When the mode ends by itself.
    pub(crate) fn mode_until(&self) -> Option<Instant> {
        Some(self.mode_until).filter(|until| *until < Instant::FAR)
    }

    /// Takes what has happened since this was last asked.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        let event = self.events.as_mut()?.pop_front();
        if event.is_none() {
            self.events = None;
        }
        event
    }

    pub(crate) fn has_events(&self) -> bool {
        self.events.as_ref().is_some_and(|events| !events.is_empty())
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.get_or_insert_default().push_back(event);
    }

    /// Fills in what only the phases know.
    pub(crate) fn history(&self, now: Instant) -> History {
        let in_state = now.since(self.entered);
        let mut time_in = self.time_in.map(|clock| clock.since(Instant::ZERO));
        time_in[self.state().index()] += in_state;
        History {
            reason: self.reason.as_deref().cloned(),
            in_state,
            outage: self.outage.as_ref().map(|outage| outage.lasted(now)),
            times_opened: self.times_opened,
            time_in,
            in_flight: match &self.phase {
                Phase::Closed | Phase::Open { .. } => 0,
                Phase::HalfOpen(half_open) => half_open.probes_in_flight(),
                Phase::Recovering(recovering) => recovering.in_flight(),
            },
        }
    }

    fn stamp(&self, (kind, lease): (Kind, u64), now: Instant) -> Stamp {
        Stamp { lease, ..Stamp::timed(Epoch::new(self.epoch), kind, now) }
    }

    fn follow(&mut self, verdict: Verdict, hint: Option<Duration>, now: Instant) {
        match verdict {
            Verdict::Fail(reason) => self.reopen(reason, hint, now),
            Verdict::Pass(reason) => self.recover(reason, now),
            Verdict::Wait => {}
        }
    }

    fn step(&mut self, step: Step, hint: Option<Duration>, now: Instant) {
        match step {
            Step::Done => self.close(Reason::Recovered, now),
            Step::Fall(reason) => self.reopen(reason, hint, now),
            Step::Stay => {}
        }
    }

    /// How a call may pass in the present phase, and the number of its lease; moves on what time has moved.
    fn pass(&mut self, now: Instant) -> Result<(Kind, u64), Rejection> {
        self.move_on(now);
        if matches!(self.phase, Phase::Open { next_probe } if now >= next_probe) {
            self.enter(Phase::HalfOpen(Box::default()), Reason::WaitOver, now);
        }
        let kind = match &mut self.phase {
            Phase::Closed => Some((Kind::Counted, 0)),
            Phase::Open { .. } => None,
            Phase::HalfOpen(half_open) => {
                half_open.admit(&self.settings.config.half_open, now).map(|lease| (Kind::Probe, lease))
            }
            Phase::Recovering(recovering) => recovering.admit(now).map(|lease| (Kind::Recovering, lease)),
        };
        kind.ok_or_else(|| self.rejection(now))
    }

    /// Makes the transitions that are due, but for the one that needs a call.
    pub(super) fn move_on(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Closed | Phase::Open { .. } => {}
            Phase::HalfOpen(half_open) => {
                let verdict = half_open.due(&self.settings.config.half_open, now);
                // It ended when it was over, not when somebody looks: the wait has been running since.
                let too_long = matches!(verdict, Verdict::Fail(Reason::HalfOpenTooLong { .. }));
                let over = half_open.over_since(&self.settings.config.half_open).filter(|_| too_long);
                self.follow(verdict, None, over.map_or(now, |over| over.min(now)));
            }
            Phase::Recovering(recovering) => {
                let step = recovering.due(now);
                self.step(step, None, now);
            }
        }
    }

    pub(super) fn end_mode(&mut self, now: Instant) {
        if self.mode_until().is_some_and(|until| now >= until) {
            self.change_mode(Mode::Auto, None);
        }
    }

    fn change_mode(&mut self, mode: Mode, until: Option<Instant>) {
        self.mode_until = until.filter(|_| mode != Mode::Auto).unwrap_or(Instant::FAR);
        self.giver = Giver::Operator;
        let from = std::mem::replace(&mut self.mode, mode);
        if from != mode {
            self.tell(Event::ModeChanged { circuit: Arc::clone(&self.name), from, to: mode });
        }
    }
}
