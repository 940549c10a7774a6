//! How the naive breaker changes: trips, verdicts, modes, other settings.

use super::*;

impl Reference {
    /// A success or a failure of the closed phase.
    pub(super) fn counted(&mut self, failure: Option<Fail>, slow: bool, sample: Option<Duration>, now: Instant) {
        self.log.call(&self.config, failure, slow, sample, now);
        self.bucket_begun |= self.log.has_begun_a_bucket();
        let Some(reason) = self.log.verdict(&self.config, failure, slow, now) else { return };
        let traffic = self.log.traffic(&self.config, now);
        self.end_mode(now);
        if matches!(self.mode, Mode::Disabled | Mode::ForcedClosed) {
            self.held = true;
            if let Some(rule) = self.config.evidence {
                let most = (needed(rule, traffic) * 100.0).ceil() as u32;
                self.log.items.push((now, Item::NetCapped(most)));
            }
            return;
        }
        let latency = self.log.net_and_latency().1;
        let usual = (latency > 0).then(|| Duration::from_nanos(latency));
        let mut outage = Outage { since: now, traffic, usual, failed_probes: 0, relapses: 0 };
        if let (Kind::Window(window), Some((at, before))) = (self.config.recovery, self.recovered) {
            let soon = (recovery::probation(window, before.relapses) * 2).max(Duration::from_secs(10));
            if now.since(at) < soon {
                outage.relapses = before.relapses + 1;
                outage.traffic = traffic.max(before.traffic);
            }
        }
        self.outage = Some(outage);
        self.times_opened += 1;
        self.enter_open(reason, failure.and_then(|failure| failure.retry_after), now);
    }

    /// The end of a probe or of a call of a recovery; whether it came in time.
    pub(super) fn answered(
        &mut self,
        kind: Pass,
        what: Option<What>,
        slow: bool,
        took: Duration,
        now: Instant,
    ) -> bool {
        let hint = match what {
            Some(What::Failure(failure)) => failure.retry_after,
            Some(What::Success | What::Ignored) | None => None,
        };
        match (&mut self.phase, kind) {
            (Phase::HalfOpen(probes), Pass::Probe(slot)) => {
                let (verdict, at) = probes.due(&self.config.half_open, now);
                if verdict != Verdict::Wait {
                    // The phase was over, and nobody had looked.
                    self.decide(verdict, None, at);
                    return false;
                }
                let answer = match what {
                    None => Answer::Cancelled,
                    Some(What::Ignored) => Answer::Ignored,
                    Some(What::Success) if slow => Answer::Failed("probe_slow"),
                    Some(What::Success) => Answer::Succeeded,
                    Some(What::Failure(failure)) if failure.tripping => Answer::Failed("demanded"),
                    Some(What::Failure(_)) => Answer::Failed("probe_failed"),
                };
                let verdict = probes.settle(&self.config.half_open, slot, answer, now);
                if let Some(verdict) = verdict {
                    self.decide(verdict, hint, now);
                }
                verdict.is_some()
            }
            (Phase::Recovering(recovery), Pass::Recovering(slot)) => {
                let end = match what {
                    None => End::Nothing,
                    Some(What::Ignored) => End::Ignored(took),
                    Some(What::Success) if slow => End::Slow,
                    Some(What::Success) => End::Succeeded(took),
                    Some(What::Failure(failure)) if failure.tripping => End::Tripped,
                    Some(What::Failure(failure)) => End::Failed(failure.hundredths),
                };
                let (in_time, step) = recovery.settle(slot, end, now);
                self.step(step, hint, now);
                in_time
            }
            _ => false,
        }
    }

    /// What ends while the circuit is disabled decides nothing.
    pub(super) fn give_back(&mut self, kind: Pass, now: Instant) {
        match (&mut self.phase, kind) {
            (Phase::HalfOpen(probes), Pass::Probe(slot)) => {
                probes.settle(&self.config.half_open, slot, Answer::Cancelled, now);
            }
            (Phase::Recovering(recovery), Pass::Recovering(slot)) => {
                recovery.slots.give_back(slot, now);
            }
            _ => {}
        }
    }

    pub(super) fn decide(&mut self, verdict: Verdict, hint: Option<Duration>, now: Instant) {
        match verdict {
            Verdict::Wait => {}
            Verdict::Fail(reason) => self.reopen(reason, hint, now),
            Verdict::Pass => {
                let outage = self.outage.unwrap();
                match Recovery::new(&self.config, &outage, now) {
                    Some(recovery) => self.enter(Phase::Recovering(recovery), "probes_succeeded", now),
                    None => self.close("probes_succeeded", now),
                }
            }
        }
    }

    pub(super) fn step(&mut self, step: Step, hint: Option<Duration>, now: Instant) {
        match step {
            Step::Stay => {}
            Step::Done => self.close("recovered", now),
            Step::Fall(reason) => self.reopen(reason, hint, now),
        }
    }

    fn reopen(&mut self, reason: &'static str, hint: Option<Duration>, now: Instant) {
        let outage = self.outage.as_mut().unwrap();
        outage.failed_probes += 1;
        if let Phase::Recovering(recovery) = &self.phase {
            self.times_opened += 1;
            if recovery.got_far(now) {
                // It had come back: this is a new outage.
                *outage = Outage { since: now, failed_probes: 0, relapses: outage.relapses + 1, ..*outage };
            }
        }
        self.enter_open(reason, hint, now);
    }

