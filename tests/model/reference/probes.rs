//! The half-open phase, restated: which probes go, and what they decide.

use std::time::Duration;

use tower_breaker::{
    Instant,
    config::{HalfOpen, ProbeVerdict},
};

use super::slots::Slots;

#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    pub(crate) slots: Slots,
    pub(crate) successes: u32,
    pub(crate) failures: u32,
    /// Ignored answers since the last success or failure.
    pub(crate) ignored: u32,
    /// The stretches in which probes were under way since the last progress; the last may still go on.
    pub(crate) busy: Vec<(Instant, Option<Instant>)>,
    /// How long it was in all, as far as it was before other settings came.
    pub(crate) before: Duration,
    /// Until when probes of the last stretch had been under way, each time that one ended.
    ends: Vec<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Cancelled,
    Failed(&'static str),
    Ignored,
    Succeeded,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Fail(&'static str),
    Pass,
    Wait,
}

impl Probes {
    /// By other settings the phase may be over earlier or later. What has been waited counts; when that was does not.
    pub(crate) fn reconfigured(&mut self) {
        let ended: Vec<_> = self.busy.iter().filter_map(|(from, to)| to.map(|to| to.since(*from))).collect();
        self.busy.retain(|(_, to)| to.is_none());
        self.before += ended.into_iter().sum::<Duration>();
    }

    /// When probes had been under way for `max_wait` without progress, if they have.
    pub(crate) fn too_long_since(&self, settings: &HalfOpen, now: Instant) -> Option<Instant> {
        let mut left = settings.max_wait.saturating_sub(self.before);
        if left.is_zero() {
            return Some(self.busy.first().map_or(now, |(from, _)| *from));
        }
        for (from, to) in &self.busy {
            let to = to.unwrap_or_else(|| self.under_way_until(now));
            if to.since(*from) >= left {
                return Some(from.after(left));
            }
            left -= to.since(*from);
        }
        None
    }

    /// Until when probes of the last stretch have been under way: each until it ended, or its lease.
    fn under_way_until(&self, now: Instant) -> Instant {
        if self.slots.expired(now) < self.slots.live() {
            return now;
        }
        let live = self.slots.0.iter().filter(|slot| slot.ended.is_none()).map(|slot| slot.deadline);
        live.chain(self.ends.iter().copied()).max().unwrap_or(now).min(now)
    }

    pub(crate) fn admit(&mut self, settings: &HalfOpen, now: Instant) -> Option<usize> {
        self.take_back(now);
        if !self.has_room(settings, self.slots.live()) {
            return None;
        }
        if self.slots.live() == 0 {
            self.busy.push((now, None));
            self.ends.clear();
        }
        Some(self.slots.lend(now, settings.probe_timeout))
    }

    pub(crate) fn would_admit(&self, settings: &HalfOpen, now: Instant) -> bool {
        self.has_room(settings, self.slots.live() - self.slots.expired(now))
    }

    fn has_room(&self, settings: &HalfOpen, live: u32) -> bool {
        let needed = match settings.verdict {
            ProbeVerdict::Successes(successes) => successes,
            ProbeVerdict::Rate { probes, .. } => probes.saturating_sub(self.failures),
            _ => unreachable!("there are two verdicts"),
        };
        live < settings.max_concurrent_probes && live + self.successes < needed
    }

    fn take_back(&mut self, now: Instant) {
        let until = self.under_way_until(now);
        self.slots.expire(now);
        self.ends(until);
    }

    /// If nothing is under way any more.
    fn ends(&mut self, at: Instant) {
        match self.busy.last_mut() {
            Some((_, to @ None)) if self.slots.live() == 0 => *to = Some(at),
            _ => {}
        }
    }

    fn progressed(&mut self, now: Instant) {
        self.busy.clear();
        self.before = Duration::ZERO;
        self.ends = vec![now];
        if self.slots.live() > 0 {
            self.busy.push((now, None));
        }
    }

    /// None if the lease was over.
    pub(crate) fn settle(&mut self, settings: &HalfOpen, slot: usize, answer: Answer, now: Instant) -> Option<Verdict> {
        let until = self.under_way_until(now);
        self.ends.push(until);
        let in_time = self.slots.give_back(slot, now);
        self.ends(until);
        if !in_time {
            return None;
        }
        match answer {
            Answer::Cancelled => return Some(Verdict::Wait),
            Answer::Failed(reason) => {
                self.ignored = 0;
                self.failures += 1;
                let judged = matches!(settings.verdict, ProbeVerdict::Rate { .. }) && reason != "demanded";
                return Some(if judged { self.verdict(settings) } else { Verdict::Fail(reason) });
            }
            Answer::Ignored => {
                self.ignored += 1;
                if settings.ignored_as_alive > 0 {
                    self.progressed(now);
                }
                if settings.ignored_as_alive == 0 || self.ignored < settings.ignored_as_alive {
                    return Some(Verdict::Wait);
                }
            }
            Answer::Succeeded => self.progressed(now),
        }
        self.ignored = 0;
        self.successes += 1;
        Some(self.verdict(settings))
    }

    fn verdict(&self, settings: &HalfOpen) -> Verdict {
        let ProbeVerdict::Rate { probes, threshold } = settings.verdict else {
            let ProbeVerdict::Successes(needed) = settings.verdict else { unreachable!("there are two verdicts") };
            return if self.successes >= needed { Verdict::Pass } else { Verdict::Wait };
        };
        // The rate that all probes together have reached if no other fails, and if all others do.
        let reaches = |failures: u32| failures > 0 && f64::from(failures) >= threshold * f64::from(probes) - 1e-6;
        if reaches(self.failures) {
            return Verdict::Fail("probe_rate");
        }
        if reaches(probes.saturating_sub(self.successes)) { Verdict::Wait } else { Verdict::Pass }
    }

    /// What is due without another answer, and since when.
    pub(crate) fn due(&self, settings: &HalfOpen, now: Instant) -> (Verdict, Instant) {
        match (self.verdict(settings), self.too_long_since(settings, now)) {
            (Verdict::Wait, Some(since)) => (Verdict::Fail("half_open_too_long"), since.min(now)),
            (verdict, _) => (verdict, now),
        }
    }
}
