//! Without the feature `stack` there are no tables `timeouts` and `bulkhead`.

use super::{CircuitSettings, fields::Fields};
use crate::config::Fault;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts;

#[expect(clippy::unused_self, reason = "as its namesake, which has numbers")]
impl Parts {
    pub(super) fn lay_over(&mut self, _: &mut Fields<'_, '_>) {}

    pub(super) fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
}

#[expect(clippy::unused_self, reason = "as its namesake, which has numbers")]
impl CircuitSettings {
    pub(super) fn misfits(&self) -> Vec<Fault> {
        Vec::new()
    }
}
