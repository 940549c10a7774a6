//! The errors of a server's stack as answers.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use tower::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use crate::{bulkhead::Overloaded, rejected::Rejected, service::unavailable, timeout::TimedOut};

/// Answers what was turned away or ended: `503` with `Retry-After` for a rejection, `503` for a full bulkhead, `504` for a handler
/// that took too long, `500` for any other error. So the error type is `Infallible`, as axum wants it.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AnswerErrors;

/// A service that answers its errors.
#[derive(Debug)]
pub struct Answering<S> {
    inner: S,
    /// Some if the inner service has failed while it was asked for readiness; the next call is answered by it.
    failed: Option<BoxError>,
}

impl<S> Layer<S> for AnswerErrors {
    type Service = Answering<S>;

    fn layer(&self, inner: S) -> Answering<S> {
        Answering { inner, failed: None }
    }
}

impl<S: Clone> Clone for Answering<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), failed: None }
    }
}

impl<S, Req, B> Service<Req> for Answering<S>
where
    S: Service<Req, Response = Response<B>, Error = BoxError>,
    B: Default,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_none() {
            self.failed = ready!(self.inner.poll_ready(cx)).err();
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.failed.take() {
            Some(error) => Answer { state: State::Failed { error: Some(error) } },
            None => Answer { state: State::Called { call: self.inner.call(request) } },
        }
    }
}

pin_project! {
    /// An answer, whatever happens.
    pub struct Answer<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Called { #[pin] call: F },
        // Some until it is taken.
        Failed { error: Option<BoxError> },
    }
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, BoxError>>,
    B: Default,
{
    type Output = Result<Response<B>, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match self.project().state.project() {
            StateProj::Called { call } => ready!(call.poll(cx)),
            StateProj::Failed { error } => Err(error.take().expect("a future is not polled after it was ready")),
        };
        Poll::Ready(Ok(result.unwrap_or_else(|error| answer(&*error))))
    }
}

impl<F> std::fmt::Debug for Answer<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

#[cold]
fn answer<B: Default>(error: &(dyn Error + Send + Sync + 'static)) -> Response<B> {
    if let Some(rejected) = Rejected::find(error) {
        return unavailable(rejected.clone());
    }
    let mut response = Response::new(B::default());
    *response.status_mut() = if let Some(overloaded) = Overloaded::find(error) {
        // Circuits further out know by it that this is no failure.
        response.extensions_mut().insert(overloaded.clone());
        StatusCode::SERVICE_UNAVAILABLE
    } else if TimedOut::find(error).is_some() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    response
}
