//! Errors in boxes, so that a part that is there and one that is not have the same error.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

/// Puts the errors of a service into boxes.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct BoxErrors;

/// A service whose errors are in boxes.
#[derive(Clone, Debug)]
pub struct ErrorsInBoxes<S> {
    inner: S,
}

impl<S> Layer<S> for BoxErrors {
    type Service = ErrorsInBoxes<S>;

    fn layer(&self, inner: S) -> ErrorsInBoxes<S> {
        ErrorsInBoxes { inner }
    }
}

impl<S, Req> Service<Req> for ErrorsInBoxes<S>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Boxing<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        Boxing { call: self.inner.call(request) }
    }
}

pin_project! {
    /// A call whose error is put into a box.
    #[derive(Debug)]
    pub struct Boxing<F> {
        #[pin]
        call: F,
    }
}

impl<F, T, E> Future for Boxing<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx).map_err(Into::into)
    }
}
