//! What is shown: circuits, alone, in lists, in registries.

use crate::{
    circuit::Circuit,
    machine::Ledger,
    registry::{Key, Registry},
};

/// What is shown, see [`Dashboard::add`](super::Dashboard::add).
///
/// Yours can be a struct that holds some circuits:
///
/// ```
/// use tower_breaker::{Circuit, dashboard::{Source, Viewer}};
///
/// struct Backends { payments: Circuit, search: Circuit }
///
/// impl Source for Backends {
///     fn show(&self, viewer: &mut Viewer<'_>) {
///         self.payments.show(viewer);
///         self.search.show(viewer);
///     }
/// }
/// ```
pub trait Source: Send + Sync {
    /// Shows each circuit that is there now. It is asked whenever somebody looks, so it should make none.
    fn show(&self, viewer: &mut Viewer<'_>);
}

/// Who looks at circuits.
pub struct Viewer<'a>(pub(super) &'a mut dyn FnMut(&Circuit));

impl Viewer<'_> {
    /// Shows one circuit. It is not held beyond that.
    pub fn see(&mut self, circuit: &Circuit) {
        (self.0)(circuit);
    }
}

impl std::fmt::Debug for Viewer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").finish_non_exhaustive()
    }
}

impl Source for Circuit {
    fn show(&self, viewer: &mut Viewer<'_>) {
        viewer.see(self);
    }
}

impl<S: Source> Source for Vec<S> {
    fn show(&self, viewer: &mut Viewer<'_>) {
        self.iter().for_each(|source| source.show(viewer));
    }
}

/// All circuits that are there, and that of the overflow once it has had a call; none of them is held meanwhile, and none
/// is taken for asked for.
impl<K: Key> Source for Registry<K> {
    fn show(&self, viewer: &mut Viewer<'_>) {
        self.for_each(|circuit| viewer.see(circuit));
        if self.overflow().snapshot().ledger != Ledger::default() {
            viewer.see(self.overflow());
        }
    }
}
