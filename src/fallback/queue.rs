//! Queue for later: the order is taken down, and the caller is told so.

use std::{
    any::type_name,
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::sync::mpsc;

use super::source::{Draw, Sealed, Source};

/// Takes orders that could not be carried out, to be carried out later.
///
/// A bounded channel of tokio is one; it lives as long as the process. For what must survive that, put a file, a table or a
/// broker behind it:
///
/// ```
/// use std::{future::Future, pin::Pin};
/// use tower_breaker::fallback::Queue;
///
/// struct Outbox { /* a pool of connections */ }
///
/// impl Queue<String> for Outbox {
///     type Push = Pin<Box<dyn Future<Output = bool> + Send>>;
///
///     fn push(&self, order: String) -> Self::Push {
///         Box::pin(async move {
///             // INSERT INTO outbox VALUES (order)
///             !order.is_empty()
///         })
///     }
/// }
/// ```
///
/// Who takes the orders out must bear to see one twice: an attempt that ended with a timeout may have been carried out.
pub trait Queue<T> {
    /// Ends with whether the order was taken.
    type Push: Future<Output = bool>;

    /// Begins to push an order.
    fn push(&self, order: T) -> Self::Push;
}

/// Takes an order if there is room now.
impl<T> Queue<T> for mpsc::Sender<T> {
    type Push = Ready<bool>;

    fn push(&self, order: T) -> Ready<bool> {
        ready(self.try_send(order).is_ok())
    }
}

/// The order is put in a queue, see [`FallbackLayer::queue`](super::FallbackLayer::queue).
#[derive(Clone, Copy)]
pub struct Queued<D, Q, F> {
    pub(super) draw: D,
    pub(super) queue: Q,
    pub(super) answer: F,
}

impl<D, Q, F> Sealed for Queued<D, Q, F> {}

impl<D: Fn(&Req) -> T, Q, F, Req, T> Draw<Req> for Queued<D, Q, F> {
    type Drawn = T;

    fn draw(&self, request: &Req) -> T {
        (self.draw)(request)
    }
}

impl<D, Q, F, T, Res, Err> Source<T, Res, Err> for Queued<D, Q, F>
where
    Q: Queue<T>,
    F: Fn() -> Res + Clone,
{
    const WAITS: bool = true;
    type Response = Res;
    type Future = Pushing<Q::Push, F>;

    fn fall_back(&self, drawn: T, _: &Result<Res, Err>) -> Self::Future {
        Pushing { push: self.queue.push(drawn), answer: self.answer.clone() }
    }

    fn answered(&self, _: Option<T>, response: Res) -> Res {
        response
    }
}

pin_project! {
    /// Waits until a queue has taken an order.
    #[must_use = "futures do nothing unless polled"]
    pub struct Pushing<P, F> {
        #[pin]
        push: P,
        answer: F,
    }
}

impl<P: Future<Output = bool>, F: Fn() -> Res, Res> Future for Pushing<P, F> {
    type Output = Option<Res>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Res>> {
        let this = self.project();
        let taken = ready!(this.push.poll(cx));
        Poll::Ready(taken.then(this.answer))
    }
}

impl<P, F> fmt::Debug for Pushing<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushing").finish_non_exhaustive()
    }
}

impl<D, Q, F> fmt::Debug for Queued<D, Q, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queued").field(&format_args!("{}", type_name::<Q>())).finish()
    }
}
