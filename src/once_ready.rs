//! A call to a service that need not be ready yet: its readiness is part of the call.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// Waits until a service is ready and calls it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives back what the readiness reserves, or drops the call.
    //
    // The bound spares two parameters, for the future and the error.
    #[must_use = "futures do nothing unless polled"]
    pub struct OnceReady<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req>
    where
        S: Service<Req>,
    {
        // Some until it is taken.
        Broken { error: Option<S::Error> },
        Called { #[pin] call: S::Future },
        // Some until the service is called.
        Waiting { service: S, request: Option<Req> },
    }
}

impl<S: Service<Req>, Req> OnceReady<S, Req> {
    /// Calls a service of which no readiness was asked.
    ///
    /// One that is ready now is called now, and neither cloned nor moved. One that is not goes along with the future, since it
    /// may have a place in some line by now, and leaves a clone of itself behind.
    #[inline]
    pub(crate) fn call(service: &mut S, request: Req) -> Self
    where
        S: Clone,
    {
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called { call: service.call(request) },
            Poll::Ready(Err(error)) => State::Broken { error: Some(error) },
            Poll::Pending => {
                let clone = service.clone();
                State::Waiting { service: mem::replace(service, clone), request: Some(request) }
            }
        };
        Self { state }
    }

    /// Calls a service that goes along with the future.
    pub(crate) fn wait(service: S, request: Req) -> Self {
        Self { state: State::Waiting { service, request: Some(request) } }
    }
}

impl<S: Service<Req>, Req> Future for OnceReady<S, Req> {
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let call = match state.as_mut().project() {
                StateProj::Broken { error } => return Poll::Ready(Err(error.take().expect(ONCE))),
                StateProj::Called { call } => return call.poll(cx),
                StateProj::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    service.call(request.take().expect(ONCE))
                }
            };
            state.set(State::Called { call });
        }
    }
}

const ONCE: &str = "a future is not polled after it was ready";

impl<S: Service<Req>, Req> fmt::Debug for OnceReady<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Broken { .. } => "broken",
            State::Called { .. } => "called",
            State::Waiting { .. } => "waiting",
        };
        f.debug_struct("OnceReady").field("state", &state).finish_non_exhaustive()
    }
}
