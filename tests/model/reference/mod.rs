//! A naive breaker to judge the real one by: the published rules, restated to be read and not to be fast.
//!
//! What the closed state decides is computed from scratch from the list of all calls; the other phases are plain
//! structs. Only the settings, `Instant`, `State`, `Mode` and `Ledger` are the crate's. A wait with a random part is
//! taken from the machine once it has been found within its bounds.

mod change;
mod digest;
mod log;
mod probes;
mod recovery;
mod slots;
mod standing;
mod trouble;
mod wait;
mod what;

pub(crate) use self::{
    log::Sums,
    what::{Fail, What},
};

use std::{collections::VecDeque, time::Duration};

use tower_breaker::{
    Config, Instant, Mode, State,
    config::{CancelledAfter, Recovery as Kind, Window},
    machine::Ledger,
};

use self::{
    log::{Item, Log, asks_for_traffic, needed},
    probes::{Answer, Probes, Verdict},
    recovery::{End, Recovery, Step},
};

#[derive(Clone, Debug)]
pub(crate) enum Phase {
    Closed,
    Open(Instant),
    HalfOpen(Probes),
    Recovering(Recovery),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outage {
    pub(crate) since: Instant,
    pub(crate) traffic: f64,
    pub(crate) usual: Option<Duration>,
    pub(crate) failed_probes: u32,
    pub(crate) relapses: u32,
}

/// One transition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reason: &'static str,
    pub(crate) epoch: u64,
    pub(crate) at: Instant,
    /// How long the trouble had been there.
    pub(crate) detected: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) state: State,
    pub(crate) reason: &'static str,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    epoch: u64,
    pub(crate) kind: Pass,
    started: Option<Instant>,
    /// Whether it is timed to learn the usual latency.
    sampled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pass {
    Counted,
    Probe(usize),
    Recovering(usize),
    Shadow,
    Uncounted,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) config: Config,
    log: Log,
    pub(crate) phase: Phase,
    pub(crate) epoch: u64,
    pub(crate) entered: Instant,
    mode: Mode,
    until: Option<Instant>,
    streak: u32,
    pub(crate) outage: Option<Outage>,
    recovered: Option<(Instant, Outage)>,
    last_wait: Duration,
    pub(crate) reason: Option<&'static str>,
    pub(crate) times_opened: u64,
    pub(crate) ledger: Ledger,
    /// Whether a bucket has begun since a call was last timed to learn the usual latency.
    bucket_begun: bool,
    pub(crate) moves: Vec<Move>,
    /// The waits that the machine has drawn and this one has not used yet.
    pub(crate) drawn: VecDeque<Duration>,
    /// What the machine did that it may not do.
    pub(crate) fault: Option<String>,
    /// Whether a mode has held a trip since this was last asked.
    pub(crate) held: bool,
}

