//! The others: tower's own layers, and the published breakers, each with the same rule.

use std::{
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use failsafe::{
    StateMachine, backoff,
    failure_policy::{ConsecutiveFailures, consecutive_failures},
    futures::CircuitBreaker as _,
};
use recloser::{AsyncRecloser, Recloser};
use tower::{Layer, Service, limit::ConcurrencyLimitLayer, load_shed::LoadShedLayer, timeout::TimeoutLayer};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

use super::{
    contenders::Rule,
    payload::{Bare, Failed, Payload},
    runner::{Around, Driven, Runner},
};

/// Longer than any bench runs.
const OPEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn bare<P: Payload>() -> Box<dyn Runner> {
    Driven::<P, _>::boxed(Bare::<P, Failed>::new(), None, Around::Nothing)
}

pub(crate) fn load_shed<P: Payload>() -> Box<dyn Runner> {
    layered::<P, _>(LoadShedLayer::new(), Around::Nothing)
}

pub(crate) fn concurrency_limit<P: Payload>() -> Box<dyn Runner> {
    layered::<P, _>(ConcurrencyLimitLayer::new(1_000), Around::Nothing)
}

pub(crate) fn timeout<P: Payload>() -> Box<dyn Runner> {
    layered::<P, _>(TimeoutLayer::new(Duration::from_secs(60)), Around::timers())
}

pub(crate) fn tower_resilience<P: Payload>(rule: Rule, around: Around) -> Box<dyn Runner> {
    let settings = CircuitBreakerLayer::builder().wait_duration_in_open(OPEN_FOR).failure_rate_threshold(0.5);
    let settings = match rule {
        Rule::Count(calls) => {
            let calls = usize::try_from(calls).expect("a window fits into memory");
            settings.sliding_window_size(calls).minimum_number_of_calls(calls)
        }
        Rule::Run(failures) => settings.consecutive_failures(usize::try_from(failures).expect("few")),
        Rule::Time(length) => settings
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(length)
            .minimum_number_of_calls(100),
        Rule::Default | Rule::Evidence => unreachable!("tower-resilience has no such rule"),
    };
    layered::<P, _>(settings.build().expect("the settings are sound"), around)
}

fn layered<P, L>(layer: L, around: Around) -> Box<dyn Runner>
where
    P: Payload,
    L: Layer<Bare<P, Failed>>,
    L::Service: Service<P::Request, Response = P::Response> + Clone + Send + 'static,
{
    Driven::<P, _>::boxed(layer.layer(Bare::new()), Some(size_of::<L>()), around)
}

/// failsafe is no tower layer: its future goes around that of the inner service.
#[derive(Clone)]
struct Failsafe<S> {
    inner: S,
    breaker: StateMachine<ConsecutiveFailures<backoff::Constant>, ()>,
}

pub(crate) fn failsafe<P: Payload>(failures: u32) -> Box<dyn Runner> {
    let policy = consecutive_failures(failures, backoff::constant(OPEN_FOR));
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    Driven::<P, _>::boxed(Failsafe { inner: Bare::<P, Failed>::new(), breaker }, None, Around::Nothing)
}

impl<S, R> Service<R> for Failsafe<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = failsafe::Error<S::Error>;
    type Future =
        failsafe::futures::ResponseFuture<S::Future, ConsecutiveFailures<backoff::Constant>, (), failsafe::Any>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(failsafe::Error::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.breaker.call(self.inner.call(request))
    }
}

/// Nor is recloser one.
#[derive(Clone)]
struct Reclosed<S> {
    inner: S,
    breaker: AsyncRecloser,
}

pub(crate) fn recloser<P: Payload>(calls: u32) -> Box<dyn Runner> {
    let calls = usize::try_from(calls).expect("a window fits into memory");
    let breaker = Recloser::custom().error_rate(0.5).closed_len(calls).open_wait(OPEN_FOR).build();
    let service = Reclosed { inner: Bare::<P, Failed>::new(), breaker: AsyncRecloser::from(breaker) };
    Driven::<P, _>::boxed(service, None, Around::Nothing)
}

impl<S, R> Service<R> for Reclosed<S>
where
    S: Service<R>,
    S::Future: Future<Output = Result<S::Response, S::Error>>,
{
    type Response = S::Response;
    type Error = recloser::Error<S::Error>;
    type Future = recloser::RecloserFuture<S::Future, recloser::AnyError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(recloser::Error::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.breaker.call(self.inner.call(request))
    }
}
