//! Since when calls go wrong, and how long that takes: for people, no rule looks at it.

use std::time::Duration;

use crate::time::Instant;

/// Bad calls that no good ones have made up for, and since when there are some.
///
/// A sum that good calls pull down to zero and no further: where it last left zero is where the change most likely was, see
/// Page, "Continuous inspection schemes", Biometrika 41 (1954), whose sum the [`Evidence`](crate::config::Evidence) is too.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    /// In hundredths of a bad call.
    sum: u32,
    /// How long a call takes that fails, in seconds, averaged over some 16; zero while unknown.
    takes: f32,
    /// When the sum last left zero.
    since: Instant,
}

impl Trouble {
    /// Takes a bad call.
    pub(super) fn grow(&mut self, units: u32, now: Instant) {
        if self.sum == 0 {
            self.since = now;
        }
        self.sum = self.sum.saturating_add(units);
    }

    /// Takes good calls, each of which makes up for so much.
    pub(super) fn ease(&mut self, comfort: u32, calls: u64) {
        if self.sum == 0 {
            return;
        }
        let comfort = u64::from(comfort).saturating_mul(calls);
        self.sum = self.sum.saturating_sub(u32::try_from(comfort).unwrap_or(u32::MAX));
    }

    /// Another phase begins.
    pub(super) fn end(&mut self) {
        self.sum = 0;
    }

    /// Since when there is trouble, if there is.
    pub(super) fn began(&self) -> Option<Instant> {
        (self.sum > 0).then_some(self.since)
    }

    /// Takes the time of a call that failed.
    pub(super) fn learn(&mut self, took: Duration) {
        let took = took.as_secs_f32().max(SHORTEST);
        self.takes = if self.takes > 0.0 { self.takes + (took - self.takes) / 16.0 } else { took };
    }

    pub(super) fn forget_time(&mut self) {
        self.takes = 0.0;
    }

    pub(super) fn failure_time(&self) -> Option<Duration> {
        let known = Some(self.takes).filter(|takes| *takes > 0.0)?;
        Duration::try_from_secs_f32(known).ok()
    }
}

/// A nanosecond, in seconds: what takes no time by a coarse clock is known all the same.
const SHORTEST: f32 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn trouble_began_where_its_sum_last_left_zero() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.began(), None);
        trouble.grow(100, at(1));
        trouble.ease(100, 1);
        assert_eq!(trouble.began(), None, "one good call has made up for it");
        trouble.grow(100, at(2));
        trouble.grow(100, at(3));
        trouble.ease(100, 1);
        trouble.grow(100, at(4));
        assert_eq!(trouble.began(), Some(at(2)), "not made up for since");
        trouble.ease(u32::MAX, u64::MAX);
        assert_eq!(trouble.began(), None);
        trouble.grow(100, at(5));
        trouble.end();
        assert_eq!(trouble.began(), None);
    }

    #[test]
    fn the_time_of_a_failure_follows_what_failures_take() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.failure_time(), None);
        trouble.learn(Duration::from_secs(2));
        assert_eq!(trouble.failure_time(), Some(Duration::from_secs(2)));
        trouble.learn(Duration::from_secs(50));
        assert_eq!(trouble.failure_time(), Some(Duration::from_secs(5)), "a sixteenth of the way");
        (0..100).for_each(|_| trouble.learn(Duration::from_millis(500)));
        let millis = trouble.failure_time().expect("known").as_millis();
        assert!((500..510).contains(&millis), "{millis} ms after a hundred of 500 ms");
        trouble.forget_time();
        assert_eq!(trouble.failure_time(), None);
        trouble.learn(Duration::ZERO);
        assert_eq!(trouble.failure_time(), Some(Duration::from_nanos(1)));
    }
}
