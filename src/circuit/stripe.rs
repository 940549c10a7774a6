//! What each thread has of a circuit for itself, so that healthy calls share nothing that anybody writes.

use crate::{
    circuit::{Shared, gate::Gate},
    machine::{Ended, Epoch, Kind, Line, Rejection, Stamp},
    outcome::Outcome,
    rejected::Rejected,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Nanos,
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
    /// A copy of its own, but for the first, since a rejection counts the owners of the name.
    name: Arc<str>,
}

impl Stripe {
    pub(super) fn new(shared: &Arc<Shared>, name: Arc<str>, gate: Gate) -> Self {
        let [ignored, cancelled, rejected] = [const { 0 }; 3].map(AtomicU64::new);
        Self { gate, ignored, cancelled, rejected, shared: Arc::clone(shared), name }
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
        match self.gate.look_closer(self.shared.board().samples()) {
            Some((epoch, Kind::Counted)) => Ok(Stamp::untimed(epoch, Kind::Counted)),
            Some((epoch, kind)) => Ok(Stamp::timed(epoch, kind, self.shared.clock().now())),
            None => self.shared.admit(self).map_err(|rejection| self.rejected(rejection)),
        }
    }

    /// Takes a success of a call that was let pass untimed in the closed state: one write to a word of this thread's. False
    /// if it comes too late, or the machine must first be told of others.
    #[inline]
    pub(super) fn succeed(&self, epoch: Epoch) -> bool {
        self.gate.count(epoch) || self.succeed_in_time(epoch)
    }

    /// The same where rules ask for the time.
    #[inline(never)]
    fn succeed_in_time(&self, epoch: Epoch) -> bool {
        self.shared.keep_time(epoch);
        self.gate.count_in_time(epoch)
    }

    /// Takes the end of a call.
    pub(super) fn settle(&self, stamp: &Stamp, ended: Ended) {
        if !self.passes(stamp, ended) {
            self.shared.settle(stamp, ended);
        }
    }

    /// Counts a call that decides nothing; false if the machine must be told.
    fn passes(&self, stamp: &Stamp, ended: Ended) -> bool {
        match stamp.kind {
            Kind::Uncounted => return true,
            Kind::Probe | Kind::Recovering | Kind::Shadow => return false,
            Kind::Counted => {}
            Kind::Sample | Kind::Timed => {
                let Some(outcome) = ended.outcome() else { return false };
                let now = self.shared.clock().now();
                let took = stamp.took(now).unwrap_or_default();
                if self.shared.board().is_slow(took) {
                    return false;
                }
                if stamp.kind == Kind::Sample && outcome == Outcome::Success {
                    self.shared.learn(self, stamp.epoch, took, now);
                }
            }
        }
        match ended.outcome() {
            Some(Outcome::Failure(_)) => false,
            Some(Outcome::Ignored) => self.count_in(stamp.epoch, &self.ignored),
            Some(Outcome::Success) => self.succeed(stamp.epoch),
            None => self.count_in(stamp.epoch, &self.cancelled),
        }
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

    /// A rejection by an open circuit.
    #[inline]
    pub(super) fn rejected_for(&self, wait: Nanos) -> Rejected {
        Rejected::open(Arc::clone(&self.name), wait)
    }

    /// Hands over what nothing depends on, for the ledger.
    pub(super) fn take_lines(&self) -> [(Line, u64); 3] {
        [(Line::Ignored, &self.ignored), (Line::Cancelled, &self.cancelled), (Line::Rejected, &self.rejected)]
            .map(|(line, count)| (line, count.swap(0, Ordering::Relaxed)))
    }
}
