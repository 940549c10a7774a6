//! What operators see: counters and gauges through the crate `metrics`, published when you say so.
//!
//! ```
//! use tower_breaker::{Circuit, metrics::Reporter};
//!
//! let reporter = Reporter::new();
//! let payments = Circuit::builder("payments").observe(reporter.observer()).build()?;
//! reporter.add(payments.clone());
//!
//! // Where the metrics are scraped, or every few seconds:
//! reporter.publish();
//! # Ok::<(), tower_breaker::ConfigError>(())
//! ```
//!
//! Circuits count in their own atomics, whether or not anybody asks, so a call costs what it costs without metrics. A
//! [`Reporter`] copies those numbers to the recorder of the process. It has no task of its own, and it keeps no handle of the
//! recorder: one that is installed late sees everything from the first call on.
//!
//! All numbers are by the *name* of a circuit. Circuits of one name, such as those of a
//! [`Registry`](crate::Registry) by key, are added up, so there are as many series as names, whatever the keys are.
//!
//! The [chapter on metrics](crate::guide::metrics) has the table of all names, units and labels.

mod kept;
mod names;
mod publish;
mod sources;
mod sum;
mod tally;

use std::fmt;

use self::{kept::Kept, publish::publish, tally::Tally};
pub use self::{
    names::{Kind, METRICS, Metric},
    sources::{Source, Sums},
};
use crate::{
    observe::Observer,
    sync::{Arc, Mutex},
};

/// Publishes what circuits have counted. Clones are the same reporter. See the [module docs](self) for an example.
#[derive(Clone, Default)]
pub struct Reporter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    sources: Mutex<Vec<Arc<dyn Source>>>,
    tally: Arc<Tally>,
    kept: Mutex<Kept>,
}

impl Reporter {
    /// Makes a reporter that has nothing to report yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what is to be reported from now on: a [`Circuit`](crate::Circuit), a [`Registry`](crate::Registry), a list of
    /// circuits, or a [`Source`] of your own. It is kept as long as the reporter is, and added twice it counts twice.
    pub fn add(&self, source: impl Source + 'static) {
        self.0.sources.lock().push(Arc::new(source));
    }

    /// Makes an observer for one circuit, to be given to [`Builder::observe`](crate::circuit::Builder::observe). It counts
    /// transitions by reason, and the time to detect and to recover: what a circuit does not count itself.
    ///
    /// Make one for each circuit; for those of a registry in
    /// [`RegistryBuilder::each`](crate::registry::RegistryBuilder::each).
    #[must_use = "it counts nothing until a circuit has it"]
    pub fn observer(&self) -> impl Observer + 'static {
        self.0.tally.follow()
    }

    /// Publishes all numbers to the recorder of this thread or process. Without one nothing happens.
    ///
    /// Counters are absolute, so it may be called as often as anybody wants to read, also by several threads. It takes the lock
    /// of each circuit for as long as a [snapshot](crate::Circuit::snapshot) does, two microseconds or so, one after the other:
    /// about 25 ms for a registry of ten thousand.
    pub fn publish(&self) {
        // Sources are the user's: none is asked under the lock.
        let sources = self.0.sources.lock().clone();
        let mut sums = Sums::default();
        sources.iter().for_each(|source| source.report(&mut sums));
        let kept: Vec<_> = {
            let mut kept = self.0.kept.lock();
            sums.0.iter_mut().map(|(name, sum)| kept.keep_up(name, sum)).collect()
        };
        publish(&sums, &kept, &self.0.tally);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}
