//! What goes through the contenders: a number, or an HTTP request; and the service that answers at once.

use std::{
    error::Error,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::Service;
use tower_breaker::{
    Rejected,
    classify::{Classifier, ErrorsAsFailures, HttpClassifier},
};

/// A request that carries a number, and fails if that is zero.
pub(crate) trait Payload: Send + Sync + 'static {
    type Request: Send + 'static;
    type Response: Send + 'static;
    type Classifier: Classifier<Self::Response, Failed>
        + Classifier<Self::Response, Typed>
        + Clone
        + Send
        + Sync
        + 'static;

    const CLASSIFIER: Self::Classifier;

    fn request(number: u64) -> Self::Request;
    fn number(request: &Self::Request) -> u64;
    fn response(number: u64) -> Self::Response;
    /// What a rejection becomes in the reply mode.
    fn refusal(rejected: &Rejected) -> Self::Response;
    /// Whether the inner service has made this response.
    fn is_answer(response: &Self::Response) -> bool;
}

pub(crate) struct Number;

impl Payload for Number {
    type Request = u64;
    type Response = u64;
    type Classifier = ErrorsAsFailures;

    const CLASSIFIER: ErrorsAsFailures = ErrorsAsFailures::new();

    fn request(number: u64) -> u64 {
        number
    }

    fn number(request: &u64) -> u64 {
        *request
    }

    fn response(number: u64) -> u64 {
        number
    }

    fn refusal(rejected: &Rejected) -> u64 {
        u64::MAX - u64::from(rejected.retry_after().is_none())
    }

    fn is_answer(response: &u64) -> bool {
        *response < u64::MAX - 1
    }
}

pub(crate) struct Http;

impl Payload for Http {
    type Request = Request<u64>;
    type Response = Response<u64>;
    type Classifier = HttpClassifier;

    const CLASSIFIER: HttpClassifier = HttpClassifier::new();

    fn request(number: u64) -> Request<u64> {
        Request::new(number)
    }

    fn number(request: &Request<u64>) -> u64 {
        *request.body()
    }

    fn response(number: u64) -> Response<u64> {
        Response::new(number)
    }

    fn refusal(rejected: &Rejected) -> Response<u64> {
        let mut response = Response::new(Number::refusal(rejected));
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response
    }

    fn is_answer(response: &Response<u64>) -> bool {
        response.status().is_success()
    }
}

/// Answers at once; fails if the number is zero.
///
/// Its methods are not inlined: a real client's are not either, and a layer must not seem cheap because the compiler has
/// dissolved the service below it.
pub(crate) struct Bare<P, E>(PhantomData<fn() -> (P, E)>);

impl<P, E> Bare<P, E> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<P, E> Clone for Bare<P, E> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<P: Payload, E: From<Failed>> Service<P::Request> for Bare<P, E> {
    type Response = P::Response;
    type Error = E;
    type Future = Answer<P::Request, P, E>;

    #[inline(never)]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: P::Request) -> Self::Future {
        Answer { request: Some(request), bare: PhantomData }
    }
}

/// The future of the inner service.
pub(crate) struct Answer<R, P, E> {
    request: Option<R>,
    bare: PhantomData<fn() -> (P, E)>,
}

impl<R, P, E> Unpin for Answer<R, P, E> {}

impl<P: Payload, E: From<Failed>> Future for Answer<P::Request, P, E> {
    type Output = Result<P::Response, E>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let request = self.request.take().expect("a future is not polled after it was ready");
        let number = P::number(&request);
        Poll::Ready(if number == 0 { Err(E::from(Failed)) } else { Ok(P::response(number)) })
    }
}

/// The error of the inner service.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed as asked")
    }
}

impl Error for Failed {}

/// The error type of a caller who wants rejections typed.
#[derive(Debug)]
pub(crate) enum Typed {
    Failed(Failed),
    Rejected(Rejected),
}

impl From<Failed> for Typed {
    fn from(error: Failed) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Rejected(error) => error.fmt(f),
        }
    }
}

impl Error for Typed {}
