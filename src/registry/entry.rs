//! A circuit and its key, and whether anybody asks for it.

use std::time::Duration;

use crate::{
    circuit::{Circuit, Permit},
    rejected::Rejected,
    state::{Giver, Mode, State},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

/// A circuit and its key.
#[derive(Debug)]
pub(super) struct Entry<K> {
    pub(super) key: Arc<K>,
    pub(super) circuit: Circuit,
    /// By the registry; it is the user's own otherwise.
    pub(super) made: bool,
    /// The mode that it was built with, where that is the user's own: it has it where nothing else is said.
    pub(super) came_in: Mode,
    /// [`QUIET`], [`ASKED`] or [`GONE`].
    ///
    /// | from | to | who |
    /// |---|---|---|
    /// | quiet | asked | a caller, once it has got hold of the circuit |
    /// | asked | quiet | the books, now and then |
    /// | quiet | gone | the books, if nobody holds the circuit |
    /// | any | gone | an operator who removes it |
    ///
    /// invariant: what has been forgotten was quiet, so no caller who has marked it loses its call. A caller for whom it was
    /// asked already writes nothing; the books forget only what was quiet for [`SHORTEST`](super::builder::SHORTEST) since they
    /// made it so, and by then its permit can be seen.
    state: AtomicU8,
    /// One of as many as there are circuits, those included that are forgotten but not dropped yet.
    _alive: Arc<()>,
}

/// Nobody has asked since the books looked last.
const QUIET: u8 = 0;
/// Somebody has.
const ASKED: u8 = 1;
/// It cannot be found any more.
const GONE: u8 = 2;

impl<K> Entry<K> {
    pub(super) fn new(key: Arc<K>, circuit: Circuit, made: bool, alive: &Arc<()>) -> Self {
        let came_in = circuit.mode_by(Giver::Settings);
        Self { key, circuit, made, came_in, state: AtomicU8::new(QUIET), _alive: Arc::clone(alive) }
    }

    /// Answers a call all of whose steps are guarded; none if the circuit cannot be found any more.
    #[inline]
    pub(super) fn admit(&self) -> Option<Result<Permit, Rejected>> {
        // Got hold of first, marked then. What is too late is dropped: a call cancelled in a circuit that nobody sees.
        let answer = self.circuit.admit_guarded();
        self.mark().then_some(answer)
    }

    /// Returns the circuit, held; none if it cannot be found any more.
    pub(super) fn hold(&self) -> Option<Circuit> {
        let circuit = self.circuit.clone();
        self.mark().then_some(circuit)
    }

    /// Says that somebody has asked; false if that came too late.
    #[inline]
    fn mark(&self) -> bool {
        // Relaxed: an answer of `ASKED` is as good if it is old, see the invariant.
        self.state.load(Ordering::Relaxed) == ASKED || self.mark_first()
    }

    #[cold]
    fn mark_first(&self) -> bool {
        // Release: whoever finds it asked sees what the caller holds.
        match self.state.compare_exchange(QUIET, ASKED, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => true,
            Err(found) => found == ASKED,
        }
    }

    /// Makes it quiet, and says whether somebody has asked.
    pub(super) fn take_asked(&self) -> bool {
        // Acquire: pairs with the mark.
        self.state.compare_exchange(ASKED, QUIET, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes it from those who may find it, unless somebody asks for it now.
    pub(super) fn leave(&self) -> bool {
        self.state.compare_exchange(QUIET, GONE, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes it from those who may find it.
    pub(super) fn expel(&self) {
        self.state.store(GONE, Ordering::Relaxed);
    }

    /// Reports whether nothing is lost with a circuit that nobody has asked for in this time: nobody holds it, neither an
    /// operator nor an outage has a say, and no rule looks back on a call that was bad.
    pub(super) fn is_idle(&self, quiet_for: Duration, now: Instant) -> bool {
        !self.circuit.is_held() && {
            let snapshot = self.circuit.snapshot_at(now);
            let bad = snapshot.ledger.failed + snapshot.ledger.slow > 0;
            !self.circuit.is_of_note(now)
                && snapshot.retry_after.is_none()
                && !(bad && quiet_for < self.circuit.config().looks_back())
        }
    }

    /// Reports whether nothing is lost with a circuit that was asked for once: that call is over and was not bad.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        !self.circuit.is_held() && {
            let snapshot = self.circuit.snapshot_at(now);
            let ledger = snapshot.ledger;
            let bad = ledger.failed + ledger.slow + ledger.rejected + snapshot.times_opened;
            !self.circuit.is_of_note(now) && snapshot.state == State::Closed && bad == 0
        }
    }
}
