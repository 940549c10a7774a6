//! Without the feature `retry` there is no table `retry`.

use super::fields::Fields;
use crate::config::Fault;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Retry;

#[expect(clippy::unused_self, reason = "as its namesake, which has numbers")]
impl Retry {
    pub(super) fn lay_over(&mut self, _: &mut Fields<'_, '_>) {}

    pub(super) fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
}
