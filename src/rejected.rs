//! The error of a call that was not made.

#[cfg(feature = "tonic")]
use std::sync::LazyLock;
use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{
    chain,
    machine::{RejectReason, Rejection},
    state::State,
    time::{Nanos, nanos},
};

/// The call was not made: the circuit lets none pass now.
///
/// It carries the answer: which circuit, why, and when to come back. Making and cloning one allocates nothing.
///
/// # Rejected versus failed
///
/// A rejected call never reached the dependency, so it is safe to repeat and tells nothing new about it. Do not retry it
/// before [`Rejected::retry_after`]; a circuit further out ignores it.
///
/// ```
/// use std::error::Error;
/// use tower_breaker::{Circuit, Rejected};
///
/// let circuit = Circuit::builder("payments").build()?;
/// circuit.force_open();
/// let error: Box<dyn Error + Send + Sync> = circuit.try_acquire().unwrap_err().into();
///
/// let rejected = Rejected::find(&*error).expect("in the chain");
/// assert_eq!(rejected.to_string(), "circuit `payments` is forced open");
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected {
    circuit: Arc<str>,
    /// In one word, since a rejection is handed from layer to layer; [`NO_WAIT`] where only an operator can tell.
    wait: Nanos,
    state: State,
    reason: RejectReason,
}

/// Longer than any clock runs.
const NO_WAIT: Nanos = Nanos(u64::MAX);

impl Rejected {
    pub(crate) fn new(circuit: Arc<str>, Rejection { state, reason, retry_after }: Rejection) -> Self {
        let wait = retry_after.map_or(NO_WAIT, |wait| Nanos(nanos(wait).min(NO_WAIT.0 - 1)));
        Self { circuit, wait, state, reason }
    }

    /// Of a circuit that is open for so long.
    #[inline]
    pub(crate) fn open(circuit: Arc<str>, wait: Nanos) -> Self {
        Self { circuit, wait, state: State::Open, reason: RejectReason::Open }
    }

    /// Returns the name of the circuit.
    #[must_use]
    pub fn circuit(&self) -> &str {
        &self.circuit
    }

    /// Returns the state that rejected the call.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns why the call was rejected.
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        self.reason
    }

    /// Returns in which time it is worth coming back; none if only an operator can tell.
    ///
    /// It is not jittered for the caller: the open time itself is.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.wait != NO_WAIT).then(|| self.wait.into())
    }

    /// Finds a rejection in an error or in its chain of sources.
    ///
    /// So a retry or a fallback needs no type parameter to know one, below whatever layers.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain::find(error)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            RejectReason::Forced => "is forced open",
            RejectReason::HalfOpen => "is half-open and all its probes are under way",
            RejectReason::NotReady => "has closed, but the service is not ready yet",
            RejectReason::Open => "is open",
            RejectReason::Recovering => "is recovering and lets no more calls pass",
        };
        write!(f, "circuit `{}` {what}", self.circuit)?;
        match self.retry_after() {
            Some(wait) if !wait.is_zero() => write!(f, ", retry after {wait:.1?}"),
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("circuit", &self.circuit)
            .field("state", &self.state)
            .field("reason", &self.reason)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl Error for Rejected {
    /// With the feature `tonic`: a status `UNAVAILABLE`, which tonic looks for among the sources of an error; else none.
    #[cfg(feature = "tonic")]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        /// Made once: a rejection allocates nothing for it. What it is about stands in the error itself.
        static UNAVAILABLE: LazyLock<tonic::Status> =
            LazyLock::new(|| tonic::Status::unavailable("a circuit lets no call pass now"));
        Some(&*UNAVAILABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_what_it_was() {
        for retry_after in
            [None, Some(Duration::ZERO), Some(Duration::from_nanos(1)), Some(Duration::from_secs(1 << 33))]
        {
            let rejection = Rejection { state: State::Recovering, reason: RejectReason::Recovering, retry_after };
            let rejected = Rejected::new("payments".into(), rejection);
            assert_eq!(rejected.retry_after(), retry_after);
            assert_eq!((rejected.state(), rejected.reason()), (State::Recovering, RejectReason::Recovering));
        }
        let longest = Rejection { state: State::Open, reason: RejectReason::Open, retry_after: Some(Duration::MAX) };
        let wait = Rejected::new("payments".into(), longest).retry_after();
        assert_eq!(wait, Some(Duration::from_nanos(u64::MAX - 1)), "the longest there is");
    }
}
