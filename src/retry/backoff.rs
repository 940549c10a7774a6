//! How long to wait between attempts: growing, capped, and never the same for two callers.

use std::time::Duration;

use crate::{
    config::{Check, ConfigError, MS, YEAR},
    rng::Rng,
    time::seconds,
};

/// Waits that grow by a factor up to a cap, spread at random after the cap.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::retry::{Backoff, Spread};
///
/// let (base, max) = (Duration::from_millis(100), Duration::from_secs(2));
/// let backoff = Backoff::new(base, max).spread(Spread::Equal);
/// backoff.check()?;
///
/// let waits: Vec<_> = backoff.delays(7).take(8).collect();
/// assert!(waits[0] >= base / 2 && waits[0] <= base);
/// assert!(waits[7] >= max / 2 && waits[7] <= max); // at the cap it is still spread
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a backoff waits for nobody until its delays are slept"]
pub struct Backoff {
    /// The first wait before it is spread: 1 ms to 365 days. Default: 100 ms, the order of a round trip between continents;
    /// a fault that takes longer to pass meets the second wait.
    pub base: Duration,
    /// By how much it grows: 1 to 100. Default: 2, as everywhere.
    pub factor: f64,
    /// The longest wait, before it is spread: `base` to 365 days. Default: 20 s, as in the SDKs of AWS.
    pub max: Duration,
    /// How a wait is spread. Default: [`Spread::Full`], which needs the fewest calls where many compete (Brooker,
    /// "Exponential backoff and jitter", 2015).
    pub spread: Spread,
}

impl Backoff {
    /// The default: 100 ms, doubling, at most 20 s, fully spread.
    pub const DEFAULT: Self = Self::new(Duration::from_millis(100), Duration::from_secs(20));

