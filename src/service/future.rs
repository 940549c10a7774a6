//! The future of a guarded call.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::Judge;
use crate::circuit::Permit;

pin_project! {
    /// The response of a guarded call, or the answer to a rejected one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call, which is cancelled then; see [`Permit`] for what that means to the circuit.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, J, A> {
        #[pin]
        state: State<F, J, A>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, J, A> {
        // Polling the inner call.
        Called { #[pin] call: F, permit: Permit, judge: J },
        // The answer to a rejected call, some until it is taken.
        Rejected { answer: Option<A> },
    }
}

impl<F, J, A> ResponseFuture<F, J, A> {
    /// Makes the call. A panic of it is a failure.
    #[inline]
    pub(super) fn call<S, Req>(inner: &mut S, request: Req, mut permit: Permit, judge: J) -> Self
    where
        S: Service<Req, Future = F>,
    {
        // A closure would copy the request once more.
        let step = permit.begin_step();
        let call = inner.call(request);
        step.end();
        Self { state: State::Called { call, permit, judge } }
    }

    pub(super) fn rejected(answer: A) -> Self {
        Self { state: State::Rejected { answer: Some(answer) } }
    }
}

impl<F, J, Res, Err> Future for ResponseFuture<F, J, Result<J::Response, J::Error>>
where
    F: Future<Output = Result<Res, Err>>,
    J: Judge<Res, Err>,
{
    type Output = Result<J::Response, J::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (call, permit, judge) = match self.project().state.project() {
            StateProj::Called { call, permit, judge } => (call, permit, judge),
            StateProj::Rejected { answer } => {
                return Poll::Ready(answer.take().expect("a future is not polled after it was ready"));
            }
        };
        match ready!(permit.guard(|| call.poll(cx))) {
            // Settled here, not when the future is dropped: a caller may keep it.
            Ok(response) => Poll::Ready(Ok(judge.answered(permit, response))),
            Err(error) => Poll::Ready(Err(failed(permit, judge, error))),
        }
    }
}

/// Settles a call that ended with an error. A function of its own, so that nothing is kept ready for it on the way of the
/// others.
#[inline(never)]
fn failed<J: Judge<Res, Err>, Res, Err>(permit: &mut Permit, judge: &J, error: Err) -> J::Error {
    let outcome = permit.guard(|| judge.classify_error(&error));
    permit.record_unanswered(outcome);
    judge.map_err(error)
}

impl<F, J, A> fmt::Debug for ResponseFuture<F, J, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "called",
            State::Rejected { .. } => "rejected",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
