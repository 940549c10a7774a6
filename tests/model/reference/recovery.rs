//! The recovering phase, restated: how much traffic passes, and what ends it.

use std::time::Duration;

use tower_breaker::{
    Config, Instant,
    config::{Ramp, Recovery as Kind, RecoveryWindow},
};

use super::{
    Outage,
    log::{averaged, needed},
    slots::Slots,
};

#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    /// Net failures in hundredths; a success makes up for two.
    pub(crate) net: u32,
    tolerance: u32,
    convincing: u32,
    pub(crate) slots: Slots,
    lease: Duration,
    as_alive: u32,
    pub(crate) ignored: u32,
    pub(crate) gate: Gate,
}

#[derive(Clone, Debug)]
pub(crate) enum Gate {
    /// Since when, and the share in millionths that each call met.
    Ramp(Ramp, Instant, Vec<u64>),
    Window(Window),
}

#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) limit: u32,
    full: Option<f64>,
    asked_at: Instant,
    usual: Option<Duration>,
    latency: u64,
    shortest: Option<u64>,
    patience: f64,
    full_since: Option<Instant>,
    rejected_at: Option<Instant>,
    got_far: bool,
    probation: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Done,
    Fall(&'static str),
    Stay,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Failed(u32),
    Ignored(Duration),
    Nothing,
    Slow,
    Tripped,
    Succeeded(Duration),
}

pub(crate) fn probation(window: RecoveryWindow, relapses: u32) -> Duration {
    (0..relapses.min(40)).fold(window.probation, |wait, _| wait.saturating_mul(4)).min(window.max_probation)
}

fn millionths(ramp: Ramp, since: Instant, now: Instant) -> u64 {
    let step = (now.since(since).as_nanos() / ramp.step.as_nanos()) as usize;
    ramp.shares.get(step).map_or(1_000_000, |share| (share * 1e6).round() as u64)
}

impl Recovery {
    /// None where none is wanted.
    pub(crate) fn new(config: &Config, outage: &Outage, now: Instant) -> Option<Self> {
        let (tolerance, convincing, gate) = match config.recovery {
            Kind::Ramp(ramp) => (ramp.tolerance, 0, Gate::Ramp(ramp, now, Vec::new())),
            Kind::Window(window) => {
                let evidence = config.evidence.map_or(0.0, |rule| needed(rule, outage.traffic) * 100.0);
                let usual = outage.usual.map(|latency| (outage.traffic * latency.as_secs_f64()).min(1e6));
                let mut gate = Window {
                    limit: 2,
                    full: usual.map(|usual| 2.0 + 3.0 * usual),
                    asked_at: now,
                    usual: outage.usual,
                    latency: 0,
                    shortest: None,
                    patience: 4.0,
                    full_since: None,
                    rejected_at: None,
                    got_far: false,
                    probation: probation(window, outage.relapses),
                };
                gate.look(now);
                (window.tolerance, evidence.ceil() as u32, Gate::Window(gate))
            }
            _ => return None,
        };
        let half_open = config.half_open;
        Some(Self {
            net: 0,
            tolerance: tolerance * 100,
            convincing,
            slots: Slots::default(),
            lease: half_open.probe_timeout,
            as_alive: half_open.ignored_as_alive,
            ignored: 0,
            gate,
        })
    }

    pub(crate) fn due(&mut self, now: Instant) -> Step {
        let step = self.take_back(now);
        let over = matches!(&self.gate, Gate::Ramp(ramp, since, _) if millionths(*ramp, *since, now) >= 1_000_000);
        if step == Step::Stay && over { Step::Done } else { step }
    }