    /// Returns waits that double from `base` to `max`, fully spread.
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, factor: 2.0, max, spread: Spread::Full }
    }

    /// Sets by how much the waits grow: 1 to 100. [`Spread::Decorrelated`] has its own growth.
    pub const fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// Sets how a wait is spread.
    pub const fn spread(self, spread: Spread) -> Self {
        Self { spread, ..self }
    }

    /// Reports whether the numbers are within their bounds.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        self.check_into(&mut check);
        check.done()
    }

    pub(super) fn check_into(&self, check: &mut Check) {
        let Self { base, factor, max, spread: _ } = *self;
        check.within("backoff.base", base, MS, YEAR);
        check.within("backoff.factor", factor, 1.0, 100.0);
        check.within("backoff.max", max, base.clamp(MS, YEAR), YEAR);
    }

    /// Returns the waits of one call, without end. The same seed gives the same waits; two calls should not share one.
    ///
    /// Numbers out of their bounds do no harm here: a wait is never longer than `max`.
    #[must_use]
    pub const fn delays(&self, seed: u64) -> Delays {
        Delays { backoff: *self, attempt: 0, previous: self.base, rng: Rng::new(seed) }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a wait is spread, so that callers who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spread {
    /// Between `base` and three times the wait before, whatever the factor; the upper end is capped, not the draw, so that
    /// waits at the cap are still spread.
    Decorrelated,
    /// Between half the wait and the wait.
    Equal,
    /// Between zero and the wait.
    #[default]
    Full,
}

/// The waits of one call. Made by [`Backoff::delays`].
#[derive(Clone, Debug)]
pub struct Delays {
    backoff: Backoff,
    attempt: u32,
    /// Only for [`Spread::Decorrelated`].
    previous: Duration,
    rng: Rng,
}

impl Delays {
    /// Returns the next wait.
    fn draw(&mut self) -> Duration {
        let Backoff { base, factor, max, spread } = self.backoff;
        let max = max.as_secs_f64();
        let base = base.as_secs_f64().min(max);
        // As floats: what is too large for a duration is above the cap. `f64::min` takes a NaN for the cap.
        let nominal = (base * factor.powf(f64::from(self.attempt))).min(max);
        self.attempt = self.attempt.saturating_add(1);
        let (low, high) = match spread {
            Spread::Decorrelated => (base, (3.0 * self.previous.as_secs_f64()).min(max).max(base)),
            Spread::Equal => (nominal / 2.0, nominal),
            Spread::Full => (0.0, nominal),
        };
        let wait = seconds(self.rng.between(low, high)).min(self.backoff.max);
        self.previous = wait;
        wait
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(2);

    /// The bounds of the n-th wait, from zero on.
    fn bounds(spread: Spread, n: u32) -> (Duration, Duration) {
        let nominal = MAX.min(BASE * 2_u32.saturating_pow(n));
        match spread {
            Spread::Decorrelated => (BASE, MAX.min(BASE * 3_u32.saturating_pow(n + 1))),
            Spread::Equal => (nominal / 2, nominal),
            Spread::Full => (Duration::ZERO, nominal),
        }
    }

    #[test]
    fn every_wait_is_within_its_bounds_and_fills_them() {
        for spread in [Spread::Decorrelated, Spread::Equal, Spread::Full] {
            for n in 0..12 {
                let (low, high) = bounds(spread, n);
                let waits: Vec<Duration> = (0..2_000)
                    .filter_map(|seed| Backoff::new(BASE, MAX).spread(spread).delays(seed).nth(n as usize))
                    .collect();
                assert!(waits.iter().all(|wait| (low..=high).contains(wait)), "{spread:?}, wait {n}");
                // Decorrelated waits fill their bounds too, but seldom the upper end: each depends on the one before.
                let share = if spread == Spread::Decorrelated && n > 0 { 2 } else { 20 };
                let near = (high - low) / share;
                assert!(waits.iter().any(|wait| *wait < low + near), "{spread:?}, wait {n}: none is short");
                assert!(waits.iter().any(|wait| *wait > high - near), "{spread:?}, wait {n}: none is long");
            }
        }
    }

    /// In tower 0.5.3 every wait at the cap is the cap.
    #[test]
    fn at_the_cap_waits_are_still_spread() {
        for spread in [Spread::Decorrelated, Spread::Equal, Spread::Full] {
            let waits: Vec<Duration> = Backoff::new(BASE, MAX).spread(spread).delays(7).skip(50).take(1_000).collect();
            let same = waits.iter().filter(|wait| **wait == waits[0]).count();
            assert_eq!(same, 1, "{spread:?}");
            let longest = waits.iter().filter(|wait| **wait > MAX - MAX / 100).count();
            assert!(longest < 50, "{spread:?}: {longest} of 1,000 within a hundredth of the cap");
        }
    }

    #[test]
    fn a_seed_gives_its_waits_and_another_seed_others() {
        let waits = |seed| Backoff::new(BASE, MAX).delays(seed).take(20).collect::<Vec<_>>();
        assert_eq!(waits(7), waits(7));
        assert!(waits(7).iter().zip(waits(8)).all(|(a, b)| *a != b));
    }

    #[test]
    fn no_number_of_attempts_and_no_setting_makes_a_wait_longer_than_its_cap() {
        for (base, max) in [(BASE, MAX), (MAX, BASE), (Duration::MAX, Duration::MAX), (Duration::ZERO, MAX)] {
            for factor in [1.0, 100.0, f64::INFINITY, f64::NAN, -3.0] {
                for spread in [Spread::Decorrelated, Spread::Equal, Spread::Full] {
                    let mut delays = Backoff::new(base, max).factor(factor).spread(spread).delays(7);
                    for attempt in [0, 1, 63, 64, 1_000, u32::MAX - 1, u32::MAX, u32::MAX] {
                        delays.attempt = attempt;
                        assert!(delays.draw() <= max, "{base:?} {max:?} {factor} {spread:?} {attempt}");
                    }
                }
            }
        }
        let mut delays = Backoff::new(BASE, MAX).spread(Spread::Equal).delays(7);
        delays.attempt = u32::MAX;
        assert!((0..3).all(|_| delays.draw() >= MAX / 2), "it does not wrap around to a short one");
    }

    #[test]
    fn numbers_out_of_bounds_are_all_named() {
        let error = Backoff::new(Duration::ZERO, Duration::MAX).factor(f64::NAN).check().unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(crate::config::Fault::field).collect();
        assert_eq!(fields, ["backoff.base", "backoff.factor", "backoff.max"]);
        let error = Backoff::new(MAX, BASE).check().unwrap_err().to_string();
        assert_eq!(error, "invalid settings: `backoff.max` is 100ms, must be from 2s to 31536000s");
        assert_eq!(Backoff::default().check(), Ok(()));
        assert_eq!(Backoff::default().max, Duration::from_secs(20));
    }
}
