//! The limit of a whole call: readiness, retries and waits included.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::{Fixed, Limit, Limits, ResponseFuture};
use crate::{config::ConfigError, once_ready::OnceReady, sync::Arc};

/// Bounds how long a call may take in all: until the head of the response is there, since a body comes after the call. See the
/// [module docs](super) for an example.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct TotalTimeoutLayer<L = Fixed> {
    limit: Limit,
    pub(super) limits: L,
}

impl TotalTimeoutLayer {
    /// Bounds each call by `limit`, 1 ms to 365 days; the name is for errors and logs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], if the limit is out of its bounds.
    pub fn new(name: impl Into<Arc<str>>, limit: Duration) -> Result<Self, ConfigError> {
        Ok(Self { limit: Limit::new(name.into(), limit)?, limits: Fixed })
    }
}

impl<L> TotalTimeoutLayer<L> {
    #[cfg(feature = "http")]
    pub(super) fn with_limits<M>(self, limits: M) -> TotalTimeoutLayer<M> {
        TotalTimeoutLayer { limit: self.limit, limits }
    }
}

impl<S, L: Clone> Layer<S> for TotalTimeoutLayer<L> {
    type Service = TotalTimeout<S, L>;

    fn layer(&self, inner: S) -> TotalTimeout<S, L> {
        TotalTimeout { inner, limit: self.limit.clone(), limits: self.limits.clone() }
    }
}

/// A service whose calls may take so long in all. See the [module docs](super) for an example.
///
/// It is always ready: the readiness of the inner service is waited for in the call, where the time is running. So the inner
/// service must be `Clone`; it is cloned for calls only that find it not ready.
#[derive(Clone, Debug)]
pub struct TotalTimeout<S, L = Fixed> {
    inner: S,
    limit: Limit,
    limits: L,
}

impl<S, L, Req> Service<Req> for TotalTimeout<S, L>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    L: Limits<Req>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<OnceReady<S, Req>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let limit = self.limits.total(&mut request, self.limit.usual);
        // The time begins before the inner service is asked for anything.
        let end = sleep(limit);
        let call = OnceReady::call(&mut self.inner, request);
        ResponseFuture::new(call, end, Arc::clone(&self.limit.name), limit)
    }
}
