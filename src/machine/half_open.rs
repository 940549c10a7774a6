//! A few probes decide whether the dependency is back.

use std::time::Duration;

use crate::{
    config::{HalfOpen as Settings, ProbeVerdict},
    machine::{Reason, lease::Leases},
    time::Instant,
};

/// The half-open phase: which probes are under way and what they have shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct HalfOpen {
    leases: Leases,
    successes: u32,
    failures: u32,
    /// Ignored answers since the last one that was not.
    ignored: u32,
    /// How long probes have been under way since the last success, but for the stretch that goes on.
    waited: Duration,
    /// Since when probes have been under way without a gap; none while there is none.
    since: Option<Instant>,
    /// When the last probe of that stretch ended so far.
    ended: Instant,
    /// When the phase was over, if it was when a stretch ended.
    over: Option<Instant>,
}

/// What a probe has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It was dropped early or never made, which shows nothing.
    Cancelled,
    /// It failed or was slow.
    Failed(Reason),
    Ignored,
    Succeeded,
}

/// What the probes decide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Fail(Reason),
    Pass(Reason),
    Wait,
}

impl HalfOpen {
    /// Whether probes have been under way for so long without a success that the phase ends.
    ///
    /// The time in which nobody calls does not count: it says nothing about the dependency, and a quiet circuit that needs
    /// three successes could never close otherwise.
    fn is_too_long(&self, settings: &Settings, now: Instant) -> bool {
        self.waited.saturating_add(self.under_way(now)) >= settings.max_wait
    }

    /// How long the stretch lasts that goes on, or did until the last of its probes ended or its lease.
    fn under_way(&self, now: Instant) -> Duration {
        let Some(since) = self.since else { return Duration::ZERO };
        let over = !self.leases.is_under_way(now);
        let until =
            if over { self.leases.last_deadline().unwrap_or(Instant::ZERO).max(self.ended).min(now) } else { now };
        until.since(since)
    }

    /// Takes note of other settings: what was over by the old ones need not be.
    pub(crate) fn reconfigured(&mut self) {
        self.over = None;
    }

    /// When the phase was over, if it is: nobody may have looked for long.
    pub(crate) fn over_since(&self, settings: &Settings) -> Option<Instant> {
        let left = settings.max_wait.saturating_sub(self.waited);
        self.over.or_else(|| self.since.map(|since| since.after(left)))
    }

    /// Takes note of the end of a stretch, if it has ended.
    fn stretch_ended(&mut self, settings: &Settings, under_way: Duration) {
        if self.leases.has_calls() || self.since.is_none() {
            return;
        }
        let over = self.over_since(settings);
        self.since = None;
        self.waited = self.waited.saturating_add(under_way);
        self.over = over.filter(|_| self.waited >= settings.max_wait);
    }

    /// Takes note of a step towards the verdict.
    fn progressed(&mut self, now: Instant) {
        self.waited = Duration::ZERO;
        self.over = None;
        self.since = self.since.map(|_| now);
        self.ended = now;
    }

    /// What is due without another answer: the settings may have become less demanding, the phase too long.
    pub(crate) fn due(&self, settings: &Settings, now: Instant) -> Verdict {
        match self.verdict(settings.verdict) {
            Verdict::Wait if self.is_too_long(settings, now) => {
                Verdict::Fail(Reason::HalfOpenTooLong { max_wait: settings.max_wait })
            }
            verdict => verdict,
        }
    }

    /// Lends a slot to a probe if one is free and another probe is needed.
    pub(crate) fn admit(&mut self, settings: &Settings, now: Instant) -> Option<u64> {
        let under_way = self.under_way(now);
        self.leases.expire(now);
        self.stretch_ended(settings, under_way);
        if !self.has_room(settings, self.leases.live()) {
            return None;
        }
        Some(self.lend(settings, now))
    }

