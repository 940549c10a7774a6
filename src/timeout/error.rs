//! The error of a call that took too long.

#[cfg(feature = "tonic")]
use std::sync::LazyLock;
use std::{error::Error, fmt, time::Duration};

use crate::{chain, sync::Arc};

/// There was no answer in time.
///
/// Whether the call was carried out is not known. A circuit around the timeout counts it as a failure, and a retry pays for it as
/// for a timeout. Making and cloning one allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedOut {
    name: Arc<str>,
    limit: Duration,
}

impl TimedOut {
    pub(crate) fn new(name: Arc<str>, limit: Duration) -> Self {
        Self { name, limit }
    }

    /// Returns the name of the timeout.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how long the call was allowed to take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Finds one in an error or in its chain of sources.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain::find(error)
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` timed out after {:.1?}", self.name, self.limit)
    }
}

impl Error for TimedOut {
    /// With the feature `tonic`: a status `DEADLINE_EXCEEDED`, which tonic looks for among the sources of an error; else none.
    #[cfg(feature = "tonic")]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        static EXCEEDED: LazyLock<tonic::Status> =
            LazyLock::new(|| tonic::Status::deadline_exceeded("there was no answer in time"));
        Some(&*EXCEEDED)
    }
}
