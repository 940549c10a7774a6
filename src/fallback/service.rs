//! A service with a fallback.

use std::{
    fmt,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Counts, Draw, ResponseFuture, Source, When};
use crate::sync::Arc;

/// A service with a fallback. See the [module docs](super) for an example.
///
/// Readiness is that of the inner service, and so is an error of it: there is no request yet that could be answered. A circuit
/// that is open is ready.
pub struct Fallback<S, P> {
    pub(super) inner: S,
    /// Shared with the calls, so that none of them clones a value that may be large.
    pub(super) plan: Arc<P>,
}

/// Where the answer comes from `F`, and when `W`; how many may be under way, and how many there were.
#[derive(Clone, Debug)]
pub struct Plan<F, W> {
    pub(super) source: F,
    pub(super) when: W,
    pub(super) limit: usize,
    pub(super) counts: Counts,
}

impl<S, P> Fallback<S, P> {
    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service. What is called by this way has no fallback.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service without the fallback.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, F, W, Req> Service<Req> for Fallback<S, Plan<F, W>>
where
    S: Service<Req>,
    F: Draw<Req> + Source<F::Drawn, S::Response, S::Error>,
    W: When<S::Response, S::Error>,
{
    type Response = F::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, Plan<F, W>, F::Drawn, F::Future, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let drawn = self.plan.source.draw(&request);
        ResponseFuture::new(self.inner.call(request), drawn, Arc::clone(&self.plan))
    }
}

impl<S: Clone, P> Clone for Fallback<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), plan: Arc::clone(&self.plan) }
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for Fallback<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("inner", &self.inner).field("plan", &self.plan).finish()
    }
}
