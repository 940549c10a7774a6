//! What each thread has of a circuit for itself, so that healthy calls share nothing that anybody writes.

use std::fmt;

use crate::{
    circuit::{
        Shared,
        gate::{Entry, Gate},
    },
    machine::{Ended, Epoch, Kind, Line, Rejection, Stamp},
    outcome::Outcome,
    rejected::Rejected,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// The part of a circuit that one thread uses: the gate of the closed state, and counts that nothing depends on.
///
/// A permit holds the stripe of the thread that asked for it, so that the count of owners is this thread's own too. A
/// permit that ends on another thread is counted here all the same.
pub(crate) struct Stripe {
    gate: Gate,
    ignored: AtomicU64,
    cancelled: AtomicU64,
    rejected: AtomicU64,
    pub(super) shared: Arc<Shared>,
    /// A copy of its own, since a rejection counts the owners of the name.
    name: Arc<str>,
}

impl Stripe {
    pub(super) fn new(shared: &Arc<Shared>, gate: Gate) -> Self {
        let [ignored, cancelled, rejected] = [const { 0 }; 3].map(AtomicU64::new);
        Self { gate, ignored, cancelled, rejected, shared: Arc::clone(shared), name: Arc::from(&**shared.name()) }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Answers a call. In the closed state: one load, and the clock only for a call that is timed.
    #[inline]
    pub(super) fn admit(&self) -> Result<Stamp, Rejected> {
        match self.gate.enter() {
            Entry::Plain(epoch) => Ok(Stamp { epoch, kind: Kind::Counted, started: None, sample: false }),
            Entry::Timed { epoch, sample } => {
                let started = Some(self.shared.clock().now());
                Ok(Stamp { epoch, kind: Kind::Counted, started, sample })
            }
            Entry::Closed => self.shared.admit(self).map_err(|rejection| self.rejected(rejection)),
        }
    }

    /// Takes the end of a call. A plain success in the closed state is one write to a word of this thread's.
    #[inline]
    pub(super) fn settle(&self, stamp: Stamp, ended: Ended) {
        if stamp.kind == Kind::Counted && self.passes(&stamp, ended) {
            return;
        }
        self.shared.settle(&stamp, ended);
    }

    /// Counts a call that decides nothing; false if the phases must be asked.
    #[inline]
    fn passes(&self, stamp: &Stamp, ended: Ended) -> bool {
        let mut now = None;
        if let Some(started) = stamp.started {
            let at = self.shared.clock().now();
            if stamp.sample || self.shared.is_slow(at.since(started)) || ended.outcome().is_none() {
                return false;
            }
            now = Some(at);
        }
        match ended.outcome() {
            Some(Outcome::Failure(_)) => false,
            Some(Outcome::Ignored) => self.count_in(stamp.epoch, &self.ignored),
            Some(Outcome::Success) => self.succeeded(stamp.epoch, now),
            None => self.count_in(stamp.epoch, &self.cancelled),
        }
    }

    #[inline]
    fn succeeded(&self, epoch: Epoch, now: Option<Instant>) -> bool {
        let turns_at = self.shared.turns_at();
        let needs_time = turns_at < Instant::FAR;
        if needs_time && now.unwrap_or_else(|| self.shared.time_of_success()) >= turns_at {
            self.shared.turn();
        }
        self.gate.count(epoch, needs_time)
    }

    fn count_in(&self, epoch: Epoch, line: &AtomicU64) -> bool {
        let current = self.gate.is_open_for(epoch);
        if current {
            // Relaxed: a line of the ledger, which is read for people.
            line.fetch_add(1, Ordering::Relaxed);
        }
        current
    }

    pub(super) fn count_rejected(&self) {
        // Relaxed: as above.
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self, rejection: Rejection) -> Rejected {
        Rejected::new(Arc::clone(&self.name), rejection)
    }

    /// Hands over what nothing depends on, for the ledger.
    pub(super) fn take_lines(&self) -> [(Line, u64); 3] {
        [(Line::Ignored, &self.ignored), (Line::Cancelled, &self.cancelled), (Line::Rejected, &self.rejected)]
            .map(|(line, count)| (line, count.swap(0, Ordering::Relaxed)))
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("gate", &self.gate).finish_non_exhaustive()
    }
}
