//! Which gRPC calls may be tried again.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tower::retry::Policy;

use crate::{
    classify::{GrpcCode, is_local},
    clock::Sleep,
    retry::{
        Cause, Replay, Retries,
        http::{cause_of, copy, left, number, was_never_sent},
    },
};

/// A policy for tower's `RetryLayer`: repeats gRPC calls, as proposal A6 of gRPC has it.
///
/// | result | is tried again |
/// |---|---|
/// | `Rejected`, `Overloaded`, ours or tower's | never: it was our own doing |
/// | a connection that was refused: never sent | yes |
/// | `grpc-status` `UNAVAILABLE` in the head; HTTP 429, 502, 503, 504 | yes |
/// | any other error: a timeout, a reset | if all methods are said to be [idempotent](Self::idempotent) |
/// | anything else | never |
///
/// `grpc-retry-pushback-ms` is a lower bound; one that is negative or no number forbids the retry. Each repeated request tells in
/// `grpc-previous-rpc-attempts` how many came before. All else is decided by [`Retries`].
///
/// It sees a status in the head, as servers send it for a call that has no answer; one in the trailers comes after the answer has
/// begun, when there is nothing left to repeat.
///
/// tonic's bodies are streams, so they need a `ReplayBody`:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
/// use http::Request;
/// use tonic::{body::Body, transport::Channel};
/// use tower::{ServiceBuilder, retry::RetryLayer};
/// use tower_breaker::{Circuit, retry::{GrpcRetry, ReplayBody, Retries}};
///
/// let circuit = Circuit::builder("ledger").build()?;
/// let retries = Retries::builder().circuit(circuit).build()?;
/// let channel = ServiceBuilder::new()
///     .map_request(|request: Request<Body>| request.map(|body| ReplayBody::new(body, 65_536)))
///     .layer(RetryLayer::new(GrpcRetry::new(retries)))
///     .map_request(|request: Request<ReplayBody<Body>>| request.map(Body::new))
///     .service(Channel::from_static("http://[::1]:50051").connect_lazy());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until a `RetryLayer` has it"]
pub struct GrpcRetry {
    retries: Retries,
    /// One bit for each code, of which there are 17.
    codes: u32,
    idempotent: bool,
}

impl GrpcRetry {
    /// Makes the policy of the table above.
    pub fn new(retries: Retries) -> Self {
        Self { retries, codes: 1 << GrpcCode::Unavailable as u32, idempotent: false }
    }

    /// Adds a status code: such an answer is tried again.
    pub fn retry_on(self, code: GrpcCode) -> Self {
        Self { codes: self.codes | 1 << code as u32, ..self }
    }

    /// Says that all methods may be called twice: then calls that ended without an answer are tried again too.
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// Returns why a call may be tried again, and what the server asks for; none if it may not.
    fn judge<R, E: 'static>(&self, result: Result<&Response<R>, &E>) -> Option<(Cause, Option<Duration>)> {
        match result {
            Ok(response) => {
                let code = code(response.status(), response.headers())?;
                if self.codes & 1 << code as u32 == 0 {
                    return None;
                }
                let cause = if code == GrpcCode::DeadlineExceeded { Cause::TimedOut } else { Cause::Failed };
                Some((cause, pushback(response.headers())?))
            }
            Err(error) if is_local(error) => None,
            Err(error) if self.idempotent || was_never_sent(error) => Some((cause_of(error), None)),
            Err(_) => None,
        }
    }
}

impl<B: Replay, R, E: 'static> Policy<Request<B>, Response<R>, E> for GrpcRetry {
    type Future = Sleep;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Sleep> {
        let (cause, after) = self.judge(result.as_ref())?;
        if !request.body().is_whole() {
            return None;
        }
        let wait = self.retries.again_within(cause, after, left(request))?;
        number(request, HeaderName::from_static("grpc-previous-rpc-attempts"), &self.retries);
        Some(self.retries.sleep(wait))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        self.retries.next_attempt();
        copy(request, &self.retries)
    }
}

/// The code in the head; none if it is not there yet.
fn code(status: StatusCode, headers: &HeaderMap) -> Option<GrpcCode> {
    // What a proxy answers is no gRPC; the project's list of HTTP statuses says what they stand for.
    GrpcCode::read(headers).or_else(|| (status != StatusCode::OK).then(|| GrpcCode::from_http(status)))
}

/// What the server asks for, if anything; none at all if it forbids a retry, by a negative number or by what is no number.
fn pushback(headers: &HeaderMap) -> Option<Option<Duration>> {
    let Some(value) = headers.get("grpc-retry-pushback-ms") else { return Some(None) };
    let wait = value.to_str().ok()?.parse().ok()?;
    Some(Some(Duration::from_millis(wait)))
}

#[cfg(test)]
mod tests;
