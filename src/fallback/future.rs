//! The future of a call with a fallback.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{Plan, Source, When, counts::Place};
use crate::sync::Arc;

pin_project! {
    /// The response of a call, or that of its fallback.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call, or the fallback, which gives its place back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<C, P, D, G, A> {
        plan: Arc<P>,
        #[pin]
        state: State<C, D, G, A>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<C, D, G, A> {
        // Polling the inner call. What was drawn is some until it has ended.
        Called { #[pin] call: C, drawn: Option<D> },
        // Polling the fallback. What failed and the place are some until it has ended.
        FallingBack { #[pin] fallback: G, rest: Option<(A, Place)> },
    }
}

impl<C, P, D, G, A> ResponseFuture<C, P, D, G, A> {
    pub(super) fn new(call: C, drawn: D, plan: Arc<P>) -> Self {
        Self { plan, state: State::Called { call, drawn: Some(drawn) } }
    }
}

impl<C, F, W, D, Res, Err> Future for ResponseFuture<C, Plan<F, W>, D, F::Future, Result<Res, Err>>
where
    C: Future<Output = Result<Res, Err>>,
    F: Source<D, Res, Err>,
    W: When<Res, Err>,
{
    type Output = Result<F::Response, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Plan { source, when, limit, counts } = &**this.plan;
        loop {
            match this.state.as_mut().project() {
                StateProj::Called { call, drawn } => {
                    let result = ready!(call.poll(cx));
                    let drawn = drawn.take().expect("a future is not polled after it was ready");
                    if !when.is_due(&result) {
                        return Poll::Ready(result.map(|response| source.answered(Some(drawn), response)));
                    }
                    // What does not wait cannot pile up.
                    let Some(place) = counts.enter(if F::WAITS { *limit } else { usize::MAX }) else {
                        return Poll::Ready(result.map(|response| source.answered(None, response)));
                    };
                    let fallback = source.fall_back(drawn, &result);
                    this.state.set(State::FallingBack { fallback, rest: Some((result, place)) });
                }
                StateProj::FallingBack { fallback, rest } => {
                    let answer = ready!(fallback.poll(cx));
                    let (failed, place) = rest.take().expect("a future is not polled after it was ready");
                    return Poll::Ready(match answer {
                        Some(answer) => {
                            place.used();
                            Ok(source.fallen_back(answer, failed))
                        }
                        None => {
                            place.failed();
                            failed.map(|response| source.answered(None, response))
                        }
                    });
                }
            }
        }
    }
}

impl<C, P, D, G, A> fmt::Debug for ResponseFuture<C, P, D, G, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "called",
            State::FallingBack { .. } => "falling back",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
