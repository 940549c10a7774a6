//! The dependency answers again: how much traffic it gets until the circuit closes.

use std::time::Duration;

use crate::{
    config::{HalfOpen, Ramp, RecoveryWindow},
    machine::{Outage, Reason, core::UNKNOWN_WAIT, lease::Leases, ramp::RampGate, rules::whole, tally::averaged},
    time::{Instant, nanos},
};

/// A success makes up for two failures, as in the default evidence.
const RELIEF: u32 = 200;

/// The recovering phase.
#[derive(Clone, Debug)]
pub(crate) struct Recovering {
    /// Net failures in hundredths.
    net: u32,
    tolerance: u32,
    /// The calls under way. One whose lease ends is a failure: a recovery has no longest time of its own.
    leases: Leases,
    lease: Duration,
    /// How many ignored answers in a row are as good as a success, zero for none, and how many there have been.
    as_alive: u32,
    ignored: u32,
    gate: Gate,
}

#[derive(Clone, Debug)]
enum Gate {
    Ramp(RampGate),
    Window(WindowGate),
}

/// What a finished call changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Done,
    Fall(Reason),
    Stay,
}

/// How a call ended, as far as a recovery is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Failed {
        units: u32,
    },
    /// The dependency answered, and the answer says nothing.
    Ignored {
        took: Duration,
    },
    Nothing,
    /// Succeeded, but took longer than a call may.
    Slow,
    /// Failed, and asked to open the circuit.
    Tripped,
    Succeeded {
        took: Duration,
    },
}

impl Recovering {
    pub(crate) fn ramp(ramp: Ramp, half_open: &HalfOpen, now: Instant) -> Self {
        Self::new(ramp.tolerance, half_open, Gate::Ramp(RampGate::new(ramp, now)))
    }

    pub(crate) fn window(window: RecoveryWindow, outage: &Outage, half_open: &HalfOpen, now: Instant) -> Self {
        Self::new(window.tolerance, half_open, Gate::Window(WindowGate::new(window, outage, now)))
    }

    fn new(tolerance: u32, half_open: &HalfOpen, gate: Gate) -> Self {
        let HalfOpen { probe_timeout: lease, ignored_as_alive: as_alive, .. } = *half_open;
        Self { net: 0, tolerance, leases: Leases::default(), lease, as_alive, ignored: 0, gate }
    }

    /// What is due without another answer: leases may be over, or the ramp.
    pub(crate) fn due(&mut self, now: Instant) -> Step {
        match (self.expire(now), &self.gate) {
            (Step::Stay, Gate::Ramp(ramp)) if ramp.is_over(now) => Step::Done,
            (step, _) => step,
        }
    }

    /// Lends a slot to a call that may pass. [`Recovering::due`] has been asked before.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        let passes = match &mut self.gate {
            Gate::Ramp(ramp) => ramp.admit(now),
            Gate::Window(window) => window.admit(self.leases.live(), now),
        };
        passes.then(|| self.leases.lend(now, self.lease))
    }

    /// Reports whether a call would pass now, or after what is due.
    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        let expired = self.leases.expired(now);
        if expired > 0 && self.is_too_much(self.net.saturating_add(expired.saturating_mul(100))) {
            return false;
        }
        match &self.gate {
            Gate::Ramp(ramp) => ramp.is_over(now) || ramp.clone().admit(now),
            Gate::Window(window) => self.leases.live() - expired < window.limit.saturating_sub(expired).max(1),
        }
    }

    /// Takes the end of a call: whether it came in time, and what has changed.
    ///
    /// Leases that are over are failures first, in the order of time; so the circuit may open here although this call
    /// was good.
    pub(crate) fn settle(&mut self, lease: u64, end: End, now: Instant) -> (bool, Step) {
        let expired = self.expire(now);
        if !self.leases.give_back(lease, now) || expired != Step::Stay {
            return (false, expired);
        }
        let step = match end {
            End::Failed { units } => self.failed(1, units),
            End::Nothing => Step::Stay,
            End::Slow => self.slow(),
            End::Tripped => Step::Fall(Reason::Demanded),
            End::Ignored { took } => {
                self.ignored += 1;
                let alive = self.as_alive > 0 && self.ignored >= self.as_alive;
                if alive { self.succeeded(took, now) } else { Step::Stay }
            }
            End::Succeeded { took } => self.succeeded(took, now),
        };
        (true, step)
    }

    fn succeeded(&mut self, took: Duration, now: Instant) -> Step {
        self.net = self.net.saturating_sub(RELIEF);
        self.ignored = 0;
        match &mut self.gate {
            Gate::Ramp(ramp) if ramp.is_over(now) => Step::Done,
            Gate::Ramp(_) => Step::Stay,
            Gate::Window(window) => window.succeeded(took, now),
        }
    }

    /// After which time it is worth coming back.
    pub(crate) fn retry_after(&self, outage: &Outage) -> Duration {
        let usual = outage.usual_latency.unwrap_or(UNKNOWN_WAIT);
        usual.clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Whether it got far enough for a fall to be a new outage.
    pub(crate) fn got_far(&self, now: Instant) -> bool {
        match &self.gate {
            Gate::Ramp(ramp) => ramp.got_far(now),
            Gate::Window(window) => window.got_far,
        }
    }

    pub(crate) fn is_ramp(&self) -> bool {
        matches!(self.gate, Gate::Ramp(_))
    }

    /// How many calls are under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.leases.live()
    }

    /// A slow answer is a sign of too much traffic: the window has a remedy of its own, a ramp has none.
    fn slow(&mut self) -> Step {
        match &mut self.gate {
            Gate::Ramp(_) => self.failed(1, 100),
            Gate::Window(window) => {
                window.failed(1);
                Step::Stay
            }
        }
    }

    /// Takes back the slots of calls that have not ended in time; each is a failure.
    fn expire(&mut self, now: Instant) -> Step {
        let expired = self.leases.expire(now);
        if expired == 0 { Step::Stay } else { self.failed(expired, expired.saturating_mul(100)) }
    }

    fn failed(&mut self, calls: u32, units: u32) -> Step {
        self.ignored = 0;
        if let Gate::Window(window) = &mut self.gate {
            window.failed(calls);
        }
        self.net = self.net.saturating_add(units);
        if !self.is_too_much(self.net) {
            return Step::Stay;
        }
        Step::Fall(Reason::RecoveryFailed { net_failures: whole(self.net.into()) })
    }

    fn is_too_much(&self, net: u32) -> bool {
        u64::from(net) >= u64::from(self.tolerance) * 100
    }
}

