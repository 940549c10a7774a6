//! Which HTTP calls may be tried again.

use std::{any::type_name_of_val, fmt, io, time::Duration};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower::{retry::Policy, timeout::error::Elapsed};

use crate::{
    classify::{Seen, any_in_chain, is_local, read_retry_after},
    clock::Sleep,
    outcome::Outcome,
    retry::{Cause, Replay, Retries},
    sync::Arc,
    timeout::{Deadline, TimedOut},
};

/// A policy for tower's `RetryLayer`: repeats HTTP calls where that is safe and may help.
///
/// | result | is tried again |
/// |---|---|
/// | `Rejected`, `Overloaded`, ours or tower's | never: it was our own doing |
/// | a connection that was refused: never sent | whatever the method |
/// | 429 | whatever the method: the request was turned away, not carried out |
/// | 408, 500, 502, 503, 504; any other error | if the request is idempotent |
/// | anything else | never |
///
/// A request is idempotent by its method (GET, HEAD, OPTIONS, TRACE, PUT, DELETE), or by a header `Idempotency-Key`. The list of
/// statuses is that of AWS's SDKs, and 408. `Retry-After` is a lower bound. A wait that would outlast the [`Deadline`] of the request
/// is not begun. All else is decided by [`Retries`].
///
/// Errors are looked into if they are boxed, as behind any tower layer that makes errors of its own.
///
/// Bodies must be [`Replay`]: those that are `Clone` are, and `ReplayBody` makes one of any other.
///
/// See the [module docs](super) for an example.
#[derive(Clone)]
#[must_use = "a policy does nothing until a `RetryLayer` has it"]
pub struct HttpRetry {
    retries: Retries,
    rules: Arc<Rules>,
}

/// Behind a pointer, since a policy goes along with each call.
#[derive(Clone)]
struct Rules {
    statuses: Vec<StatusCode>,
    attempt_header: Option<HeaderName>,
    never_sent: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&Seen<'_>) -> bool + Send + Sync;

impl HttpRetry {
    /// Makes the policy of the table above.
    pub fn new(retries: Retries) -> Self {
        let statuses = vec![
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        Self { retries, rules: Arc::new(Rules { statuses, attempt_header: None, never_sent: None }) }
    }

    /// Adds a status: such an answer to an idempotent request is tried again.
    pub fn retry_on(mut self, status: StatusCode) -> Self {
        Arc::make_mut(&mut self.rules).statuses.push(status);
        self
    }

    /// Takes a status away: such an answer is final.
    pub fn accept(mut self, status: StatusCode) -> Self {
        Arc::make_mut(&mut self.rules).statuses.retain(|other| *other != status);
        self
    }

    /// Tells in a header of each repeated request how many attempts came before. Default: no header.
    ///
    /// OpenTelemetry has the same number as `http.request.resend_count`.
    pub fn attempt_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.rules).attempt_header = Some(name);
        self
    }

    /// Tells by a closure which errors mean that the request was not sent, in addition to those that are known.
    ///
    /// For hyper's client: `|seen| seen.find_error::<legacy::Error>().is_some_and(legacy::Error::is_connect)`. A request that
    /// may have been sent must not be among them: a POST would be carried out twice.
    pub fn never_sent(mut self, was_not_sent: impl Fn(&Seen<'_>) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.rules).never_sent = Some(Arc::new(was_not_sent));
        self
    }

    /// Returns why a call may be tried again, and what the server asks for; none if it may not.
    fn judge<B, R, E: 'static>(
        &self,
        request: &Request<B>,
        result: Result<&Response<R>, &E>,
    ) -> Option<(Cause, Option<Duration>)> {
        match result {
            Ok(response) => {
                let status = response.status();
                let safe = status == StatusCode::TOO_MANY_REQUESTS || is_idempotent(request);
                if !safe || !self.rules.statuses.contains(&status) {
                    return None;
                }
                let timed_out = status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::GATEWAY_TIMEOUT;
                let cause = if timed_out { Cause::TimedOut } else { Cause::Failed };
                Some((cause, read_retry_after(response.headers())))
            }
            Err(error) if is_local(error) => None,
            Err(error) if self.was_never_sent(error) => Some((Cause::Failed, None)),
            Err(error) => is_idempotent(request).then(|| (cause_of(error), None)),
        }
    }

    fn was_never_sent<E: 'static>(&self, error: &E) -> bool {
        let told =
            |predicate: &Arc<Predicate>| predicate(&Seen::new(Err::<&Response<()>, _>(error), Outcome::failure()));
        was_never_sent(error) || self.rules.never_sent.as_ref().is_some_and(told)
    }
}

impl<B: Replay, R, E: 'static> Policy<Request<B>, Response<R>, E> for HttpRetry {
    type Future = Sleep;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Sleep> {
        let (cause, after) = self.judge(request, result.as_ref())?;
        if !request.body().is_whole() {
            return None;
        }
        let wait = self.retries.again_within(cause, after, left(request))?;
        if let Some(name) = &self.rules.attempt_header {
            number(request, name.clone(), &self.retries);
        }
        Some(self.retries.sleep(wait))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        self.retries.next_attempt();
        copy(request, &self.retries)
    }
}

impl fmt::Debug for HttpRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { statuses, attempt_header, never_sent } = &*self.rules;
        f.debug_struct("HttpRetry")
            .field("retries", &self.retries)
            .field("statuses", statuses)
            .field("attempt_header", attempt_header)
            .field("never_sent", &never_sent.as_ref().map(|told| type_name_of_val(&**told)))
            .finish()
    }
}

/// Copies a request, unless it is the last attempt or its body cannot be sent twice.
pub(super) fn copy<B: Replay>(request: &Request<B>, retries: &Retries) -> Option<Request<B>> {
    if retries.is_last() {
        return None;
    }
    let mut copy = Request::new(request.body().replay()?);
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    *copy.version_mut() = request.version();
    request.headers().clone_into(copy.headers_mut());
    request.extensions().clone_into(copy.extensions_mut());
    Some(copy)
}

/// Writes into a request that is about to be repeated how many attempts came before.
pub(super) fn number<B>(request: &mut Request<B>, name: HeaderName, retries: &Retries) {
    request.headers_mut().insert(name, HeaderValue::from(retries.attempts() - 1));
}

/// How long the caller still waits, if that is known.
pub(super) fn left<B>(request: &Request<B>) -> Option<Duration> {
    request.extensions().get().map(Deadline::left)
}

/// Whether the request was not sent: the system says so. "Unreachable" is not among it, since that can also end a connection on
/// which a request was sent.
pub(super) fn was_never_sent<E: 'static>(error: &E) -> bool {
    any_in_chain(error, |error| {
        matches!(
            error.downcast_ref::<io::Error>().map(io::Error::kind),
            Some(io::ErrorKind::AddrNotAvailable | io::ErrorKind::ConnectionRefused)
        )
    })
}

pub(super) fn cause_of<E: 'static>(error: &E) -> Cause {
    let timed_out = any_in_chain(error, |error| {
        error.is::<Elapsed>()
            || error.is::<TimedOut>()
            || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    });
    if timed_out { Cause::TimedOut } else { Cause::Failed }
}

fn is_idempotent<B>(request: &Request<B>) -> bool {
    request.method().is_idempotent() || request.headers().contains_key("idempotency-key")
}

#[cfg(test)]
mod tests;
