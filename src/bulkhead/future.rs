//! The future of a call that needs a place.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::BoxError;
use tower_service::Service;

use super::{Place, line::Turn};
use crate::{once_ready::OnceReady, overloaded::Overloaded};

pin_project! {
    /// The response of a call that has to have a place first. See the [module docs](super) for an example.
    ///
    /// # Cancel safety
    ///
    /// Who is dropped leaves the queue, or gives the place back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req>
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
        // Under way. The place is given back with the answer, since a caller may keep the future.
        Entered { #[pin] call: OnceReady<S, Req>, place: Option<Place> },
        // In the queue. Some until it is left.
        InTurn { turn: Turn, waiting: Option<(S, Req)> },
        // Turned away. Some until it is taken.
        Shed { error: Option<Overloaded> },
    }
}

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    #[inline]
    pub(super) fn entered(call: OnceReady<S, Req>, place: Place) -> Self {
        Self { state: State::Entered { call, place: Some(place) } }
    }

    pub(super) fn in_turn(turn: Turn, service: S, request: Req) -> Self {
        Self { state: State::InTurn { turn, waiting: Some((service, request)) } }
    }

    pub(super) fn shed(error: Overloaded) -> Self {
        Self { state: State::Shed { error: Some(error) } }
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let (place, (service, request)) = match state.as_mut().project() {
                StateProj::Entered { call, place } => {
                    let answer = ready!(call.poll(cx));
                    *place = None;
                    return Poll::Ready(answer.map_err(Into::into));
                }
                StateProj::InTurn { turn, waiting } => {
                    (ready!(turn.as_mut().poll(cx))?, waiting.take().expect("it is taken with its turn"))
                }
                StateProj::Shed { error } => {
                    let error = error.take().expect("a future is not polled after it was ready");
                    return Poll::Ready(Err(error.into()));
                }
            };
            let call = OnceReady::wait(service, request);
            state.set(State::Entered { call, place: Some(place) });
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Entered { .. } => "entered",
            State::InTurn { .. } => "in turn",
            State::Shed { .. } => "shed",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
