//! The unit of time: nanoseconds since the origin of a clock.
//!
//! It fits into one atomic word, saturates at both ends and knows no clock; see [`Clock`](crate::clock::Clock)
//! for where it comes from.

use std::time::Duration;

/// A point in time: nanoseconds since the origin of the clock that made it.
///
/// Two values compare only if they come from the same clock. Arithmetic saturates: nothing here can panic.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::Instant;
///
/// let start = Instant::ZERO;
/// let later = start.after(Duration::from_secs(2));
/// assert_eq!(later.since(start), Duration::from_secs(2));
/// assert_eq!(start.since(later), Duration::ZERO);
/// assert_eq!(later.after(Duration::MAX), Instant::FAR);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// The end of time, 584 years after the origin; stands for "never".
    pub const FAR: Self = Self(u64::MAX);

    /// Returns the instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the instant `duration` later, at most [`Instant::FAR`].
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Returns the instant `duration` earlier, at least [`Instant::ZERO`].
    #[must_use]
    pub const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// Returns the time since `earlier`, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nanos(pub(crate) u64);

impl From<Nanos> for Duration {
    fn from(Nanos(nanos): Nanos) -> Self {
        Self::from_nanos(nanos)
    }
}

/// Nanoseconds of a duration, saturating at 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 {
        return u64::MAX;
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded in the line above")]
    let nanos = nanos as u64;
    nanos
}

/// A duration of `secs` seconds, zero for what is no positive number, at most 584 years.
pub(crate) fn seconds(secs: f64) -> Duration {
    if secs.is_nan() || secs <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(secs).unwrap_or(Duration::from_nanos(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::FAR.after(Duration::from_nanos(1)), Instant::FAR);
        assert_eq!(Instant::ZERO.since(Instant::FAR), Duration::ZERO);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(seconds(f64::NAN), Duration::ZERO);
        assert_eq!(seconds(-1.0), Duration::ZERO);
        assert_eq!(seconds(f64::INFINITY), Duration::from_nanos(u64::MAX));
    }
}
