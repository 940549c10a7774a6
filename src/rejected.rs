//! The error of a call that was not made.

#[cfg(feature = "tonic")]
use std::sync::LazyLock;
use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{
    chain,
    machine::{RejectReason, Rejection},
    state::State,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    circuit: Arc<str>,
    rejection: Rejection,
}

impl Rejected {
    pub(crate) fn new(circuit: Arc<str>, rejection: Rejection) -> Self {
        Self { circuit, rejection }
    }

    /// Returns the name of the circuit.
    #[must_use]
    pub fn circuit(&self) -> &str {
        &self.circuit
    }

    /// Returns the state that rejected the call.
    #[must_use]
    pub fn state(&self) -> State {
        self.rejection.state
    }

    /// Returns why the call was rejected.
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        self.rejection.reason
    }

    /// Returns in which time it is worth coming back; none if only an operator can tell.
    ///
    /// It is not jittered for the caller: the open time itself is.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after
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
        let what = match self.rejection.reason {
            RejectReason::Forced => "is forced open",
            RejectReason::HalfOpen => "is half-open and all its probes are under way",
            RejectReason::NotReady => "has closed, but the service is not ready yet",
            RejectReason::Open => "is open",
            RejectReason::Recovering => "is recovering and lets no more calls pass",
        };
        write!(f, "circuit `{}` {what}", self.circuit)?;
        match self.rejection.retry_after {
            Some(wait) if !wait.is_zero() => write!(f, ", retry after {wait:.1?}"),
            Some(_) | None => Ok(()),
        }
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
