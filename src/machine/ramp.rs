//! A growing share of the calls passes.

use crate::{config::Ramp, time::Instant};

/// Lets a share of the calls pass, spread evenly; the share grows with time.
#[derive(Clone, Debug)]
pub(super) struct RampGate {
    ramp: Ramp,
    since: Instant,
    /// Grows by the share with each call; a whole lets one pass. So each 100 calls get their share to within one call.
    credit: u32,
}

impl RampGate {
    pub(super) fn new(ramp: Ramp, now: Instant) -> Self {
        Self { ramp, since: now, credit: Share::ONE.0 }
    }

    /// Whether it is beyond its first step.
    pub(super) fn got_far(&self, now: Instant) -> bool {
        now.since(self.since) >= self.ramp.step
    }

    fn share(&self, now: Instant) -> Share {
        let step = now.since(self.since).as_nanos() / self.ramp.step.as_nanos().max(1);
        let share = usize::try_from(step).ok().and_then(|step| self.ramp.shares.get(step));
        share.map_or(Share::ONE, |share| Share::new(*share))
    }

    /// Whether all calls pass by now.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.share(now).0 >= Share::ONE.0
    }

    /// Whether this call passes.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        if self.credit >= Share::ONE.0 {
            // Whole only at the start: the first call of the ramp passes.
            self.credit = 0;
            return true;
        }
        self.credit += self.share(now).0;
        if self.credit < Share::ONE.0 {
            return false;
        }
        self.credit -= Share::ONE.0;
        true
    }
}

/// A share in millionths.
struct Share(u32);

impl Share {
    const ONE: Self = Self(1_000_000);

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share, 0 to 1")]
    fn new(share: f64) -> Self {
        Self((share * 1e6).round() as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_step_lets_its_share_pass_to_within_one_call() {
        let at = |millis| Instant::ZERO.after(Duration::from_millis(millis));
        let mut gate = RampGate::new(Ramp::new().step(Duration::from_secs(1)), at(0));
        let mut passed = |now| (0..100).filter(|_| gate.admit(at(now))).count();
        for (now, share) in [(0, 5), (999, 5), (1_000, 25), (1_999, 25)] {
            let passed = passed(now);
            assert!(passed.abs_diff(share) <= 1, "{passed} of 100 at {now} ms");
        }
        assert!(!gate.is_over(at(1_999)) && gate.is_over(at(2_000)));
    }

    #[test]
    fn a_share_that_divides_nothing_is_kept_as_well() {
        let mut gate = RampGate::new(Ramp::new().shares([0.3, 0.7, 1.0, 1.0]), Instant::ZERO);
        let passed = (0..1_000).filter(|_| gate.admit(Instant::ZERO)).count();
        assert!(passed.abs_diff(300) <= 1, "{passed} of 1,000");
    }
}
