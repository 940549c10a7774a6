//! What tells one circuit from another, for who shows many.

use crate::{circuit::Circuit, observe::Key, sync::Arc};

impl Circuit {
    /// The key that a registry has made it for.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.0.shared.key()
    }

    /// A number that all clones have, and no other circuit that is there at the same time.
    pub(crate) fn number(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}
