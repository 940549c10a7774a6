//! When the next probe may go while the circuit is open.

use std::time::Duration;

/// How long an open circuit waits before its next probe.
///
/// After a failed probe the wait is drawn anew. The dependency's own `Retry-After` can lengthen it, up to
/// [`Config::max_retry_after`](super::Config::max_retry_after).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Probing {
    /// Grows by a factor with every opening since the circuit was last closed.
    Backoff {
        /// The first wait: 1 ms to 365 days.
        base: Duration,
        /// By how much it grows: 1 to 100.
        factor: f64,
        /// The longest wait before jitter: `base` to 365 days.
        max: Duration,
        /// The spread, applied after the cap, so that many clients do not return in step.
        jitter: Jitter,
    },
    /// Always the same.
    Fixed {
        /// The wait: 1 ms to 365 days.
        wait: Duration,
        /// The spread.
        jitter: Jitter,
    },
    /// Grows with the square root of the time since the outage began.
    ///
    /// A probe at a spacing τ costs one call per τ and, at recovery, the traffic of τ/2; with an outage of unknown
    /// length taken to last as long again, `√(2t/λ)` keeps the sum least (`docs/design.md`). Where the traffic λ is
    /// unknown it is `scale · √t`. The first probe goes after 100 to 250 ms; the later ones are a second apart or
    /// take no more than a twentieth of the usual traffic.
    SquareRoot {
        /// The wait one second into an outage where the traffic is unknown: 1 ms to 60 s. Default: 250 ms.
        scale: Duration,
        /// The longest wait before jitter: 250 ms to 365 days. Default: 30 s.
        max: Duration,
        /// The share by which each wait is spread up and down: 0 to 0.9. Default: 0.25.
        spread: f64,
    },
}

impl Probing {
    /// The default: 250 ms at one second, spread by a quarter, at most 30 s.
    pub const SQUARE_ROOT: Self =
        Self::SquareRoot { scale: Duration::from_millis(250), max: Duration::from_secs(30), spread: 0.25 };

    /// Returns a fixed wait without jitter.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self::Fixed { wait, jitter: Jitter::None }
    }

    /// Returns a wait that doubles from `base` to `max`, with equal jitter.
    #[must_use]
    pub const fn backoff(base: Duration, max: Duration) -> Self {
        Self::Backoff { base, factor: 2.0, max, jitter: Jitter::Equal }
    }

    /// The longest wait that is ever drawn. NOTE: the same spreads as in `machine/open.rs`.
    pub(crate) fn longest(&self) -> Duration {
        let (wait, spread) = match *self {
            Self::Backoff { max, jitter, .. } => (max, jitter.spread()),
            Self::Fixed { wait, jitter } => (wait, jitter.spread()),
            Self::SquareRoot { max, spread, .. } => (max.max(Duration::from_millis(250)), spread),
        };
        wait.mul_f64(1.0 + spread)
    }
}

impl Default for Probing {
    fn default() -> Self {
        Self::SQUARE_ROOT
    }
}

/// How a wait is spread, so that many instances do not come back at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// Between half the wait and the wait.
    #[default]
    Equal,
    /// Between zero and the wait.
    Full,
    /// Exactly the wait.
    None,
    /// The wait, give or take this share of it: 0 to 0.9.
    Spread(f64),
}

impl Jitter {
    /// The share by which it may lengthen a wait.
    const fn spread(self) -> f64 {
        match self {
            Self::Equal | Self::Full | Self::None => 0.0,
            Self::Spread(share) => share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_the_bound_and_what_jitter_adds() {
        let second = Duration::from_secs(1);
        assert_eq!(Probing::fixed(second).longest(), second);
        assert_eq!(Probing::Fixed { wait: second, jitter: Jitter::Spread(0.5) }.longest(), second * 3 / 2);
        assert_eq!(Probing::backoff(second, 8 * second).longest(), 8 * second);
        let root = |max| Probing::SquareRoot { scale: second, max, spread: 0.25 };
        assert_eq!(root(4 * second).longest(), 5 * second);
        assert_eq!(
            root(Duration::ZERO).longest(),
            Duration::from_micros(312_500),
            "the first wait has a bound of its own"
        );
    }
}
