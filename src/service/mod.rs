//! Middleware that stops calling a service that fails or is too slow.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use http::{Request, Response, StatusCode};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::{Circuit, CircuitBreakerLayer, Config, Rejected, config::Consecutive};
//!
//! let config = Config::new().consecutive_failures(Consecutive::new(3));
//! let circuit = Circuit::builder("payments").config(config).build()?;
//! let mut service = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(circuit.clone()))
//!     .service(service_fn(|_: Request<()>| async {
//!         Response::builder().status(StatusCode::BAD_GATEWAY).body(())
//!     }));
//!
//! for _ in 0..3 {
//!     let response = service.ready().await?.call(Request::new(())).await?;
//!     assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
//! }
//! let error = service.ready().await?.call(Request::new(())).await.unwrap_err();
//! assert_eq!(Rejected::find(&*error).unwrap().circuit(), "payments");
//! # Ok(()) }
//! ```
//!
//! On a server a rejection should be a response, which leaves the error type alone:
//!
//! ```
//! use tower_breaker::{Circuit, CircuitBreakerLayer};
//!
//! let circuit = Circuit::builder("handlers").build()?;
//! let layer = CircuitBreakerLayer::new(circuit).reply_503(); // axum: Router::layer(layer)
//! # Ok::<(), tower_breaker::ConfigError>(())
//! ```
//!
//! # Readiness
//!
//! A rejection happens in `call`, never in `poll_ready`: an error there would kill a `Buffer` for good. While the circuit
//! is open, `poll_ready` is ready without asking the inner service, so that a dead dependency that is never ready is
//! not waited for and nothing below is reserved; the call that is a probe asks it. A caller that waits in `poll_ready` for a busy inner service is woken
//! when the circuit opens, and is rejected by its `call`; while it is open or half-open nobody waits there. No probe is
//! held between the two.
//!
//! An error of the inner `poll_ready` is a failure of the dependency and goes on to the caller.
//!
//! A handle that was ready and whose call is then rejected keeps the readiness of the inner service for its next call, and
//! with it what that reserves (a place in a concurrency limit). Call again or drop the handle; `oneshot` and axum do.

mod backpressure;
#[cfg(feature = "http")]
mod body;
#[cfg(feature = "http")]
mod end_of_body;
mod future;
#[cfg(feature = "keyed")]
mod key;
#[cfg(all(feature = "http", feature = "keyed"))]
mod key_http;
#[cfg(feature = "keyed")]
mod keyed;
mod layer;
#[cfg(feature = "balance")]
mod load;
#[cfg(feature = "reqwest")]
mod over_reqwest;
mod policy;
#[cfg(feature = "http")]
mod presets;
mod reject;
#[cfg(feature = "http")]
mod reply_503;
#[cfg(feature = "grpc")]
mod reply_grpc;
mod unready;

#[cfg(all(feature = "http", feature = "keyed"))]
pub use self::key_http::{ByHeader, ByHost, by_header, by_host};
#[cfg(feature = "stack")]
pub(crate) use self::reply_503::unavailable;
#[cfg(feature = "grpc")]
pub use self::reply_grpc::ReplyGrpc;
pub use self::{
    backpressure::{Backpressure, BackpressureLayer},
    future::ResponseFuture,
    layer::CircuitBreakerLayer,
    policy::{AtHead, Boxed, Judge, Judged, MapErr, Over, Policy, Single, Unchanged},
    reject::{Fail, FailWith, Reject, ReplyWith},
};
#[cfg(feature = "http")]
pub use self::{body::ResponseBody, end_of_body::EndOfBody, reply_503::Reply503};

#[cfg(feature = "balance")]
pub use self::load::BreakerLoad;
#[cfg(feature = "keyed")]
pub use self::{
    key::{DrawKey, KeyFn, KeyRefFn, key_fn, key_ref_fn},
    keyed::{Keyed, KeyedCircuitBreaker, KeyedCircuitBreakerLayer},
};

