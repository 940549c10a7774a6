//! Bodies that can be sent again: those that are `Clone`, and streams that are kept while they are short.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use crate::sync::{Arc, Mutex};

/// A body that may be sent more than once.
///
/// Every body that is `Clone` is one; a stream becomes one by [`ReplayBody`].
pub trait Replay: Sized {
    /// Returns the same body from its beginning; none if it can be sent once only.
    fn replay(&self) -> Option<Self>;

    /// Reports whether this copy is still the whole body: a stream may have turned out to be too long to keep.
    fn is_whole(&self) -> bool {
        true
    }
}

impl<B: Clone> Replay for B {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// Keeps what a streaming body has sent, up to a limit, so that it can be sent again.
///
/// A body that is longer than the limit is sent once: if it says so beforehand nothing is kept, else what was kept is given up
/// when the limit is passed. Nothing is read ahead; another attempt is sent what there is and reads on from there, while the
/// body of the attempt before ends with an error, so that no abandoned upload goes on. Trailers are sent again too.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Full;
/// use tower::ServiceBuilder;
/// use tower_breaker::retry::ReplayBody;
///
/// // 64 KiB, as linkerd.
/// let keep = |request: Request<Full<Bytes>>| request.map(|body| ReplayBody::new(body, 65_536));
/// let chain = ServiceBuilder::new().map_request(keep); // outside the `RetryLayer`
/// ```
///
/// It allocates a few times when it is made, and shares the chunks that it keeps with those that it sends.
pub struct ReplayBody<B> {
    shared: Arc<Mutex<Shared<B>>>,
    /// Copies are numbered, so that the newest that is read has the stream.
    copy: u64,
    /// How many of the kept chunks this copy has sent.
    sent: usize,
    sent_bytes: u64,
    sent_trailers: bool,
    /// Whether this copy goes on though nothing is kept any more.
    goes_on: bool,
}

struct Shared<B> {
    source: Source<B>,
    /// What has come, in order, while `is_whole`.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    limit: usize,
    trailers: Option<HeaderMap>,
    /// Whether another copy could send all of it.
    is_whole: bool,
    /// What the body said of its length before it was read: at least, at most.
    length: (u64, Option<u64>),
    is_empty: bool,
    copies: u64,
    /// The copy that reads the source; those before it are abandoned.
    reader: u64,
    /// Who waits for the source, or for the copy that is polling it just now.
    waker: Option<Waker>,
}

enum Source<B> {
    /// It has failed, or panicked.
    Broken,
    Ended,
    Here(Pin<Box<B>>),
    /// A copy is polling it, outside the lock.
    Lent,
}

impl<B> ReplayBody<B>
where
    B: Body,
{
    /// Wraps a body and keeps at most `limit` bytes of it.
    #[must_use]
    pub fn new(body: B, limit: usize) -> Self {
        let hint = body.size_hint();
        let fits = usize::try_from(hint.lower()).is_ok_and(|least| least <= limit);
        let shared = Shared {
            is_empty: body.is_end_stream(),
            source: Source::Here(Box::pin(body)),
            kept: Vec::new(),
            kept_bytes: 0,
            limit,
            trailers: None,
            is_whole: fits,
            length: (hint.lower(), hint.upper()),
            copies: 0,
            reader: 0,
            waker: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        Self { shared, copy: 0, sent: 0, sent_bytes: 0, sent_trailers: false, goes_on: !fits }
    }
}

/// Not by `Clone`: there is no copy of a body that is too long.
impl<B> Replay for ReplayBody<B> {
    fn replay(&self) -> Option<Self> {
        let mut shared = self.shared.lock();
        if !shared.is_whole {
            return None;
        }
        shared.copies += 1;
        let copy = shared.copies;
        drop(shared);
        let shared = Arc::clone(&self.shared);
        Some(Self { shared, copy, sent: 0, sent_bytes: 0, sent_trailers: false, goes_on: false })
    }

    fn is_whole(&self) -> bool {
        self.shared.lock().is_whole
    }
}

const ABANDONED: &str = "another attempt has taken over the body of this one";

type Polled<D> = Poll<Option<Result<Frame<D>, BoxError>>>;

/// What a copy does next; decided under the lock and done outside it, since the source is the user's.
enum Next<B> {
    Poll(Pin<Box<B>>),
    Send(Option<Frame<Bytes>>),
    Stop(&'static str),
    Wait,
}

impl<B> ReplayBody<B> {
    fn next(&mut self, cx: &Context<'_>) -> (Next<B>, Option<Waker>) {
        // Wakers and chunks are the user's: they are cloned and dropped outside the lock, which is given back before them.
        let waker = cx.waker().clone();
        let _old;
        let mut shared = self.shared.lock();
        if self.copy < shared.reader {
            return (Next::Stop(ABANDONED), None);
        }
        let mut abandoned = None;
        if self.copy > shared.reader {
            shared.reader = self.copy;
            abandoned = shared.waker.take();
        }
        let next = if !shared.is_whole && !self.goes_on {
            Next::Stop("the body cannot be sent again: it was too long to keep, or it has failed")
        } else if let Some(chunk) = shared.kept.get(self.sent) {
            self.sent += 1;
            self.sent_bytes += chunk.len() as u64;
            Next::Send(Some(Frame::data(chunk.clone())))
        } else {
            match std::mem::replace(&mut shared.source, Source::Lent) {
                Source::Here(source) => Next::Poll(source),
                Source::Lent => {
                    _old = shared.waker.replace(waker);
                    Next::Wait
                }
                Source::Ended => {
                    shared.source = Source::Ended;
                    let trailers = if self.sent_trailers { None } else { shared.trailers.clone() };
                    self.sent_trailers = true;
                    Next::Send(trailers.map(Frame::trailers))
                }
                Source::Broken => {
                    shared.source = Source::Broken;
                    Next::Stop("the body has failed before")
                }
            }
        };
        (next, abandoned)
    }
}

impl<B: Body> ReplayBody<B> {
    /// Puts the source back, with what it has given, and returns who else waits for it.
    fn put_back(
        &mut self,
        source: Pin<Box<B>>,
        polled: Polled<B::Data>,
        cx: &Context<'_>,
    ) -> (Polled<Bytes>, Option<Waker>) {
        // Before the lock: a buffer is the user's too.
        let polled = polled.map(|next| {
            next.map(|frame| Ok::<_, BoxError>(frame?.map_data(|mut data| data.copy_to_bytes(data.remaining()))))
        });
        let waker = polled.is_pending().then(|| cx.waker().clone());
        let _old;
        let _given_up;
        let mut shared = self.shared.lock();
        let superseded = shared.reader > self.copy;
        match &polled {
            Poll::Pending => {
                shared.source = Source::Here(source);
                if superseded {
                    // Nobody would wake it.
                    return (Poll::Ready(Some(Err(ABANDONED.into()))), shared.waker.take());
                }
                _old = std::mem::replace(&mut shared.waker, waker);
            }
            Poll::Ready(None) => {
                self.sent_trailers = true;
                shared.source = Source::Ended;
            }
            Poll::Ready(Some(Err(_))) => {
                shared.source = Source::Broken;
                shared.is_whole = false;
            }
            Poll::Ready(Some(Ok(frame))) => {
                shared.source = Source::Here(source);
                if let Some(chunk) = frame.data_ref() {
                    self.sent_bytes += chunk.len() as u64;
                    _given_up = shared.keep(chunk);
                    self.goes_on |= !shared.is_whole;
                    self.sent += usize::from(shared.is_whole);
                } else if let Some(trailers) = frame.trailers_ref() {
                    shared.trailers = Some(trailers.clone());
                    shared.source = Source::Ended;
                    self.sent_trailers = true;
                }
            }
        }
        (polled, if superseded { shared.waker.take() } else { None })
    }
}

impl<B> Shared<B> {
    /// Keeps a chunk if there is room; else returns what was kept, to be given up.
    fn keep(&mut self, chunk: &Bytes) -> Vec<Bytes> {
        self.kept_bytes = self.kept_bytes.saturating_add(chunk.len());
        if self.is_whole && self.kept_bytes <= self.limit {
            self.kept.push(chunk.clone());
            return Vec::new();
        }
        self.is_whole = false;
        std::mem::take(&mut self.kept)
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<Bytes> {
        let this = self.get_mut();
        let (next, abandoned) = this.next(cx);
        if let Some(waker) = abandoned {
            waker.wake();
        }
        let mut source = match next {
            Next::Poll(source) => source,
            Next::Send(frame) => return Poll::Ready(frame.map(Ok)),
            Next::Stop(why) => return Poll::Ready(Some(Err(why.into()))),
            Next::Wait => return Poll::Pending,
        };
        let loan = Loan(&this.shared);
        let polled = source.as_mut().poll_frame(cx).map(|next| next.map(|frame| frame.map_err(Into::into)));
        std::mem::forget(loan);
        let (polled, waiting) = this.put_back(source, polled, cx);
        if let Some(waker) = waiting {
            waker.wake();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.shared.lock();
        let is_through = matches!(shared.source, Source::Ended)
            && self.sent >= shared.kept.len()
            && (self.sent_trailers || shared.trailers.is_none());
        shared.is_empty || is_through
    }

    fn size_hint(&self) -> SizeHint {
        let (lower, upper) = self.shared.lock().length;
        let mut left = SizeHint::new();
        left.set_lower(lower.saturating_sub(self.sent_bytes));
        if let Some(upper) = upper {
            left.set_upper(upper.saturating_sub(self.sent_bytes));
        }
        left
    }
}

/// Marks the source as broken if its poll panics, so that no other copy waits for it for ever.
struct Loan<'a, B>(&'a Mutex<Shared<B>>);

impl<B> Drop for Loan<'_, B> {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.source = Source::Broken;
        shared.is_whole = false;
        let waiting = shared.waker.take();
        drop(shared);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody").field("copy", &self.copy).field("sent", &self.sent_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
