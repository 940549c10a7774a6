//! What one finished call means for the circuit.

use std::{fmt, time::Duration};

/// What one finished call means for the circuit: a success, a failure, or nothing at all.
///
/// An ignored call (a 404, our own rejection, a full bulkhead) is counted apart: it does not enter any rate, neither
/// closes nor opens the circuit, and gives a probe's slot back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a fourth meaning would change every rule; users match on these three")]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency failed.
    Failure(Failure),
    /// The call says nothing about the health of the dependency.
    Ignored,
}

impl Outcome {
    /// Returns an ordinary failure of weight one.
    #[must_use]
    pub const fn failure() -> Self {
        Self::Failure(Failure::new())
    }

    /// Reports whether this is a failure.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failure(_))
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A failed call: how heavy it is, and what the dependency said about it.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::{Failure, Outcome, Weight};
///
/// // A timeout holds a connection for long, so it counts three times.
/// let timeout = Failure::new().weight(Weight::new(3.0)?);
/// // A 429 counts for rates but not for a run of failures, and says when to come back.
/// let limited = Failure::new().rate_limited().retry_after(Duration::from_secs(7));
/// assert!(Outcome::from(timeout).is_failure() && Outcome::from(limited).is_failure());
/// # Ok::<(), tower_breaker::InvalidWeight>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a failure does nothing until it is recorded"]
pub struct Failure {
    weight: Weight,
    rate_limited: bool,
    tripping: bool,
    retry_after: Option<Duration>,
}

impl Failure {
    /// Returns an ordinary failure: weight one, no hint.
    pub const fn new() -> Self {
        Self { weight: Weight::ONE, rate_limited: false, tripping: false, retry_after: None }
    }

    /// Sets how many failures this one counts for. Default: [`Weight::ONE`].
    pub const fn weight(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// Marks an answer such as HTTP 429: a failure for every rate and for a probe, but no part of a run of failures.
    ///
    /// As linkerd has it: such a dependency is alive and protects itself.
    pub const fn rate_limited(self) -> Self {
        Self { rate_limited: true, ..self }
    }

    /// Makes this one failure open the circuit at once, whatever the rules say.
    pub const fn tripping(self) -> Self {
        Self { tripping: true, ..self }
    }

    /// Keeps how long the dependency asked to be left alone (`Retry-After`).
    ///
    /// It lengthens the open time if this failure opens the circuit, up to
    /// [`Config::max_retry_after`](crate::Config::max_retry_after).
    pub const fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    pub(crate) const fn units(self) -> u32 {
        self.weight.hundredths()
    }

    pub(crate) const fn is_rate_limited(self) -> bool {
        self.rate_limited
    }

    pub(crate) const fn is_tripping(self) -> bool {
        self.tripping
    }

    pub(crate) const fn hint(self) -> Option<Duration> {
        self.retry_after
    }
}

impl Default for Failure {
    fn default() -> Self {
        Self::new()
    }
}

/// How many failures one failure counts for: 0.01 to 100, in steps of 0.01.
///
/// A failure of weight 3 moves every rule as three failures do, but it is still one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The weight of an ordinary failure.
    pub const ONE: Self = Self(100);

    /// Twice that.
    pub const TWO: Self = Self(200);

    /// Makes a weight, rounded to a hundredth.
    ///
    /// # Errors
    ///
    /// [`InvalidWeight`] if `weight` is no number from 0.01 to 100. A call that should not count at all is
    /// [`Outcome::Ignored`].
    pub fn new(weight: f64) -> Result<Self, InvalidWeight> {
        if !(0.01..=100.0).contains(&weight) {
            return Err(InvalidWeight { weight });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above: 1 to 10,000")]
        let units = (weight * 100.0).round() as u16;
        Ok(Self(units))
    }

    pub(crate) const fn hundredths(self) -> u32 {
        self.0 as u32
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

/// The weight of a failure is no number from 0.01 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidWeight {
    weight: f64,
}

impl fmt::Display for InvalidWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the weight of a failure is {}, must be a number from 0.01 to 100", self.weight)
    }
}

impl std::error::Error for InvalidWeight {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_outside_its_bounds_is_refused_with_value_and_bound() {
        for bad in [0.0, -1.0, 0.009, 100.1, f64::NAN, f64::INFINITY] {
            let error = Weight::new(bad).unwrap_err().to_string();
            assert!(error.contains(&bad.to_string()) && error.contains("0.01 to 100"), "{error}");
        }
        assert_eq!(Weight::new(1.0), Ok(Weight::ONE));
        assert_eq!(Failure::new().weight(Weight::new(0.29).unwrap()).units(), 29);
    }
}