#[derive(Clone, Debug)]
struct WindowGate {
    /// How many calls may be under way.
    limit: u32,
    /// The limit at which the window is full: two plus three times the usual number of calls under way (by Little's law
    /// the traffic times the latency), and more where that no longer fits. None where nothing usual is known, as in a
    /// slow start: then the window is full as long as it is wide enough for all who come.
    full: Option<f64>,
    grown_at: Instant,
    usual_latency: Option<Duration>,
    /// The latency of successes during the recovery, nanoseconds, and the shortest of them.
    latency: u64,
    shortest: u64,
    /// Since when the window has been full.
    full_since: Option<Instant>,
    /// When the full window last rejected a call.
    rejected_at: Option<Instant>,
    got_far: bool,
    probation: Duration,
}

impl WindowGate {
    fn new(window: RecoveryWindow, outage: &Outage, now: Instant) -> Self {
        let usual = outage.usual_latency.map(|latency| outage.traffic * latency.as_secs_f64());
        let mut gate = Self {
            limit: 2,
            full: usual.map(|usual| 2.0 + 3.0 * usual.min(1e6)),
            grown_at: now,
            usual_latency: outage.usual_latency,
            latency: 0,
            shortest: u64::MAX,
            full_since: None,
            rejected_at: None,
            got_far: false,
            probation: window.probation_after(outage.relapses),
        };
        gate.mark_full(now);
        gate
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped in the same line")]
    fn full(&self) -> Option<u32> {
        self.full.map(|full| full.clamp(2.0, 1e7) as u32)
    }

    fn mark_full(&mut self, now: Instant) {
        if self.full().is_none_or(|full| self.limit >= full) {
            self.full_since.get_or_insert(now);
        } else {
            self.full_since = None;
        }
    }

    fn admit(&mut self, live: u32, now: Instant) -> bool {
        if live < self.limit {
            return true;
        }
        if self.full_since.is_some() {
            self.rejected_at = Some(now);
            // A latency that has grown for good must not hold it here for ever: 2 % a second while it binds.
            let bound_for = now.since(self.grown_at).as_secs_f64().min(1.0);
            self.full = self.full.map(|full| full * 1.02f64.powf(bound_for));
        }
        self.grown_at = now;
        false
    }

    /// Shrinks by one for each call.
    fn failed(&mut self, calls: u32) {
        self.limit = self.limit.saturating_sub(calls).max(1);
        if self.full().is_none_or(|full| self.limit < full) {
            self.full_since = None;
        }
    }

    fn succeeded(&mut self, took: Duration, now: Instant) -> Step {
        self.latency = averaged(self.latency, took);
        self.shortest = self.shortest.min(nanos(took).max(1));
        match self.full() {
            Some(full) => self.limit = (self.limit + 1).min(full.max(self.limit)),
            // Nothing bounds it but a queue at the dependency, which shows in the latency.
            None if self.latency <= self.shortest.saturating_mul(4) => self.limit = (self.limit + 1).min(10_000_000),
            None => {}
        }
        self.got_far |= self.limit > self.full().map_or(2, |full| full / 2);
        self.mark_full(now);
        let Some(since) = self.full_since else { return Step::Stay };
        let held = |since: Instant| now.since(since) >= self.probation;
        let roomy = self.rejected_at.is_none_or(held);
        let quick = self.usual_latency.is_some_and(|usual| self.latency <= 2 * nanos(usual).clamp(1, u64::MAX / 2));
        if held(since) && (roomy || quick) { Step::Done } else { Step::Stay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Vitals;

    fn outage(traffic: f64, latency: u64) -> Outage {
        let usual_latency = (latency > 0).then(|| Duration::from_millis(latency));
        Outage::begin(Vitals { traffic, usual_latency }, 0, Instant::ZERO)
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO.after(Duration::from_millis(millis))
    }

    fn window(outage: &Outage) -> Recovering {
        Recovering::window(RecoveryWindow::new(), outage, &HalfOpen::new(), at(0))
    }

    const OK: End = End::Succeeded { took: Duration::from_millis(100) };

    #[test]
    fn the_window_grows_to_two_plus_three_times_the_usual_and_closes_after_its_probation() {
        let mut recovering = window(&outage(100.0, 100)); // 10 under way: full at 32
        let mut under_way = Vec::new();
        let mut steps = 0;
        for _ in 0..40 {
            while let Some(lease) = recovering.admit(at(10)) {
                under_way.push(lease);
            }
            steps += 1;
            assert_eq!(recovering.settle(under_way.remove(0), OK, at(10)), (true, Step::Stay));
        }
        assert_eq!((under_way.len(), steps), (31, 40), "it stopped growing at 32");
        assert_eq!(recovering.settle(under_way.remove(0), OK, at(1_009)), (true, Step::Stay));
        assert_eq!(
            recovering.settle(under_way.remove(0), OK, at(1_010)),
            (true, Step::Done),
            "calm, though it rejected"
        );
    }

    #[test]
    fn an_overloaded_dependency_is_not_given_more_as_long_as_it_is_slow() {
        let mut recovering = window(&outage(100.0, 10)); // one under way: full at 5
        let slow = End::Succeeded { took: Duration::from_millis(50) };
        let mut leases = Vec::new();
        for i in 0..1_000u64 {
            while let Some(lease) = recovering.admit(at(i * 10)) {
                leases.push(lease);
            }
            let step = recovering.settle(leases.remove(0), slow, at(i * 10));
            assert_eq!(step, (true, Step::Stay), "at {i}");
        }
        assert!(leases.len() <= 6, "{} under way", leases.len());
    }

    #[test]
    fn failures_shrink_the_window_and_five_net_ones_end_it() {
        let mut recovering = window(&outage(100.0, 100));
        for failed in 1..=5u32 {
            let lease = recovering.admit(at(0)).expect("one call always passes");
            let step = recovering.settle(lease, End::Failed { units: 100 }, at(0));
            let expected =
                if failed < 5 { Step::Stay } else { Step::Fall(Reason::RecoveryFailed { net_failures: 5.0 }) };
            assert_eq!(step, (true, expected));
        }
    }

    #[test]
    fn a_slow_start_gives_a_healthy_dependency_its_traffic_within_seconds() {
        let mut recovering = window(&outage(0.0, 0));
        let mut under_way = std::collections::VecDeque::new();
        let mut rejected = 0;
        // 1,000 calls a second of 50 ms each.
        for now in 0..10_000 {
            while under_way.front().is_some_and(|(began, _)| began + 50 <= now) {
                let (_, lease) = under_way.pop_front().expect("just seen");
                let end = End::Succeeded { took: Duration::from_millis(50) };
                if recovering.settle(lease, end, at(now)).1 == Step::Done {
                    assert!(now < 2_500 && rejected < 500, "it took {now} ms and rejected {rejected}");
                    return;
                }
            }
            match recovering.admit(at(now)) {
                Some(lease) => under_way.push_back((now, lease)),
                None => rejected += 1,
            }
        }
        panic!("it never closed and rejected {rejected} of 10,000");
    }

    #[test]
    fn calls_that_never_end_are_failures_after_their_lease() {
        let mut recovering = window(&outage(100.0, 100));
        for round in 0..3 {
            let now = at(round * 30_000);
            assert_eq!(recovering.due(now), Step::Stay);
            let passed = std::iter::from_fn(|| recovering.admit(now)).count();
            assert_eq!(passed, if round == 0 { 2 } else { 1 }, "round {round}");
        }
        // 2 + 1 + 1 leases are over by now; one more makes five.
        assert_eq!(recovering.settle(0, OK, at(90_000)), (false, Step::Stay), "late");
        assert!(recovering.admit(at(90_000)).is_some());
        assert!(!recovering.would_admit(at(120_000)));
        assert!(matches!(recovering.due(at(120_000)), Step::Fall(_)));
    }
}
