//! How many calls may be under way while the dependency recovers. See [`RecoveryWindow`] for the idea.

use std::time::Duration;

use crate::{
    config::RecoveryWindow,
    machine::{Outage, recovering::Step, tally::averaged},
    time::{Instant, nanos},
};

/// Limits the calls under way; the limit grows with success.
#[derive(Clone, Debug)]
pub(super) struct WindowGate {
    /// How many calls may be under way.
    pub(super) limit: u32,
    /// The limit at which the window is full: two plus three times the usual number of calls under way (by Little's law
    /// the traffic times the latency), and more where that no longer fits. None where nothing usual is known, as in a
    /// slow start: then the window is full as long as it is wide enough for all who come.
    full: Option<f64>,
    grown_at: Instant,
    usual_latency: Option<Duration>,
    /// The latency of successes during the recovery, nanoseconds, and the shortest of them.
    latency: u64,
    shortest: u64,
    /// How many times the shortest latency is no sign of a queue: four, and more the longer it binds.
    patience: f64,
    /// Since when the window has been full.
    full_since: Option<Instant>,
    /// When the full window last rejected a call.
    rejected_at: Option<Instant>,
    got_far: bool,
    probation: Duration,
}

impl WindowGate {
    pub(super) fn new(window: RecoveryWindow, outage: &Outage, now: Instant) -> Self {
        let usual = outage.usual_latency.map(|latency| outage.traffic * latency.as_secs_f64());
        let mut gate = Self {
            limit: 2,
            full: usual.map(|usual| 2.0 + 3.0 * usual.min(1e6)),
            grown_at: now,
            usual_latency: outage.usual_latency,
            latency: 0,
            shortest: u64::MAX,
            patience: 4.0,
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
        }
    }

    pub(super) fn admit(&mut self, live: u32, now: Instant) -> bool {
        if live < self.limit {
            return true;
        }
        if self.full_since.is_some() {
            self.rejected_at = Some(now);
            // A latency that has grown for good must not hold it here for ever: 2 % a second while it binds. But never
            // further than a second ahead of the limit: what hangs and binds it for minutes shows nothing, and all of
            // the growth must be filled by successes one at a time.
            let bound_for = now.since(self.grown_at).as_secs_f64().min(1.0);
            let ahead = f64::from(self.limit) * 1.02 + 1.0;
            self.full = self.full.map(|full| (full * 1.02f64.powf(bound_for)).min(ahead).max(full));
            // Nor may one answer that was quicker than all others: 10 % a second.
            self.patience = (self.patience * 1.1f64.powf(bound_for)).min(1e6);
        }
        self.grown_at = now;
        false
    }

    /// Shrinks by one for each call.
    pub(super) fn failed(&mut self, calls: u32) {
        self.limit = self.limit.saturating_sub(calls).max(1);
        // Not at the first failure: with a share of failures that is tolerated the window would never be full for long.
        if self.full().is_none_or(|full| self.limit < full / 2) {
            self.full_since = None;
        }
    }

    pub(super) fn succeeded(&mut self, took: Duration, now: Instant) -> Step {
        self.latency = averaged(self.latency, took);
        self.shortest = self.shortest.min(nanos(took).max(1));
        match self.full() {
            Some(full) => self.limit = (self.limit + 1).min(full.max(self.limit)),
            // Nothing bounds it but a queue at the dependency, which shows in the latency.
            None if self.is_quick_enough() => self.limit = (self.limit + 1).min(10_000_000),
            None => {}
        }
        self.got_far |= self.limit > self.full().map_or(2, |full| full / 2);
        self.mark_full(now);
        // A clock that steps back must not make the probation longer than the step.
        self.full_since = self.full_since.map(|since| since.min(now));
        self.rejected_at = self.rejected_at.map(|at| at.min(now));
        let Some(since) = self.full_since else { return Step::Stay };
        let held = |since: Instant| now.since(since) >= self.probation;
        let roomy = self.rejected_at.is_none_or(held);
        let quick = self.usual_latency.is_some_and(|usual| self.latency <= 2 * nanos(usual).clamp(1, u64::MAX / 2));
        if held(since) && (roomy || quick) { Step::Done } else { Step::Stay }
    }

    #[expect(clippy::cast_precision_loss, reason = "a comparison of latencies needs no more than 53 bits")]
    fn is_quick_enough(&self) -> bool {
        self.latency as f64 <= self.shortest as f64 * self.patience
    }

    /// Whether it has been wide enough for most of the usual traffic.
    pub(super) fn has_been_wide(&self) -> bool {
        self.got_far && self.full.is_some()
    }

