//! What a scenario that passed did not assert, and where the adapter stood in for a call that we do not have.

use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Note {
    /// Asserted by other means than the system it was written for.
    By(&'static str),
    /// Written in the scenario and not asserted: we have no such number.
    Waived(&'static str),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(BTreeSet<Note>);

impl Notes {
    pub(crate) fn add(&mut self, note: Note) {
        self.0.insert(note);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }
}
