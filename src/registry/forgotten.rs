//! What the circuits had counted that are gone.

use std::time::Duration;

use crate::machine::{Ledger, Snapshot};

/// What the circuits of a registry had counted that are gone, see [`Registry::forgotten`](super::Registry::forgotten). These
/// numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many there were.
    pub circuits: u64,
    /// Their calls. Those that ended after a circuit was removed or replaced are not among them.
    pub ledger: Ledger,
    /// How often they had opened, failed probes not counted.
    pub times_opened: u64,
    /// The time that they had spent in each state, in the order of [`State::ALL`](crate::State::ALL).
    pub time_in: [Duration; 4],
}

impl Forgotten {
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        self.circuits += 1;
        self.ledger += snapshot.ledger;
        self.times_opened += snapshot.times_opened;
        for (sum, time) in self.time_in.iter_mut().zip(snapshot.time_in) {
            *sum = sum.saturating_add(time);
        }
    }
}
