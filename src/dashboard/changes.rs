//! What has changed from one look to the next, beyond what a reader can count for himself.

use std::time::Duration;

use super::view::CircuitView;
use crate::{machine::Snapshot, time::Instant};

/// All circuits as they were at one time, in the order of their ids.
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) circuits: Vec<CircuitView>,
}

impl Look {
    pub(super) fn find(&self, id: &str) -> Option<&CircuitView> {
        let found = self.circuits.binary_search_by(|view| view.id.as_str().cmp(id)).ok();
        found.map(|i| &self.circuits[i])
    }

    /// Those that have changed since an earlier look, and those that have come.
    pub(super) fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a CircuitView> {
        let waited = self.at.since(before.at);
        self.circuits.iter().filter(move |view| before.find(&view.id).is_none_or(|old| is_changed(old, view, waited)))
    }

    /// The ids of those that were there in an earlier look.
    pub(super) fn gone_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        before.circuits.iter().map(|view| view.id.as_str()).filter(|id| self.find(id).is_none())
    }
}

/// How far the end of a mode may seem to move, since two clocks are not read at one instant.
const TOLERANCE: Duration = Duration::from_millis(500);

fn is_changed(old: &CircuitView, new: &CircuitView, waited: Duration) -> bool {
    let ends_at_another_time = match (old.snapshot.mode_ends_in, new.snapshot.mode_ends_in) {
        (Some(before), Some(now)) => before.abs_diff(now.saturating_add(waited)) > TOLERANCE,
        (before, now) => before.is_some() != now.is_some(),
    };
    ends_at_another_time
        || (old.duplicate, old.critical, old.config) != (new.duplicate, new.critical, new.config)
        || standing(&old.snapshot) != standing(&new.snapshot)
}

/// What a circuit knows, without what runs on by itself.
fn standing(snapshot: &Snapshot) -> Snapshot {
    let (none, zero) = (None, Duration::ZERO);
    let running = (none, none, zero, none, [zero; 4]);
    let mut snapshot = snapshot.clone();
    (snapshot.mode_ends_in, snapshot.retry_after, snapshot.in_state, snapshot.outage, snapshot.time_in) = running;
    snapshot
}