    fn lend(&mut self, settings: &Settings, now: Instant) -> u64 {
        if self.since.is_none() {
            self.since = Some(now);
            self.ended = now;
        }
        self.leases.lend(now, settings.probe_timeout)
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Takes note that a probe that was admitted has not begun.
    pub(crate) fn reserve(&mut self, settings: &Settings, lease: u64, now: Instant) {
        let under_way = self.under_way(now);
        self.leases.reserve(lease);
        self.stretch_ended(settings, under_way);
    }

    /// Lends a slot anew, in place of one that is still lent.
    pub(crate) fn begin(&mut self, settings: &Settings, lease: u64, now: Instant) -> u64 {
        let under_way = self.under_way(now);
        self.leases.give_back(lease, now);
        self.leases.expire(now);
        self.stretch_ended(settings, under_way);
        self.lend(settings, now)
    }

    /// Reports whether a call that comes now would get a slot.
    pub(crate) fn would_admit(&self, settings: &Settings, now: Instant) -> bool {
        self.has_room(settings, self.leases.live() - self.leases.expired(now))
    }

    /// When a slot is free at the latest.
    pub(crate) fn first_deadline(&self, now: Instant) -> Option<Duration> {
        self.leases.first_deadline(now)
    }

    pub(crate) fn probes_in_flight(&self) -> u32 {
        self.leases.live()
    }

    /// Takes the answer of a probe; none if its lease was over.
    pub(crate) fn settle(&mut self, settings: &Settings, id: u64, answer: Answer, now: Instant) -> Option<Verdict> {
        let under_way = self.under_way(now);
        if let Some(since) = self.since {
            self.ended = self.ended.max(since.after(under_way));
        }
        let in_time = self.leases.give_back(id, now);
        self.stretch_ended(settings, under_way);
        if !in_time {
            return None;
        }
        Some(match answer {
            Answer::Cancelled => Verdict::Wait,
            Answer::Failed(reason) => self.failed(settings.verdict, reason),
            Answer::Ignored => {
                self.ignored += 1;
                if settings.ignored_as_alive > 0 {
                    self.progressed(now);
                }
                if settings.ignored_as_alive == 0 || self.ignored < settings.ignored_as_alive {
                    return Some(Verdict::Wait);
                }
                self.succeeded(settings.verdict)
            }
            Answer::Succeeded => {
                self.progressed(now);
                self.succeeded(settings.verdict)
            }
        })
    }

    fn has_room(&self, settings: &Settings, live: u32) -> bool {
        let needed = match settings.verdict {
            ProbeVerdict::Rate { probes, .. } => probes.saturating_sub(self.failures),
            ProbeVerdict::Successes(successes) => successes,
        };
        live < settings.max_concurrent_probes && live + self.successes < needed
    }

    fn succeeded(&mut self, verdict: ProbeVerdict) -> Verdict {
        self.ignored = 0;
        self.successes += 1;
        self.verdict(verdict)
    }

    fn failed(&mut self, verdict: ProbeVerdict, reason: Reason) -> Verdict {
        self.ignored = 0;
        self.failures += 1;
        match verdict {
            ProbeVerdict::Rate { .. } if reason != Reason::Demanded => self.verdict(verdict),
            ProbeVerdict::Rate { .. } | ProbeVerdict::Successes(_) => Verdict::Fail(reason),
        }
    }

    /// What the answers so far decide.
    fn verdict(&self, verdict: ProbeVerdict) -> Verdict {
        let (needed, bearable) = match verdict {
            ProbeVerdict::Rate { probes, threshold } => {
                let too_many = too_many(probes, threshold);
                (probes.saturating_sub(too_many) + 1, too_many - 1)
            }
            // A failure has decided already, whatever the settings were then.
            ProbeVerdict::Successes(successes) => (successes, u32::MAX),
        };
        if self.failures > bearable {
            let probes = self.successes + self.failures;
            return Verdict::Fail(Reason::ProbeRate { failures: self.failures, probes });
        }
        if self.successes < needed {
            return Verdict::Wait;
        }
        Verdict::Pass(Reason::ProbesSucceeded { successes: self.successes })
    }
}

/// The least number of failures that reaches the threshold.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most `probes`")]
fn too_many(probes: u32, threshold: f64) -> u32 {
    // The millionth keeps 0.7 · 10 at seven.
    ((f64::from(probes) * threshold - 1e-6).ceil() as u32).clamp(1, probes.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_is_the_first_count_at_the_threshold() {
        for (probes, threshold, expected) in [(10, 0.5, 5), (10, 0.7, 7), (10, 0.01, 1), (3, 1.0, 3), (1, 0.5, 1)] {
            assert_eq!(too_many(probes, threshold), expected, "{threshold} of {probes}");
        }
    }

    #[test]
    fn a_rate_is_decided_as_early_as_it_can_be_both_ways() {
        let settings = Settings::new().failure_rate(4, 0.5).max_concurrent_probes(4);
        let run = |answers: &[bool]| {
            let mut phase = HalfOpen::default();
            let mut verdicts = answers.iter().map(|ok| {
                let id = phase.admit(&settings, Instant::ZERO).expect("a slot is free");
                let answer = if *ok { Answer::Succeeded } else { Answer::Failed(Reason::ProbeFailed) };
                phase.settle(&settings, id, answer, Instant::ZERO).expect("in time")
            });
            verdicts.by_ref().take(answers.len() - 1).for_each(|verdict| assert_eq!(verdict, Verdict::Wait));
            verdicts.next().expect("one is left")
        };
        assert_eq!(run(&[false, false]), Verdict::Fail(Reason::ProbeRate { failures: 2, probes: 2 }));
        assert_eq!(run(&[true, true, true]), Verdict::Pass(Reason::ProbesSucceeded { successes: 3 }));
        assert_eq!(run(&[true, false, true, true]), Verdict::Pass(Reason::ProbesSucceeded { successes: 3 }));
    }

    #[test]
    fn no_more_probes_go_than_are_needed() {
        let settings = Settings::new().success_threshold(2).max_concurrent_probes(5);
        let mut phase = HalfOpen::default();
        let first = phase.admit(&settings, Instant::ZERO).expect("the first");
        phase.admit(&settings, Instant::ZERO).expect("the second");
        assert!(!phase.would_admit(&settings, Instant::ZERO));
        assert_eq!(phase.admit(&settings, Instant::ZERO), None);
        phase.settle(&settings, first, Answer::Ignored, Instant::ZERO);
        assert!(phase.admit(&settings, Instant::ZERO).is_some(), "an ignored answer frees its slot");
        let late = Instant::ZERO.after(Duration::from_secs(30));
        assert!(phase.would_admit(&settings, late), "leases end");
        assert_eq!(phase.settle(&settings, 1, Answer::Succeeded, late), None);
    }
}
