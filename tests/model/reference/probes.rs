//! The half-open phase, restated: which probes go, and what they decide.

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
    /// Several probes share the stretch that goes on, or the settings were changed: how much of it counts once leases
    /// end is not written down.
    unsure: bool,
    reconfigured: bool,
    pub(crate) doubt: bool,
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
    pub(crate) fn reconfigured(&mut self) {
        self.unsure = true;
        self.reconfigured = true;
    }

    /// When probes had been under way for `max_wait` without progress, if they have.
    pub(crate) fn too_long_since(&mut self, settings: &HalfOpen, now: Instant) -> Option<Instant> {
        let over = self.slots.expired(now) == self.slots.live();
        let deadline = self.slots.0.iter().filter(|slot| slot.ended.is_none()).map(|slot| slot.deadline).max();
        let mut left = settings.max_wait;
        for (from, to) in &self.busy {
            let open_end = to.is_none();
            let to = to.unwrap_or(if over { deadline.unwrap_or(now) } else { now });
            if to.since(*from) >= left {
                self.doubt |= self.reconfigured || self.unsure && open_end && over;
                return Some(from.after(left));
            }
            self.doubt |= self.unsure && open_end && over;
            left -= to.since(*from);
        }
        None
    }

    pub(crate) fn admit(&mut self, settings: &HalfOpen, now: Instant) -> Option<usize> {
        self.take_back(now);
        if !self.has_room(settings, self.slots.live()) {
            return None;
        }
        if self.slots.live() == 0 {
            self.busy.push((now, None));
        } else {
            self.unsure = true;
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
        let before = self.slots.live();
        let last = self.slots.0.iter().filter(|slot| slot.ended.is_none()).map(|slot| slot.deadline).max();
        if self.slots.expire(now) > 0 {
            self.doubt |= self.unsure;
        }
        if before > 0 && self.slots.live() == 0 {
            self.ends(last.unwrap());
        }
    }

    /// Nothing is under way any more.
    fn ends(&mut self, at: Instant) {
        if let Some((_, to @ None)) = self.busy.last_mut() {
            *to = Some(at);
        }
        self.unsure = false;
    }

    fn progressed(&mut self, now: Instant) {
        self.busy.clear();
        if self.slots.live() > 0 {
            self.busy.push((now, None));
            self.unsure = true;
        }
    }

    /// None if the lease was over.
    pub(crate) fn settle(&mut self, settings: &HalfOpen, slot: usize, answer: Answer, now: Instant) -> Option<Verdict> {
        let was_live = self.slots.0[slot].ended.is_none();
        let in_time = self.slots.give_back(slot, now);
        if was_live && !in_time {
            self.doubt |= self.unsure;
        }
        if was_live && self.slots.live() == 0 {
            self.ends(self.slots.0[slot].ended.unwrap());
        }
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
    pub(crate) fn due(&mut self, settings: &HalfOpen, now: Instant) -> (Verdict, Instant) {
        match (self.verdict(settings), self.too_long_since(settings, now)) {
            (Verdict::Wait, Some(since)) => (Verdict::Fail("half_open_too_long"), since.min(now)),
            (verdict, _) => (verdict, now),
        }
    }
}