    /// Whether it got far enough for a fall to be a new outage.
    pub(super) fn got_far(&self) -> bool {
        self.got_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Vitals;

    fn at(millis: u64) -> Instant {
        Instant::ZERO.after(Duration::from_millis(millis))
    }

    fn gate(traffic: f64, usual: Option<Duration>) -> WindowGate {
        WindowGate::new(
            RecoveryWindow::new(),
            &Outage::begin(Vitals { traffic, usual_latency: usual, began: None }, 0, at(0)),
            at(0),
        )
    }

    /// Ten calls of 100 ms under way: full at 32.
    fn of_ten() -> WindowGate {
        gate(100.0, Some(Duration::from_millis(100)))
    }

    fn succeed(gate: &mut WindowGate, times: u32, took: Duration) {
        (0..times).for_each(|_| _ = gate.succeeded(took, at(0)));
    }

    #[test]
    fn a_full_window_counts_as_full_until_less_than_half_of_it_is_left() {
        let mut gate = of_ten();
        succeed(&mut gate, 30, Duration::from_millis(100));
        assert_eq!((gate.limit, gate.full_since), (32, Some(at(0))));
        gate.failed(16);
        assert_eq!((gate.limit, gate.full_since), (16, Some(at(0))), "half of it is left");
        gate.failed(1);
        assert_eq!((gate.limit, gate.full_since), (15, None));
    }

    #[test]
    fn it_got_far_once_it_is_wider_than_half() {
        let mut gate = of_ten();
        succeed(&mut gate, 14, Duration::from_millis(100));
        assert_eq!((gate.limit, gate.got_far(), gate.has_been_wide()), (16, false, false));
        succeed(&mut gate, 1, Duration::from_millis(100));
        assert_eq!((gate.limit, gate.got_far(), gate.has_been_wide()), (17, true, true));
    }

    #[test]
    fn while_it_binds_it_grows_by_two_percent_a_second_and_its_patience_by_ten() {
        let mut gate = of_ten();
        succeed(&mut gate, 30, Duration::from_millis(100));
        assert!(!gate.admit(32, at(1_000)) && !gate.admit(32, at(9_000)), "at most a second is counted for each");
        let full = gate.full.expect("the usual is known");
        assert!((full - 32.0 * 1.02 * 1.02).abs() < 1e-9, "{full}");
        assert!((gate.patience - 4.0 * 1.1 * 1.1).abs() < 1e-9, "{}", gate.patience);
    }

    #[test]
    fn what_hangs_and_binds_it_for_an_hour_asks_for_few_successes_more() {
        let mut gate = of_ten();
        succeed(&mut gate, 30, Duration::from_millis(100));
        (1..=3_600).for_each(|second| assert!(!gate.admit(32, at(second * 1_000))));
        // A second's growth ahead of 32, and the one that it may have more.
        assert_eq!(gate.full(), Some(33));
        gate.failed(16);
        succeed(&mut gate, 17, Duration::from_millis(100));
        assert_eq!(gate.limit, 33, "filled again");
    }

    #[test]
    fn a_clock_that_steps_back_makes_the_probation_no_longer_than_it_is() {
        let mut gate = of_ten();
        let took = Duration::from_millis(100);
        (0..30).for_each(|_| _ = gate.succeeded(took, at(3_600_000)));
        assert!(!gate.admit(32, at(3_600_000)));
        assert_eq!(gate.succeeded(took, at(500)), Step::Stay, "full since now");
        assert_eq!(gate.succeeded(took, at(1_499)), Step::Stay);
        assert_eq!(gate.succeeded(took, at(1_500)), Step::Done);
    }

    #[test]
    fn a_window_that_rejects_is_calm_up_to_twice_the_usual_latency() {
        for (took, step) in [(20_000_000, Step::Done), (20_000_016, Step::Stay)] {
            let mut gate = gate(100.0, Some(Duration::from_millis(10)));
            succeed(&mut gate, 3, Duration::from_nanos(took));
            assert_eq!(gate.limit, 5, "full");
            assert!(!gate.admit(5, at(900)));
            assert_eq!(gate.succeeded(Duration::from_nanos(took), at(1_000)), step, "{took} ns");
        }
    }

    #[test]
    fn where_nothing_is_usual_it_grows_as_long_as_latency_is_at_most_four_times_the_shortest() {
        let mut gate = gate(0.0, None);
        succeed(&mut gate, 1, Duration::from_millis(1));
        succeed(&mut gate, 1, Duration::from_millis(49)); // on average 4 ms
        assert_eq!((gate.latency, gate.limit), (4_000_000, 4));
        succeed(&mut gate, 1, Duration::from_millis(5));
        assert_eq!(gate.limit, 4, "a queue");
        assert!(!gate.has_been_wide(), "nobody knows how wide that is");
    }
}