    pub(crate) fn admit(&mut self, now: Instant) -> Option<usize> {
        let live = self.slots.live();
        let passes = match &mut self.gate {
            Gate::Ramp(ramp, since, asked) => {
                // The first call passes; then the n-th does if the sum of the shares reaches another whole with it.
                let first = asked.is_empty();
                let before: u64 = asked.iter().sum();
                asked.push(if first { 0 } else { millionths(*ramp, *since, now) });
                first || asked.iter().sum::<u64>() / 1_000_000 > before / 1_000_000
            }
            Gate::Window(window) => window.admit(live, now),
        };
        passes.then(|| self.slots.lend(now, self.lease))
    }

    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        let mut then = self.clone();
        match then.due(now) {
            Step::Done => true,
            Step::Fall(_) => false,
            Step::Stay => then.admit(now).is_some(),
        }
    }

    /// Whether the circuit opens before it answers a call that comes now.
    pub(crate) fn falls(&self, now: Instant) -> bool {
        matches!(self.clone().due(now), Step::Fall(_))
    }

    /// Whether it came in time, and what follows. Leases that are over are failures that came before.
    pub(crate) fn settle(&mut self, slot: usize, end: End, now: Instant) -> (bool, Step) {
        let before = self.take_back(now);
        if !self.slots.give_back(slot, now) || before != Step::Stay {
            return (false, before);
        }
        let step = match end {
            End::Nothing => Step::Stay,
            End::Tripped => Step::Fall("demanded"),
            End::Failed(hundredths) => self.failed(1, hundredths),
            End::Slow => match &mut self.gate {
                Gate::Ramp(..) => self.failed(1, 100),
                Gate::Window(window) => {
                    window.failed(1);
                    Step::Stay
                }
            },
            End::Ignored(took) => {
                self.ignored += 1;
                let alive = self.as_alive > 0 && self.ignored >= self.as_alive;
                if alive { self.succeeded(took, now) } else { Step::Stay }
            }
            End::Succeeded(took) => self.succeeded(took, now),
        };
        (true, step)
    }

    fn take_back(&mut self, now: Instant) -> Step {
        let over = self.slots.expire(now);
        if over == 0 { Step::Stay } else { self.failed(over, over * 100) }
    }

    fn succeeded(&mut self, took: Duration, now: Instant) -> Step {
        self.ignored = 0;
        self.net = self.net.saturating_sub(200);
        let done = match &mut self.gate {
            Gate::Ramp(ramp, since, _) => millionths(*ramp, *since, now) >= 1_000_000,
            Gate::Window(window) => window.succeeded(took, now),
        };
        if done { Step::Done } else { Step::Stay }
    }

    fn failed(&mut self, calls: u32, hundredths: u32) -> Step {
        self.ignored = 0;
        self.net += hundredths;
        let mut bearable = self.tolerance;
        if let Gate::Window(window) = &mut self.gate {
            window.failed(calls);
            if window.got_far && window.full.is_some() {
                bearable = bearable.max(self.convincing);
            }
        }
        if self.net >= bearable { Step::Fall("recovery_failed") } else { Step::Stay }
    }

    /// The limit at which a window is full, where one is known.
    pub(crate) fn full(&self) -> Option<u32> {
        match &self.gate {
            Gate::Ramp(..) => None,
            Gate::Window(window) => window.full(),
        }
    }

    pub(crate) fn got_far(&self, now: Instant) -> bool {
        match &self.gate {
            Gate::Ramp(ramp, since, _) => now.since(*since) >= ramp.step,
            Gate::Window(window) => window.got_far,
        }
    }
}

impl Window {
    /// What of it can still matter.
    pub(crate) fn digest(&self, seen: impl Fn(Instant) -> i128) -> String {
        let Self { limit, full, latency, shortest, patience, got_far, probation, usual, .. } = self;
        let instants = [Some(self.asked_at), self.full_since, self.rejected_at].map(|at| at.map(&seen));
        format!("{limit} {full:?} {latency} {shortest:?} {patience} {got_far} {probation:?} {usual:?} {instants:?}")
    }

    fn full(&self) -> Option<u32> {
        self.full.map(|full| full.min(1e7) as u32)
    }

    fn look(&mut self, now: Instant) {
        if self.full_since.is_none() && self.full().is_none_or(|full| self.limit >= full) {
            self.full_since = Some(now);
        }
    }

    fn admit(&mut self, live: u32, now: Instant) -> bool {
        if live < self.limit {
            return true;
        }
        // Each second for which a full window binds, up to one between two rejections: 2 % more room, 10 % more patience;
        // but room only for what a second ahead of the limit would take.
        if self.full_since.is_some() {
            let bound = now.since(self.asked_at).as_secs_f64().min(1.0);
            let most = f64::from(self.limit) * 1.02 + 1.0;
            self.full = self.full.map(|full| if full < most { (full * 1.02f64.powf(bound)).min(most) } else { full });
            self.patience = (self.patience * 1.1f64.powf(bound)).min(1e6);
            self.rejected_at = Some(now);
        }
        self.asked_at = now;
        false
    }

    fn failed(&mut self, calls: u32) {
        self.limit = self.limit.saturating_sub(calls).max(1);
        if self.full().is_none_or(|full| self.limit < full / 2) {
            self.full_since = None;
        }
    }

    /// Whether the recovery is complete.
    fn succeeded(&mut self, took: Duration, now: Instant) -> bool {
        let nanos = u64::try_from(took.as_nanos()).unwrap().max(1);
        self.latency = averaged(self.latency, took);
        self.shortest = Some(self.shortest.map_or(nanos, |shortest| shortest.min(nanos)));
        let may_grow = match self.full() {
            Some(full) => self.limit < full,
            None => self.latency as f64 <= self.shortest.unwrap() as f64 * self.patience && self.limit < 10_000_000,
        };
        self.limit += u32::from(may_grow);
        self.got_far |= self.limit > self.full().map_or(2, |full| full / 2);
        self.look(now);
        // It cannot have been full since a time that is yet to come.
        self.full_since = self.full_since.map(|since| since.min(now));
        self.rejected_at = self.rejected_at.map(|at| at.min(now));
        let held = |since: Instant| now.since(since) >= self.probation;
        let calm = self.rejected_at.is_none_or(held);
        let quick = self.usual.is_some_and(|usual| u128::from(self.latency) <= 2 * usual.as_nanos().max(1));
        self.full_since.is_some_and(held) && (calm || quick)
    }
}
