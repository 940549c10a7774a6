//! The future of a call that may take so long.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::BoxError;

use super::TimedOut;
use crate::sync::Arc;

pin_project! {
    /// The response of a call that may take so long. See the [module docs](super) for an example.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call, as the end of its time does.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        call: F,
        // In place, so that nothing is allocated; it enters the timers when the call is pending.
        #[pin]
        end: Sleep,
        name: Arc<str>,
        limit: Duration,
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(super) fn new(call: F, end: Sleep, name: Arc<str>, limit: Duration) -> Self {
        Self { call, end, name, limit }
    }
}

impl<F, Res, Err> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, Err>>,
    Err: Into<BoxError>,
{
    type Output = Result<Res, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The call first: an answer that is there counts, however late it is looked at.
        if let Poll::Ready(answer) = this.call.poll(cx) {
            return Poll::Ready(answer.map_err(Into::into));
        }
        ready!(this.end.poll(cx));
        Poll::Ready(Err(TimedOut::new(Arc::clone(this.name), *this.limit).into()))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("name", &self.name).field("limit", &self.limit).finish_non_exhaustive()
    }
}
