//! A body that is copied while it is read, or that was.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::cache::Draft;

pin_project! {
    /// The body of a fresh answer, copied while it is read; or that of an earlier one.
    ///
    /// Nothing is read ahead, and a reader who stops before the end leaves nothing behind.
    pub struct StaleBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        // Some while the copy can still become whole.
        Fresh { #[pin] body: B, copy: Option<Box<Draft>> },
        // Some until it is read.
        Stale { body: Option<Bytes> },
    }
}

impl<B: Body> StaleBody<B> {
    pub(super) fn fresh(body: B, copy: Option<Box<Draft>>) -> Self {
        let mut copy = copy.and_then(|copy| copy.expect(body.size_hint().lower()));
        if body.is_end_stream() {
            keep(&mut copy);
        }
        Self { kind: Kind::Fresh { body, copy } }
    }
}

impl<B> StaleBody<B> {
    pub(super) fn stale(body: Bytes) -> Self {
        Self { kind: Kind::Stale { body: Some(body).filter(|body| !body.is_empty()) } }
    }

    /// Reports whether this is the body of an earlier answer.
    pub fn is_stale(&self) -> bool {
        matches!(self.kind, Kind::Stale { .. })
    }
}

/// Keeps a copy that is whole, if there is one.
fn keep(copy: &mut Option<Box<Draft>>) {
    if let Some(copy) = copy.take() {
        copy.keep();
    }
}

impl<B: Body> Body for StaleBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (mut body, copy) = match self.project().kind.project() {
            KindProj::Fresh { body, copy } => (body, copy),
            KindProj::Stale { body } => return Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        };
        let frame = match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Some(Err(error)) => {
                *copy = None;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                keep(copy);
                return Poll::Ready(None);
            }
        };
        let fits = match frame.data_ref() {
            Some(data) => copy.as_mut().is_some_and(|copy| copy.add(data)),
            // Trailers: they would have to be kept too.
            None => false,
        };
        if !fits {
            *copy = None;
        } else if body.is_end_stream() {
            // Who knows that this is the end does not ask once more.
            keep(copy);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Fresh { body, .. } => body.is_end_stream(),
            Kind::Stale { body } => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Fresh { body, .. } => body.size_hint(),
            Kind::Stale { body } => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
        }
    }
}

impl<B> fmt::Debug for StaleBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaleBody").field("is_stale", &self.is_stale()).finish_non_exhaustive()
    }
}
