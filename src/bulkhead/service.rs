//! The layer and the service of a bulkhead.

use std::task::{Context, Poll};

use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::{Bulkhead, Entry, ResponseFuture};
use crate::once_ready::OnceReady;

/// Puts a [`Bulkhead`] before a service. See the [module docs](super) for an example.
///
/// The places are in the layer: all services that it makes share them.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct BulkheadLayer {
    bulkhead: Bulkhead,
}

impl BulkheadLayer {
    /// Lets the calls of a service through a bulkhead.
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead }
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = InBulkhead<S>;

    fn layer(&self, inner: S) -> InBulkhead<S> {
        InBulkhead { inner, bulkhead: self.bulkhead.clone() }
    }
}

/// A service with a bulkhead before it. See the [module docs](super) for an example.
///
/// It is always ready. A call takes a place, or waits for one in line, and only then asks the inner service for its readiness, so
/// that nobody in the queue holds what is below. The inner service must be `Clone`; it is cloned for calls that have to wait only.
///
/// The place is free again when the head of the response is there, or the call is dropped.
#[derive(Clone, Debug)]
pub struct InBulkhead<S> {
    inner: S,
    bulkhead: Bulkhead,
}

impl<S> InBulkhead<S> {
    /// Returns the bulkhead.
    #[must_use]
    pub fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, Req> Service<Req> for InBulkhead<S>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Req>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.bulkhead.entry() {
            Entry::Now(place) => ResponseFuture::entered(OnceReady::call(&mut self.inner, request), place),
            Entry::InTurn(turn) => ResponseFuture::in_turn(turn, self.inner.clone(), request),
            Entry::Shed(error) => ResponseFuture::shed(error),
        }
    }
}
