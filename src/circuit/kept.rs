//! What a registry asks of a circuit that it keeps. No code of the user's runs here, so it may be asked under a lock.

use crate::{
    circuit::{Circuit, Handle},
    machine::Snapshot,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{Ordering, fence},
    },
    time::Instant,
};

impl Circuit {
    /// [`Circuit::snapshot`] at a time that was read before.
    pub(crate) fn snapshot_at(&self, now: Instant) -> Snapshot {
        self.0.shared.snapshot_at(now)
    }

    /// Reports whether anybody but the owner of this handle has the circuit: a clone, a call under way, or a task that waits.
    ///
    /// Exact if nobody can get at this handle meanwhile, but that it may say yes where the last of them is just leaving.
    pub(crate) fn is_held(&self) -> bool {
        if Arc::strong_count(&self.0) > 1 {
            return true;
        }
        // Whoever had a clone has given it back by a release: what was taken by means of it is seen from here on.
        fence(Ordering::Acquire);
        let stripes = || self.0.stripes.iter().filter_map(OnceLock::get);
        let waiting = || Arc::strong_count(&self.0.shared) > 1 + stripes().count();
        stripes().any(|stripe| Arc::strong_count(stripe) > 1) || waiting()
    }
}

/// A circuit that a registry has let go of.
#[derive(Clone)]
pub(crate) struct Gone(Weak<Handle>);

impl Circuit {
    pub(crate) fn let_go(&self) -> Gone {
        Gone(Arc::downgrade(&self.0))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Gone {
    /// Reports whether there are handles of it.
    pub(crate) fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }

    pub(crate) fn get(&self) -> Option<Circuit> {
        self.0.upgrade().map(Circuit)
    }
}
