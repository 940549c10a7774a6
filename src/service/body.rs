//! The body of a response whose call is over when the body is.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    circuit::Permit,
    classify::{AtEnd, Ending},
    outcome::Outcome,
};

pin_project! {
    /// A response body that settles its call when it ends: with trailers, cleanly, with an error, or because it is dropped.
    ///
    /// Made by [`CircuitBreakerLayer::until_end_of_body`](crate::CircuitBreakerLayer::until_end_of_body), which says when a
    /// call is settled. Frames, size and end are those of the inner body. By default, and where a call was rejected, it is
    /// empty, whether or not the inner body has a default.
    pub struct ResponseBody<B> {
        // None for a body of our own, which is empty.
        #[pin]
        inner: Option<B>,
        // Some until the call is settled.
        watch: Option<Watch>,
    }
}

/// What settles the call.
struct Watch {
    permit: Permit,
    /// invariant: some until the call is settled.
    at_end: Option<AtEnd>,
}

impl<B> ResponseBody<B> {
    pub(super) fn settled(inner: B) -> Self {
        Self { inner: Some(inner), watch: None }
    }

    pub(super) fn watched(inner: B, permit: Permit, at_end: AtEnd) -> Self {
        Self { inner: Some(inner), watch: Some(Watch { permit, at_end: Some(at_end) }) }
    }

    /// Settles the call now: what has been read shows how it ends, though the stream goes on.
    ///
    /// It does nothing where the call is settled already. An error event in a stream that stays open is such a case:
    ///
    /// ```
    /// use http_body_util::BodyExt;
    /// use tower_breaker::{Outcome, service::ResponseBody};
    ///
    /// async fn next(body: &mut ResponseBody<hyper::body::Incoming>) -> Option<bytes::Bytes> {
    ///     let data = body.frame().await?.ok()?.into_data().ok()?;
    ///     if data.starts_with(b"event: error") {
    ///         body.record(Outcome::failure());
    ///     }
    ///     Some(data)
    /// }
    /// ```
    pub fn record(&mut self, outcome: impl Into<Outcome>) {
        if let Some(mut watch) = self.watch.take() {
            watch.at_end = None;
            watch.permit.record_answer(outcome.into());
        }
    }

    /// Reports whether the call is settled; if not, the end of the body will settle it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.watch.is_none()
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let Some(watch) = this.watch else { return inner.poll_frame(cx) };
        let polled = watch.permit.guard(|| inner.as_mut().poll_frame(cx));
        let ending = match &polled {
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => Ending::Trailers(trailers),
                // Whoever sees this may not poll again.
                None if inner.is_end_stream() => Ending::Clean,
                None => return polled,
            },
            Poll::Ready(Some(Err(_))) => Ending::Broken,
            Poll::Ready(None) => Ending::Clean,
            Poll::Pending if watch.permit.has_lease() => {
                // All that came along with the head has been read. A stream must not hold a recovery up.
                watch.settle(Outcome::Success);
                *this.watch = None;
                return polled;
            }
            Poll::Pending => return polled,
        };
        watch.end(ending);
        *this.watch = None;
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Watch {
    #[inline(never)]
    fn end(&mut self, ending: Ending<'_>) {
        if let Some(at_end) = self.at_end.take() {
            let outcome = self.permit.guard(|| at_end.outcome(ending));
            self.permit.record_answer(outcome);
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        self.at_end = None;
        self.permit.record_answer(outcome);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A closure of the user's may panic; that the call failed is recorded then.
        let _ = catch_unwind(AssertUnwindSafe(|| self.end(Ending::Dropped)));
    }
}

/// The body of an answer of one's own: it belongs to no call.
impl<B> From<B> for ResponseBody<B> {
    fn from(inner: B) -> Self {
        Self::settled(inner)
    }
}

/// An empty body.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: None, watch: None }
    }
}

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("inner", &self.inner).field("settled", &self.is_settled()).finish()
    }
}