use std::{
    fmt,
    task::{Context, Poll, ready},
};

use tower_service::Service;

use crate::circuit::{Circuit, Permit, Waiter, Word};

/// The error of a guarded service whose rejections are errors: boxed, as in tower.
pub type BoxError = tower::BoxError;

/// A service behind a circuit. See the [module docs](self) for an example.
pub struct CircuitBreaker<S, P> {
    inner: S,
    policy: P,
    readiness: Readiness,
    /// Some while the inner service is not ready and the caller waits.
    waiter: Option<Waiter>,
}

/// What `poll_ready` has promised since the last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// Nothing.
    None,
    /// That a call can be made, since it would have been rejected: the inner service was not asked. A promise stands,
    /// so `poll_ready` does not become pending again.
    Outer,
    /// That a call can be made, and the inner service has said so too.
    Inner,
}

impl<S, P> CircuitBreaker<S, P> {
    pub(super) fn new(inner: S, policy: P) -> Self {
        Self { inner, policy, readiness: Readiness::None, waiter: None }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service. What is called by this way is not guarded.
    ///
    /// A readiness that was given is forgotten, since a call by this way would use it up.
    pub fn get_mut(&mut self) -> &mut S {
        self.readiness = Readiness::None;
        &mut self.inner
    }

    /// Returns the inner service and drops the guard.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, R, W> CircuitBreaker<S, Single<C, R, W>> {
    /// Returns the circuit.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.policy.circuit
    }
}

impl<S, P> CircuitBreaker<S, P> {
    /// Makes a call for which the inner service is ready.
    #[inline]
    fn call_ready<Req>(&mut self, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        // Decided here, not when readiness was asked for: that may be long ago.
        match self.policy.circuit().enter() {
            Some(permit) => self.start(permit, request),
            None => self.call_closely(request),
        }
    }

    #[inline(never)]
    fn call_closely<Req>(&mut self, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        match self.policy.circuit().look_closer() {
            Ok(permit) => self.start(permit, request),
            Err(rejected) => ResponseFuture::rejected(self.policy.reject(request, rejected)),
        }
    }

