//! Whose numbers are reported: circuits, alone, in lists, in registries.

use std::collections::BTreeMap;

use super::sum::Sum;
#[cfg(feature = "keyed")]
use crate::registry::{Key, Registry};
use crate::{circuit::Circuit, machine::Snapshot, sync::Arc};

/// Whose numbers are reported, see [`Reporter::add`](super::Reporter::add).
///
/// Yours can be a struct that holds some circuits:
///
/// ```
/// use tower_breaker::{Circuit, metrics::{Source, Sums}};
///
/// struct Backends { payments: Circuit, search: Circuit }
///
/// impl Source for Backends {
///     fn report(&self, sums: &mut Sums) {
///         self.payments.report(sums);
///         self.search.report(sums);
///     }
/// }
/// ```
pub trait Source: Send + Sync {
    /// Adds what there is to report. Of a circuit that is not reported any more the last values stay.
    fn report(&self, sums: &mut Sums);
}

/// What circuits have counted, added up by name.
#[derive(Debug, Default)]
pub struct Sums(pub(super) BTreeMap<Arc<str>, Sum>);

impl Sums {
    /// Adds the numbers of one circuit.
    pub fn add(&mut self, snapshot: &Snapshot) {
        self.0.entry(Arc::clone(&snapshot.name)).or_default().add(snapshot);
    }
}

impl Source for Circuit {
    fn report(&self, sums: &mut Sums) {
        sums.add(&self.snapshot());
    }
}

impl<S: Source> Source for Vec<S> {
    fn report(&self, sums: &mut Sums) {
        self.iter().for_each(|source| source.report(sums));
    }
}

/// All circuits, that of the overflow and those that are forgotten; none of them is held meanwhile.
#[cfg(feature = "keyed")]
impl<K: Key> Source for Registry<K> {
    fn report(&self, sums: &mut Sums) {
        // Before the others: what is forgotten in between is missing this time, which does not show. Counted twice it would.
        let forgotten = self.forgotten();
        if forgotten.circuits > 0 {
            sums.0.entry(self.name().into()).or_default().add_forgotten(&forgotten);
        }
        self.for_each(|circuit| circuit.report(sums));
        self.overflow().report(sums);
    }
}