impl Reference {
    pub(crate) fn new(config: Config, drawn: Option<Duration>, now: Instant) -> Self {
        let mut new = Self {
            config,
            log: Log::new(&config, now),
            phase: Phase::Closed,
            epoch: 1,
            entered: now,
            mode: Mode::Auto,
            until: None,
            streak: 0,
            outage: None,
            recovered: None,
            last_wait: Duration::ZERO,
            reason: None,
            times_opened: 0,
            ledger: Ledger::default(),
            bucket_begun: false,
            moves: Vec::new(),
            drawn: drawn.into_iter().collect(),
            fault: None,
            held: false,
        };
        let outage = Outage { since: now, ..Outage::default() };
        new.outage = Some(outage);
        new.phase = match config.initial_state {
            State::Closed => Phase::Closed,
            State::Open => new.open(None, now),
            State::HalfOpen => Phase::HalfOpen(Probes::default()),
            State::Recovering => Recovery::new(&config, &outage, now).map_or(Phase::Closed, Phase::Recovering),
        };
        if new.state() == State::Closed {
            new.outage = None;
        }
        new
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open(_) => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Recovering(_) => State::Recovering,
        }
    }

    pub(crate) fn mode(&self, now: Instant) -> Mode {
        if self.until.is_some_and(|until| now >= until) { Mode::Auto } else { self.mode }
    }

    pub(crate) fn admit(&mut self, now: Instant) -> Result<Ticket, Refusal> {
        self.end_mode(now);
        let pass = match self.mode {
            Mode::Disabled => Ok(Pass::Uncounted),
            Mode::ForcedOpen => Err(self.forced(now)),
            Mode::Auto | Mode::ForcedClosed => self.pass(now),
            Mode::MetricsOnly => self.pass(now).or_else(|_| {
                self.ledger.would_reject += 1;
                Ok(Pass::Shadow)
            }),
        };
        let kind = pass.inspect_err(|refusal| self.count(refusal))?;
        let timed = self.slow_after().is_some() || self.abandoned_after().is_some();
        let sampled = kind == Pass::Counted && self.samples();
        let started = (kind != Pass::Counted || timed || sampled).then_some(now);
        Ok(Ticket { epoch: self.epoch, kind, started, sampled })
    }

    fn count(&mut self, refusal: &Refusal) {
        self.ledger.rejected += 1;
        let by = &mut self.ledger.rejected_by;
        *match refusal.reason {
            "forced" => &mut by.forced,
            "half_open" => &mut by.half_open,
            "open" => &mut by.open,
            "recovering" => &mut by.recovering,
            other => unreachable!("{other}"),
        } += 1;
    }

    /// Whether the next call is timed to learn the usual latency: after a bucket has begun, or after so many successes.
    fn samples(&mut self) -> bool {
        asks_for_traffic(&self.config) && (std::mem::take(&mut self.bucket_begun) || self.log.plain() % 128 == 0)
    }

    fn pass(&mut self, now: Instant) -> Result<Pass, Refusal> {
        match &mut self.phase {
            Phase::Closed | Phase::Open(_) => {}
            Phase::HalfOpen(probes) => {
                let (verdict, at) = probes.due(&self.config.half_open, now);
                self.decide(verdict, None, at);
            }
            Phase::Recovering(recovery) => {
                let step = recovery.due(now);
                self.step(step, None, now);
            }
        }
        if matches!(self.phase, Phase::Open(until) if now >= until) {
            self.enter(Phase::HalfOpen(Probes::default()), "wait_over", now);
        }
        let pass = match &mut self.phase {
            Phase::Closed => Some(Pass::Counted),
            Phase::Open(_) => None,
            Phase::HalfOpen(probes) => probes.admit(&self.config.half_open, now).map(Pass::Probe),
            Phase::Recovering(recovery) => recovery.admit(now).map(Pass::Recovering),
        };
        pass.ok_or_else(|| self.refusal(now))
    }

    /// What a call that came now would be told, if it were refused.
    pub(crate) fn would_refuse(&self, now: Instant) -> Option<Refusal> {
        match self.mode(now) {
            Mode::Auto => {}
            Mode::ForcedOpen => return Some(self.forced(now)),
            Mode::Disabled | Mode::ForcedClosed | Mode::MetricsOnly => return None,
        }
        let passes = match &self.phase {
            Phase::Closed => true,
            Phase::Open(until) => now >= *until,
            Phase::HalfOpen(probes) => match probes.due(&self.config.half_open, now).0 {
                Verdict::Pass => true,
                Verdict::Fail(_) => unreachable!("then nobody asks"),
                Verdict::Wait => probes.would_admit(&self.config.half_open, now),
            },
            Phase::Recovering(recovery) => recovery.would_admit(now),
        };
        (!passes).then(|| self.refusal(now))
    }

    fn forced(&self, now: Instant) -> Refusal {
        let retry_after = self.until.map(|until| until.since(now));
        Refusal { state: self.state(), reason: "forced", retry_after }
    }

    fn refusal(&self, now: Instant) -> Refusal {
        let unknown = Duration::from_millis(100);
        let (reason, wait) = match &self.phase {
            Phase::Closed => unreachable!("a closed circuit refuses nobody"),
            Phase::Open(until) => ("open", until.since(now)),
            Phase::HalfOpen(probes) => {
                let pace = if self.last_wait.is_zero() { unknown } else { self.last_wait };
                ("half_open", probes.slots.first_deadline(now).unwrap_or(pace).min(pace))
            }
            Phase::Recovering(_) => {
                let usual = self.outage.and_then(|outage| outage.usual).unwrap_or(unknown);
                ("recovering", usual.clamp(Duration::from_millis(10), Duration::from_secs(1)))
            }
        };
        Refusal { state: self.state(), reason, retry_after: Some(wait) }
    }

    fn slow_after(&self) -> Option<Duration> {
        self.config.slow_calls.map(|rule| rule.duration)
    }

    fn abandoned_after(&self) -> Option<Duration> {
        match self.config.cancelled_after {
            CancelledAfter::After(age) => Some(age),
            CancelledAfter::SlowCall => self.slow_after(),
            _ => None,
        }
    }

    pub(crate) fn settle(&mut self, ticket: Ticket, what: Option<What>, now: Instant) {
        let Ticket { epoch, kind, started, sampled } = ticket;
        let took = started.map(|started| now.since(started));
        let reached = |limit: Option<Duration>| limit.is_some_and(|limit| took.is_some_and(|took| took >= limit));
        let abandoned = what.is_none() && reached(self.abandoned_after());
        let what = what.or(abandoned.then_some(What::Failure(Fail::PLAIN)));
        let beyond = self.slow_after().is_some_and(|limit| took.is_some_and(|took| took > limit));
        let slow = beyond && matches!(what, Some(What::Success | What::Failure(_)));
        let in_time = match kind {
            Pass::Uncounted => return,
            Pass::Shadow => true,
            Pass::Counted => epoch == self.epoch && self.mode(now) != Mode::Disabled,
            Pass::Probe(_) | Pass::Recovering(_) => {
                self.end_mode(now);
                if epoch == self.epoch && self.mode == Mode::Disabled {
                    self.give_back(kind, now);
                }
                let current = epoch == self.epoch && self.mode != Mode::Disabled;
                current && self.answered(kind, what, slow, took.unwrap(), now)
            }
        };
        if !in_time {
            self.ledger.late += 1;
            return;
        }
        match what {
            None => self.ledger.cancelled += 1,
            Some(What::Success) => self.ledger.succeeded += 1,
            Some(What::Ignored) => self.ledger.ignored += 1,
            Some(What::Failure(_)) => self.ledger.failed += 1,
        }
        self.ledger.slow += u64::from(slow);
        if kind == Pass::Counted {
            match what {
                None | Some(What::Ignored) => {}
                Some(What::Success) => self.counted(None, slow, took.filter(|_| sampled && !slow), now),
                Some(What::Failure(failure)) => self.counted(Some(failure), slow, None, now),
            }
        }
    }
}
