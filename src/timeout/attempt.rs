//! The limit of one attempt.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::{Fixed, Limit, Limits, ResponseFuture};
use crate::{config::ConfigError, sync::Arc};

/// Bounds how long an attempt may take. See the [module docs](super) for an example.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct AttemptTimeoutLayer<L = Fixed> {
    limit: Limit,
    pub(super) limits: L,
}

impl AttemptTimeoutLayer {
    /// Bounds each attempt by `limit`, 1 ms to 365 days; the name is for errors and logs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], if the limit is out of its bounds.
    pub fn new(name: impl Into<Arc<str>>, limit: Duration) -> Result<Self, ConfigError> {
        Ok(Self { limit: Limit::new(name.into(), limit)?, limits: Fixed })
    }
}

impl<L> AttemptTimeoutLayer<L> {
    #[cfg(feature = "http")]
    pub(super) fn with_limits<M>(self, limits: M) -> AttemptTimeoutLayer<M> {
        AttemptTimeoutLayer { limit: self.limit, limits }
    }
}

impl<S, L: Clone> Layer<S> for AttemptTimeoutLayer<L> {
    type Service = AttemptTimeout<S, L>;

    fn layer(&self, inner: S) -> AttemptTimeout<S, L> {
        AttemptTimeout { inner, limit: self.limit.clone(), limits: self.limits.clone() }
    }
}

/// A service whose attempts may take so long. See the [module docs](super) for an example.
#[derive(Clone, Debug)]
pub struct AttemptTimeout<S, L = Fixed> {
    inner: S,
    limit: Limit,
    limits: L,
}

impl<S, L, Req> Service<Req> for AttemptTimeout<S, L>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    L: Limits<Req>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let limit = self.limits.attempt(&mut request, self.limit.usual);
        let end = sleep(limit);
        ResponseFuture::new(self.inner.call(request), end, Arc::clone(&self.limit.name), limit)
    }
}
