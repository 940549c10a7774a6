//! The dependency answers again: how much traffic it gets until the circuit closes.

use std::time::Duration;

use crate::{
    config::{HalfOpen, Ramp, RecoveryWindow},
    machine::{Outage, Reason, answer::UNKNOWN_WAIT, lease::Leases, limit::WindowGate, ramp::RampGate, rules::whole},
    time::Instant,
};

/// A success makes up for two failures, as in the default evidence.
const RELIEF: u32 = 200;

/// The recovering phase.
#[derive(Clone, Debug)]
pub(crate) struct Recovering {
    /// Net failures in hundredths.
    net: u32,
    tolerance: u32,
    /// The evidence that would open the closed circuit at the usual traffic, in hundredths; zero without that rule.
    convincing: u32,
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

    /// With the evidence that would open the closed circuit.
    pub(crate) fn convinced_by(self, evidence: u32) -> Self {
        Self { convincing: evidence, ..self }
    }

    fn new(tolerance: u32, half_open: &HalfOpen, gate: Gate) -> Self {
        let HalfOpen { probe_timeout: lease, ignored_as_alive: as_alive, .. } = *half_open;
        Self { net: 0, tolerance, convincing: 0, leases: Leases::default(), lease, as_alive, ignored: 0, gate }
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

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Takes note that a call that was admitted has not begun.
    pub(crate) fn reserve(&mut self, lease: u64) {
        self.leases.reserve(lease);
    }

    /// Lends a slot anew, in place of one that is still lent.
    pub(crate) fn begin(&mut self, lease: u64, now: Instant) -> u64 {
        self.leases.give_back(lease, now);
        self.leases.lend(now, self.lease)
    }

    /// Reports whether [`Recovering::due`] has something to do.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.leases.expired(now) > 0 || matches!(&self.gate, Gate::Ramp(ramp) if ramp.is_over(now))
    }

    /// Reports whether a call would pass where nothing is due.
    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        match &self.gate {
            Gate::Ramp(ramp) => ramp.clone().admit(now),
            Gate::Window(window) => self.leases.live() < window.limit,
        }
    }

    /// Takes a slot back of which nothing more is to be said.
    pub(crate) fn give_back(&mut self, lease: u64, now: Instant) {
        self.leases.give_back(lease, now);
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
            Gate::Window(window) => window.got_far(),
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

    /// Takes back the slots of calls that have not ended in time; each that had begun is a failure.
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
        let units = self.tolerance.saturating_mul(100);
        // A window that has been wide lets most of the traffic pass, so it takes as much to end it as to open a closed
        // circuit; each failure makes it smaller in any case.
        let wide = matches!(&self.gate, Gate::Window(window) if window.has_been_wide());
        net >= if wide { units.max(self.convincing) } else { units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Vitals;

    fn outage(traffic: f64, latency: u64) -> Outage {
        let usual_latency = (latency > 0).then(|| Duration::from_millis(latency));
        Outage::begin(Vitals { traffic, usual_latency, began: None }, 0, Instant::ZERO)
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
    fn one_answer_that_was_quicker_than_all_others_does_not_hold_a_slow_start_for_ever() {
        let mut recovering = window(&outage(0.0, 0));
        let mut took = 1;
        for now in 0..40_000u64 {
            if now % 50 == 0 {
                let leases: Vec<_> = std::iter::from_fn(|| recovering.admit(at(now))).take(20).collect();
                for lease in leases {
                    let end = End::Succeeded { took: Duration::from_millis(took) };
                    if recovering.settle(lease, end, at(now)).1 == Step::Done {
                        return;
                    }
                    took = 50;
                }
            }
        }
        panic!("it never closed");
    }

    #[test]
    fn calls_that_never_end_are_failures_after_their_lease() {
        let mut recovering = window(&outage(100.0, 100));
        for round in 0..3 {
            let now = at(round * 30_000);
            assert_eq!(recovering.is_due(now), round > 0);
            assert_eq!(recovering.due(now), Step::Stay);
            assert!(recovering.would_admit(now), "there is room for one in the place of those that are over");
            let passed = std::iter::from_fn(|| recovering.admit(now)).count();
            assert_eq!(passed, if round == 0 { 2 } else { 1 }, "round {round}");
        }
        // 2 + 1 + 1 leases are over by now; one more makes five.
        assert_eq!(recovering.settle(0, OK, at(90_000)), (false, Step::Stay), "late");
        assert!(recovering.admit(at(90_000)).is_some());
        assert!(recovering.is_due(at(120_000)));
        assert!(matches!(recovering.due(at(120_000)), Step::Fall(_)));
    }
}