    fn enter_open(&mut self, reason: &'static str, hint: Option<Duration>, now: Instant) {
        let phase = self.open(hint, now);
        self.reason = Some(reason);
        self.enter(phase, reason, now);
    }

    pub(super) fn open(&mut self, hint: Option<Duration>, now: Instant) -> Phase {
        let asked = hint.unwrap_or_default().min(self.config.max_retry_after);
        let bounds = wait::bounds(self.config.probing, &self.outage.unwrap(), self.streak, now);
        let Some(drawn) = self.drawn.pop_front() else {
            self.fault = Some("the machine did not open".into());
            return Phase::Open(now);
        };
        if !wait::is_within(drawn, bounds, asked) {
            self.fault = Some(format!("a wait of {drawn:?}, allowed are {bounds:?} s and what was asked: {asked:?}"));
        }
        self.streak += 1;
        self.last_wait = drawn;
        Phase::Open(now.after(drawn))
    }

    fn close(&mut self, reason: &'static str, now: Instant) {
        let by_itself = matches!(reason, "probes_succeeded" | "recovered") && self.reason.is_some();
        self.recovered = self.outage.filter(|_| by_itself).map(|outage| (now, outage));
        self.streak = 0;
        self.outage = None;
        self.reason = None;
        self.enter(Phase::Closed, reason, now);
        self.log.items.push((now, Item::Began));
        self.bucket_begun = false;
    }

    pub(super) fn enter(&mut self, phase: Phase, reason: &'static str, now: Instant) {
        let from = self.state();
        self.phase = phase;
        self.epoch += 1;
        self.entered = self.entered.max(now);
        let to = self.state();
        let began = self.log.trouble_began().filter(|_| (from, to) == (State::Closed, State::Open));
        let detected = began.map(|began| now.since(began));
        self.moves.push(Move { from, to, reason, epoch: self.epoch, at: now, detected });
    }

    pub(super) fn end_mode(&mut self, now: Instant) {
        self.mode = self.mode(now);
        self.until = self.until.filter(|_| self.mode != Mode::Auto);
    }

    pub(crate) fn set_mode(&mut self, mode: Mode, until: Option<Instant>, now: Instant) {
        self.mode = mode;
        self.until = until.filter(|_| mode != Mode::Auto);
        if mode == Mode::ForcedClosed && self.state() != State::Closed {
            self.close("forced", now);
        }
    }

    pub(crate) fn reset(&mut self, now: Instant) {
        self.end_mode(now);
        self.close("reset", now);
        self.log.items.push((now, Item::LatencyForgotten));
    }

    pub(crate) fn reconfigure(&mut self, config: Config, now: Instant) {
        if let Phase::HalfOpen(probes) = &mut self.phase {
            probes.reconfigured();
        }
        self.config = config;
        self.bucket_begun |= self.log.configure(&config, now);
    }

    /// The window that people are shown and the calls it needs, its sums, and the weight of the run.
    pub(crate) fn shown(&self, now: Instant) -> (Option<(u32, Sums)>, f64) {
        let Config { failure_rate, slow_calls, burst, .. } = self.config;
        let rate = failure_rate.map(|rule| (rule.window, rule.minimum_calls));
        let slow = slow_calls.map(|rule| (rule.window, rule.minimum_calls));
        let burst = burst.map(|rule| (rule.window, rule.minimum_calls));
        let traffic = asks_for_traffic(&self.config).then_some((Window::DEFAULT, 1));
        let shown = rate.or(slow).or(burst).or(traffic);
        let sums = shown.map(|(window, needed)| (needed, self.log.sums(window, now)));
        (sums, f64::from(self.log.run().0) / 100.0)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        match &self.phase {
            Phase::Closed | Phase::Open(_) => 0,
            Phase::HalfOpen(probes) => probes.slots.live(),
            Phase::Recovering(recovery) => recovery.slots.live(),
        }
    }

    /// The limit at which the window of this recovery is full, or of the next one.
    pub(crate) fn full_window(&self) -> f64 {
        let outage = self.outage.unwrap_or_default();
        let next = 2.0 + 3.0 * outage.usual.map_or(0.0, |usual| outage.traffic * usual.as_secs_f64()).min(1e6);
        match &self.phase {
            Phase::Closed | Phase::Open(_) | Phase::HalfOpen(_) => next,
            Phase::Recovering(recovery) => recovery.full().map_or(next, |full| next.max(f64::from(full))),
        }
    }

    pub(crate) fn leases_over(&self, now: Instant) -> u32 {
        match &self.phase {
            Phase::Closed | Phase::Open(_) => 0,
            Phase::HalfOpen(probes) => probes.slots.expired(now),
            Phase::Recovering(recovery) => recovery.slots.expired(now),
        }
    }

    /// Whether the circuit opens before it answers a call that comes now.
    pub(crate) fn falls(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::Closed | Phase::Open(_) => false,
            Phase::HalfOpen(probes) => matches!(probes.due(&self.config.half_open, now).0, Verdict::Fail(_)),
            Phase::Recovering(recovery) => recovery.falls(now),
        }
    }
}
