//! The error of a call for which a bulkhead had no place.

#[cfg(feature = "tonic")]
use std::sync::LazyLock;
use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::chain;

/// The call was not made: too many others are under way.
///
/// It is of our own making and says nothing about the dependency: a circuit further out ignores it, and retries leave it alone,
/// since one more attempt is what there is no place for. Making and cloning one allocates nothing.
///
/// tower's `LoadShed` has an error of the same name, which says no more than that; it is treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overloaded {
    bulkhead: Arc<str>,
    kind: Overload,
    limit: u32,
    queue: u32,
    waited: Duration,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// All places were taken, and all those in the queue too: the call was turned away at once.
    Full,
    /// The call has stood in the queue for the longest time that is allowed.
    WaitedTooLong,
}

impl Overloaded {
    pub(crate) fn new(bulkhead: Arc<str>, kind: Overload, limit: u32, queue: u32, waited: Duration) -> Self {
        Self { bulkhead, kind, limit, queue, waited }
    }

    /// Returns the name of the bulkhead.
    #[must_use]
    pub fn bulkhead(&self) -> &str {
        &self.bulkhead
    }

    /// Returns why there was no place.
    #[must_use]
    pub fn kind(&self) -> Overload {
        self.kind
    }

    /// Returns how many calls may be under way at once.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns how many callers may stand in the queue.
    #[must_use]
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Returns how long this caller has stood in the queue; zero if it was full.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Finds one in an error or in its chain of sources.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain::find(error)
    }
}

impl fmt::Display for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bulkhead, kind, limit, queue, waited } = self;
        match kind {
            Overload::Full => write!(f, "bulkhead `{bulkhead}` is full: {limit} calls under way, {queue} in the queue"),
            Overload::WaitedTooLong => {
                write!(f, "bulkhead `{bulkhead}` had no place within {waited:.1?}: {limit} calls under way")
            }
        }
    }
}

impl Error for Overloaded {
    /// With the feature `tonic`: a status `RESOURCE_EXHAUSTED`, which is what tonic makes of tower's `Overloaded`; else none.
    #[cfg(feature = "tonic")]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        static EXHAUSTED: LazyLock<tonic::Status> =
            LazyLock::new(|| tonic::Status::resource_exhausted("too many calls are under way"));
        Some(&*EXHAUSTED)
    }
}