    #[inline]
    fn start<Req>(&mut self, permit: Permit, request: Req) -> FutureOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        self.readiness = Readiness::None;
        ResponseFuture::call(&mut self.inner, request, permit, self.policy.judge())
    }

    /// Asks the inner service for readiness; its error is a failure, and so is its panic.
    fn poll_inner<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorOf<S, P, Req>>>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        match ready!(self.policy.circuit().guard(|| self.inner.poll_ready(cx))) {
            Ok(()) => {
                self.readiness = Readiness::Inner;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.readiness_failed(error))),
        }
    }

    #[inline(never)]
    fn readiness_failed<Req>(&self, error: S::Error) -> ErrorOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        self.failed_unready(self.policy.circuit().try_acquire().ok(), error)
    }

    fn failed_unready<Req>(&self, permit: Option<Permit>, error: S::Error) -> ErrorOf<S, P, Req>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        let judge = self.policy.judge();
        // No permit, no record: the circuit listens to nobody now.
        if let Some(mut permit) = permit {
            permit.record_unanswered(judge.classify_error(&error));
        }
        judge.map_err(error)
    }

    /// Promises that a call can be made, if the circuit is open: a dead dependency may never be ready, and what is below must
    /// not be reserved in vain.
    ///
    /// Like [`CircuitBreaker::poll_ready`] itself it is shaped by what the compiler makes of it, see `benches/instructions`.
    #[cold]
    #[inline(never)]
    fn promises_at_once(&mut self, word: Word) -> bool {
        let promises = self.waiter.is_none() && word.waits();
        if promises {
            self.readiness = Readiness::Outer;
        }
        promises
    }

    /// Asks an inner service once more that was ready already: balancers do so before each call, to hear that a connection is
    /// dead. It cannot take its readiness back but by an error.
    #[cold]
    #[inline(never)]
    fn poll_again<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorOf<S, P, Req>>>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        // Nobody is asked who would not be called.
        let passes = self.policy.circuit().wants_readiness();
        let answer = if passes { self.policy.circuit().guard(|| self.inner.poll_ready(cx)) } else { Poll::Pending };
        match answer {
            Poll::Ready(Err(error)) => {
                self.readiness = Readiness::None;
                Poll::Ready(Err(self.readiness_failed(error)))
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    /// Readiness where it is not as simple as asking the inner service.
    #[inline(never)]
    fn poll_unready<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorOf<S, P, Req>>>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        if self.readiness == Readiness::Inner {
            return self.poll_again(cx);
        }
        if !self.policy.circuit().wants_readiness() {
            return self.promise();
        }
        match self.poll_inner(cx) {
            Poll::Ready(result) => {
                self.waiter = None;
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    /// Waits for the inner service, unless the circuit opens meanwhile.
    #[inline(never)]
    fn wait<Req>(&mut self, cx: &Context<'_>) -> Poll<Result<(), ErrorOf<S, P, Req>>>
    where
        S: Service<Req>,
        P: Policy<Req, S::Response, S::Error>,
    {
        // A probe does not wait: a dead dependency may never be ready, and nobody would be told.
        if self.readiness == Readiness::None && !self.policy.circuit().is_probing() {
            self.waiter.get_or_insert_with(|| self.policy.circuit().waiter()).register(cx);
            // Looked at again after the registration, so that no opening is slept through.
            if self.policy.circuit().wants_readiness() {
                return Poll::Pending;
            }
        }
        self.promise()
    }

    /// Promises that a call can be made, though the inner service has not said so.
    fn promise<E>(&mut self) -> Poll<Result<(), E>> {
        self.waiter = None;
        self.readiness = Readiness::Outer;
        Poll::Ready(Ok(()))
    }
}

type FutureOf<S, P, Req> =
    ResponseFuture<<S as Service<Req>>::Future, JudgeOf<S, P, Req>, Result<AnswerOf<S, P, Req>, ErrorOf<S, P, Req>>>;
type AnswerOf<S, P, Req> =
    <JudgeOf<S, P, Req> as Judge<<S as Service<Req>>::Response, <S as Service<Req>>::Error>>::Response;
type ErrorOf<S, P, Req> =
    <JudgeOf<S, P, Req> as Judge<<S as Service<Req>>::Response, <S as Service<Req>>::Error>>::Error;
type JudgeOf<S, P, Req> = <P as Policy<Req, <S as Service<Req>>::Response, <S as Service<Req>>::Error>>::Judge;

impl<S, P, Req> Service<Req> for CircuitBreaker<S, P>
where
    S: Service<Req>,
    P: Policy<Req, S::Response, S::Error>,
{
    type Response = AnswerOf<S, P, Req>;
    type Error = ErrorOf<S, P, Req>;
    type Future = FutureOf<S, P, Req>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let word = self.policy.circuit().word();
        let was_ready = self.readiness == Readiness::Inner;
        let asks_below = !was_ready && self.waiter.is_none() && word.passes();
        if !asks_below && !was_ready && self.promises_at_once(word) {
            return Poll::Ready(Ok(()));
        }
        if !asks_below {
            return self.poll_unready(cx);
        }
        match self.policy.circuit().guard(|| self.inner.poll_ready(cx)) {
            Poll::Ready(Ok(())) => {
                self.readiness = Readiness::Inner;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.readiness_failed(error))),
            Poll::Pending => self.wait(cx),
        }
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        if self.readiness == Readiness::Inner { self.call_ready(request) } else { self.call_unready(request) }
    }
}

impl<S: Clone, P: Clone> Clone for CircuitBreaker<S, P> {
    fn clone(&self) -> Self {
        // A clone is not ready: the inner service may count readiness per clone. Nor does it wait.
        Self::new(self.inner.clone(), self.policy.clone())
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for CircuitBreaker<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}
