//! What a registry asks of a circuit that it keeps. No code of the user's runs here, so it may be asked under a lock.

use crate::{
    circuit::{Circuit, Handle},
    machine::Snapshot,
    state::{Giver, Mode},
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

    /// Reports whether an operator has set its mode, or its next probe is not due: in a mode that lets all calls pass too.
    pub(crate) fn is_of_note(&self, now: Instant) -> bool {
        self.0.shared.look(|core| {
            core.mode_by(Giver::Operator, now) != Mode::Auto
                || core.next_probe().is_some_and(|next_probe| now < next_probe)
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn a_circuit_is_held_by_its_handles_by_calls_that_are_under_way_and_by_tasks_that_wait() {
        let circuit = Circuit::builder("test").build().expect("the defaults");
        assert!(!circuit.is_held());
        let permit = circuit.try_acquire().expect("it is closed");
        assert!(circuit.is_held());
        permit.record(Outcome::Success);
        assert!(!circuit.is_held());
        let waits = circuit.waiter();
        assert!(circuit.is_held());
        drop(waits);
        assert!(!circuit.is_held());
        let clone = circuit.clone();
        assert!(circuit.is_held());
        drop(clone);
        assert!(!circuit.is_held());
    }

    #[test]
    fn a_circuit_that_was_let_go_is_there_as_long_as_somebody_has_it() {
        let circuit = Circuit::builder("test").build().expect("the defaults");
        let gone = circuit.let_go();
        assert!(gone.is_there() && gone.get().is_some_and(|same| same.is_same(&circuit)));
        drop(circuit);
        assert!(!gone.is_there() && gone.get().is_none());
    }
}
