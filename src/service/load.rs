//! How loaded a guarded service is: one whose circuit is open comes last.

use tower::load::Load;

use super::{Backpressure, CircuitBreaker, Single};

/// The load of a guarded service, for tower's balancers: any that lets calls pass comes before any that does not.
///
/// A balancer that takes the less loaded of two avoids an open endpoint so, while there is another, although an endpoint that
/// fails at once looks idle. When a probe is due the endpoint is as good as its inner load, so that it comes back.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct BreakerLoad<M> {
    /// Whether the circuit would reject a call.
    pub rejects: bool,
    /// The load of the inner service.
    pub inner: M,
}

impl<S: Load, C, R, W> Load for CircuitBreaker<S, Single<C, R, W>> {
    type Metric = BreakerLoad<S::Metric>;

    fn load(&self) -> Self::Metric {
        BreakerLoad { rejects: !self.circuit().passes(), inner: self.get_ref().load() }
    }
}

impl<S: Load, C, R, W> Load for Backpressure<S, Single<C, R, W>> {
    type Metric = BreakerLoad<S::Metric>;

    fn load(&self) -> Self::Metric {
        BreakerLoad { rejects: !self.would_pass(self.circuit()), inner: self.get_ref().load() }
    }
}
