//! Limits that a request brings along.

use std::time::Duration;

use http::Request;

use super::{AttemptTimeoutLayer, CallLimits, Deadline, DeadlineHeader, Limits, TotalTimeoutLayer};
use crate::config::YEAR;

/// Limits that a request can change, by [`CallLimits`], a [`Deadline`] or a header.
///
/// Extensions of a request are kept on the heap, and so are header values that are made up: a call with these limits allocates,
/// one with [`Fixed`](super::Fixed) limits does not.
#[derive(Clone, Debug, Default)]
pub struct PerRequest {
    /// Read by a total timeout, written by that of an attempt.
    header: Option<DeadlineHeader>,
}

impl TotalTimeoutLayer {
    /// Lets each request bring its own limit, for services of HTTP and gRPC.
    ///
    /// The limit is that of [`CallLimits`] or else that of the layer, but never longer than what is left of a [`Deadline`] that is
    /// there already. The new deadline is put into the request, for who is further in.
    pub fn per_request(self) -> TotalTimeoutLayer<PerRequest> {
        self.with_limits(PerRequest::default())
    }
}

impl TotalTimeoutLayer<PerRequest> {
    /// Honours what the caller says in a header, on a server: it can make the limit shorter, never longer.
    ///
    /// Put the layer outside a circuit then: a caller who allows no time would be a failure of the handler otherwise.
    pub fn honour(self, header: DeadlineHeader) -> Self {
        self.with_limits(PerRequest { header: Some(header) })
    }
}

impl AttemptTimeoutLayer {
    /// Lets each request bring its own limit, in [`CallLimits`], for services of HTTP and gRPC.
    ///
    /// A [`Deadline`] does not make the attempt shorter. Whoever has set it drops the call when it has passed, which to a circuit
    /// between the two is a caller that left, and not a failure.
    pub fn per_request(self) -> AttemptTimeoutLayer<PerRequest> {
        self.with_limits(PerRequest::default())
    }
}

impl AttemptTimeoutLayer<PerRequest> {
    /// Tells the next hop in a header how long its answer is waited for: the limit of the attempt, or what is left of
    /// the [`Deadline`], or what the header says already, whichever is shortest.
    pub fn carry(self, header: DeadlineHeader) -> Self {
        self.with_limits(PerRequest { header: Some(header) })
    }
}

impl<B> Limits<Request<B>> for PerRequest {
    fn total(&self, request: &mut Request<B>, usual: Duration) -> Duration {
        let own = limits(request).total_or(usual);
        let told = self.header.as_ref().and_then(|header| header.read(request.headers()));
        let limit = own.min(told.unwrap_or(YEAR)).min(left(request));
        request.extensions_mut().insert(Deadline::after(limit));
        limit
    }

    fn attempt(&self, request: &mut Request<B>, usual: Duration) -> Duration {
        let limit = limits(request).attempt_or(usual);
        if let Some(header) = &self.header {
            let told = header.read(request.headers()).unwrap_or(YEAR);
            let left = limit.min(told).min(left(request));
            header.write(left, request.headers_mut());
        }
        limit
    }
}

fn limits<B>(request: &Request<B>) -> CallLimits {
    request.extensions().get().copied().unwrap_or_default()
}

/// What is left of the deadline; so long as to mean nothing if there is none.
fn left<B>(request: &Request<B>) -> Duration {
    request.extensions().get().map_or(YEAR, Deadline::left)
}
