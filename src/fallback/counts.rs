//! How often there was a fallback, and how it ended; and how many may be under way.

use crate::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// How often there was a fallback, and how it ended, over all services of a layer.
///
/// A handle: clones count the same. A call that was dropped in its fallback stands in none of the sums.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    shared: Arc<Shared>,
}

/// Each a number of its own that guards nothing, so `Relaxed` is enough for all.
#[derive(Debug, Default)]
struct Shared {
    under_way: AtomicUsize,
    used: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
}

impl Counts {
    /// Returns how many calls were answered by the fallback.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// Returns how often the fallback had nothing to give.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Returns how often the limit of the fallback was reached.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shared.shed.load(Ordering::Relaxed)
    }

    /// Returns how many fallbacks are under way now.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.shared.under_way.load(Ordering::Relaxed)
    }

    /// Takes a place among those under way, or counts that there was none.
    pub(super) fn enter(&self, limit: usize) -> Option<Place> {
        let more = |under_way| (under_way < limit).then_some(under_way + 1);
        if self.shared.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
            return Some(Place { counts: self.clone() });
        }
        self.shared.shed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// A place among the fallbacks under way; its drop gives it back.
#[derive(Debug)]
pub(super) struct Place {
    counts: Counts,
}

impl Place {
    pub(super) fn used(self) {
        self.counts.shared.used.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(self) {
        self.counts.shared.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.shared.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
