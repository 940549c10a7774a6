//! Reads the rest of an answer that is given up, so that its connection can be used again.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tower::retry::Policy;

/// A policy that reads the answers which another policy gives up, while it waits for the next attempt.
///
/// tower drops such an answer unread. A small body has mostly arrived by then, but where it has not, an HTTP/1 connection must be
/// closed, in the very moment in which the server is in trouble: an error page of 300 kB costs a connection for each attempt.
///
/// At most `limit` bytes are read, and only until the wait is over: nothing is spawned, and no attempt is delayed.
///
/// The body must be `Default`, since tower lends the answer and takes it back: axum's, tonic's and `BoxBody` are, hyper's
/// `Incoming` is not.
///
/// ```
/// use axum::body::Body;
/// use http::Response;
/// use hyper::body::Incoming;
/// use tower::{ServiceBuilder, retry::RetryLayer};
/// use tower_breaker::retry::{Drain, HttpRetry, Retries};
///
/// let policy = Drain::new(HttpRetry::new(Retries::builder().build()?), 1 << 20);
/// let chain = ServiceBuilder::new()
///     .layer(RetryLayer::new(policy))
///     .map_response(|response: Response<Incoming>| response.map(Body::new));
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until a `RetryLayer` has it"]
pub struct Drain<P> {
    policy: P,
    limit: usize,
}

impl<P> Drain<P> {
    /// Reads at most `limit` bytes of each answer that `policy` gives up.
    pub const fn new(policy: P, limit: usize) -> Self {
        Self { policy, limit }
    }
}

impl<P, Req, B, E> Policy<Req, Response<B>, E> for Drain<P>
where
    P: Policy<Req, Response<B>, E>,
    B: Body + Default,
{
    type Future = Draining<P::Future, B>;

    fn retry(&mut self, request: &mut Req, result: &mut Result<Response<B>, E>) -> Option<Self::Future> {
        let wait = self.policy.retry(request, result)?;
        let body = result.as_mut().ok().map(|response| mem::take(response.body_mut()));
        Some(Draining { wait, body, left: self.limit })
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        self.policy.clone_request(request)
    }
}

pin_project! {
    /// Waits for the next attempt and reads meanwhile. See [`Drain`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Draining<F, B> {
        #[pin]
        wait: F,
        #[pin]
        body: Option<B>,
        left: usize,
    }
}

impl<F: Future<Output = ()>, B: Body> Future for Draining<F, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while let Some(body) = this.body.as_mut().as_pin_mut() {
            let left = match body.poll_frame(cx) {
                Poll::Pending => break,
                // One at least, so that no run of empty frames is read for ever.
                Poll::Ready(Some(Ok(frame))) => {
                    this.left.checked_sub(frame.data_ref().map_or(1, |data| data.remaining().max(1)))
                }
                Poll::Ready(None | Some(Err(_))) => None,
            };
            match left {
                Some(left) => *this.left = left,
                None => this.body.set(None),
            }
        }
        this.wait.poll(cx)
    }
}
