//! Calls for which the inner service has not been asked whether it is ready.

use std::task::{Context, Poll, Waker};

use tower_service::Service;

use super::{CircuitBreaker, FutureOf, Policy, Readiness, ResponseFuture};
use crate::circuit::Permit;

impl<S, P> CircuitBreaker<S, P> {
    /// Makes or rejects such a call.
    #[inline(never)]
    pub(super) fn call_unready<Req>(&mut self, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        self.readiness = Readiness::None;
        match self.policy.circuit().reject_coarsely() {
            Some(rejected) => ResponseFuture::rejected(self.policy.reject(request, rejected)),
            None => self.call_late(request),
        }
    }

    #[inline(never)]
    fn call_late<Req>(&mut self, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        if let Some(rejected) = self.policy.circuit().reject_exactly() {
            return ResponseFuture::rejected(self.policy.reject(request, rejected));
        }
        if !self.policy.circuit().passes() {
            return match self.policy.circuit().look_closer() {
                Ok(permit) => self.call_changed(permit, request),
                Err(rejected) => ResponseFuture::rejected(self.policy.reject(request, rejected)),
            };
        }
        // The circuit may have closed since it spared the inner service the question; then it is asked now.
        if let Poll::Ready(Err(error)) = self.poll_inner(&mut Context::from_waker(Waker::noop())) {
            return ResponseFuture::rejected(Err(error));
        }
        if self.readiness == Readiness::Inner { self.call_ready(request) } else { self.not_ready(request) }
    }

    /// Makes a call that a circuit lets pass that let none pass a moment ago; the inner service is asked with the permit in hand.
    #[cold]
    fn call_changed<Req>(&mut self, mut permit: Permit, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        match permit.guard(|| self.inner.poll_ready(&mut Context::from_waker(Waker::noop()))) {
            Poll::Ready(Ok(())) => self.start(permit, request),
            Poll::Ready(Err(error)) => ResponseFuture::rejected(Err(self.failed_unready(Some(permit), error))),
            // In the ledger it is cancelled, since it had leave, and rejected.
            Poll::Pending => self.not_ready(request),
        }
    }

    fn not_ready<Req>(&self, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        let rejected = self.policy.circuit().reject_not_ready();
        ResponseFuture::rejected(self.policy.reject(request, rejected))
    }
}
