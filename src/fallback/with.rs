//! Answers that are there, that a closure makes, or that another service gives.

use std::{
    any::type_name,
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use super::source::{Draw, Failed, Sealed, Source};

/// The same answer each time, see [`FallbackLayer::value`](super::FallbackLayer::value).
#[derive(Clone, Copy, Debug)]
pub struct Value<V>(pub(super) V);

/// An answer that a closure makes, see [`FallbackLayer::from_fn`](super::FallbackLayer::from_fn).
#[derive(Clone, Copy)]
pub struct FromFn<D, F> {
    pub(super) draw: D,
    pub(super) answer: F,
}

/// An answer that an async function makes, see [`FallbackLayer::from_async`](super::FallbackLayer::from_async).
#[derive(Clone, Copy)]
pub struct FromAsync<D, F> {
    pub(super) draw: D,
    pub(super) answer: F,
}

/// The answer of another service, see [`FallbackLayer::service`](super::FallbackLayer::service).
#[derive(Clone, Copy)]
pub struct FromService<D, S> {
    pub(super) draw: D,
    pub(super) other: S,
}

impl<V> Sealed for Value<V> {}
impl<D, F> Sealed for FromFn<D, F> {}
impl<D, F> Sealed for FromAsync<D, F> {}
impl<D, S> Sealed for FromService<D, S> {}

impl<V, Req> Draw<Req> for Value<V> {
    type Drawn = ();

    fn draw(&self, _: &Req) {}
}

impl<V: Clone, Err> Source<(), V, Err> for Value<V> {
    const WAITS: bool = false;
    type Response = V;
    type Future = Ready<Option<V>>;

    fn fall_back(&self, (): (), _: &Result<V, Err>) -> Self::Future {
        ready(Some(self.0.clone()))
    }

    fn answered(&self, _: Option<()>, response: V) -> V {
        response
    }
}

impl<D: Fn(&Req) -> T, F, Req, T> Draw<Req> for FromFn<D, F> {
    type Drawn = T;

    fn draw(&self, request: &Req) -> T {
        (self.draw)(request)
    }
}

impl<D, F, T, Res, Err: 'static> Source<T, Res, Err> for FromFn<D, F>
where
    F: Fn(T, Failed<'_>) -> Res,
{
    const WAITS: bool = false;
    type Response = Res;
    type Future = Ready<Option<Res>>;

    fn fall_back(&self, drawn: T, failed: &Result<Res, Err>) -> Self::Future {
        ready(Some((self.answer)(drawn, Failed::new(failed))))
    }

    fn answered(&self, _: Option<T>, response: Res) -> Res {
        response
    }
}

impl<D: Fn(&Req) -> T, F, Req, T> Draw<Req> for FromAsync<D, F> {
    type Drawn = T;

    fn draw(&self, request: &Req) -> T {
        (self.draw)(request)
    }
}

impl<D, F, T, Fut, Res, Err: 'static> Source<T, Res, Err> for FromAsync<D, F>
where
    F: Fn(T, Failed<'_>) -> Fut,
    Fut: Future<Output = Option<Res>>,
{
    const WAITS: bool = true;
    type Response = Res;
    type Future = Fut;

    fn fall_back(&self, drawn: T, failed: &Result<Res, Err>) -> Fut {
        (self.answer)(drawn, Failed::new(failed))
    }

    fn answered(&self, _: Option<T>, response: Res) -> Res {
        response
    }
}

impl<D: Fn(&Req) -> T, S, Req, T> Draw<Req> for FromService<D, S> {
    type Drawn = T;

    fn draw(&self, request: &Req) -> T {
        (self.draw)(request)
    }
}

impl<D, S, T, Res, Err> Source<T, Res, Err> for FromService<D, S>
where
    S: Service<T, Response = Res> + Clone,
{
    const WAITS: bool = true;
    type Response = Res;
    type Future = Asking<S, T>;

    fn fall_back(&self, drawn: T, _: &Result<Res, Err>) -> Self::Future {
        Asking { call: Oneshot::new(self.other.clone(), drawn) }
    }

    fn answered(&self, _: Option<T>, response: Res) -> Res {
        response
    }
}

pin_project! {
    /// Waits for the answer of another service, and has none if that fails.
    #[must_use = "futures do nothing unless polled"]
    pub struct Asking<S: Service<T>, T> {
        #[pin]
        call: Oneshot<S, T>,
    }
}

impl<S: Service<T>, T> Future for Asking<S, T> {
    type Output = Option<S::Response>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx).map(Result::ok)
    }
}

impl<S: Service<T>, T> fmt::Debug for Asking<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("service", &format_args!("{}", type_name::<S>())).finish_non_exhaustive()
    }
}

impl<D, F> fmt::Debug for FromFn<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

impl<D, F> fmt::Debug for FromAsync<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromAsync").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

impl<D, S: fmt::Debug> fmt::Debug for FromService<D, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromService").field(&self.other).finish()
    }
}
