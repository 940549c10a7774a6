//! What each thread has of a circuit for itself, so that healthy calls share nothing that anybody writes.

use std::fmt;

use crate::{
    circuit::{Shared, gate::Gate},
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

    /// Lets a call pass that is not timed, if the circuit is closed; none if it must look closer.
    #[inline]
    pub(super) fn enter(&self) -> Option<Stamp> {
        self.gate.enter().map(|epoch| Stamp::untimed(epoch, Kind::Counted))
    }

    /// Answers a call that is timed, or that the phases must be asked about.
    #[cold]
    #[inline(never)]
    pub(super) fn look_closer(&self) -> Result<Stamp, Rejected> {
        match self.gate.look_closer() {
            Some((epoch, sample)) => {
                let kind = if sample { Kind::Sample } else { Kind::Timed };
                Ok(Stamp::timed(epoch, kind, self.shared.clock().now()))
            }
            None => self.shared.admit(self).map_err(|rejection| self.rejected(rejection)),
        }
    }

    /// Takes a success if it is a plain one in the closed state: one write to a word of this thread's.
    #[inline]
    pub(super) fn succeed(&self, stamp: &Stamp) -> bool {
        stamp.kind == Kind::Counted && self.succeeded(stamp.epoch, None)
    }

    /// Takes the end of a call.
    pub(super) fn settle(&self, stamp: &Stamp, ended: Ended) {
        if !self.passes(stamp, ended) {
            self.shared.settle(stamp, ended);
        }
    }

    /// Counts a call that decides nothing; false if the machine must be told.
    fn passes(&self, stamp: &Stamp, ended: Ended) -> bool {
        let now = match stamp.kind {
            Kind::Uncounted => return true,
            Kind::Probe | Kind::Recovering | Kind::Sample | Kind::Shadow => return false,
            Kind::Counted => None,
            Kind::Timed => stamp.started().map(|started| (self.shared.clock().now(), started)),
        };
        if now.is_some_and(|(now, started)| ended.outcome().is_none() || self.shared.is_slow(now.since(started))) {
            return false;
        }
        match ended.outcome() {
            Some(Outcome::Failure(_)) => false,
            Some(Outcome::Ignored) => self.count_in(stamp.epoch, &self.ignored),
            Some(Outcome::Success) => self.succeeded(stamp.epoch, now.map(|(now, _)| now)),
            None => self.count_in(stamp.epoch, &self.cancelled),
        }
    }

    /// Counts a plain success; false if it comes too late, or the machine must first be told of others.
    #[inline]
    fn succeeded(&self, epoch: Epoch, now: Option<Instant>) -> bool {
        let turns_at = self.shared.turns_at();
        if turns_at == Instant::FAR { self.gate.count(epoch, false) } else { self.succeeded_at(epoch, now, turns_at) }
    }

    /// The same where rules ask for the time.
    #[inline(never)]
    fn succeeded_at(&self, epoch: Epoch, now: Option<Instant>, turns_at: Instant) -> bool {
        if now.unwrap_or_else(|| self.shared.time_of_success()) >= turns_at {
            self.shared.turn();
        }
        self.gate.count(epoch, true)
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
