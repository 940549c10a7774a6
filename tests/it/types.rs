//! What the public types promise to the compiler, pinned. These tests pass by being compiled.

use std::{
    fmt::Debug,
    future::{Future, Ready, ready},
    marker::PhantomPinned,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_breaker::{
    BoxError, CallError, Circuit, CircuitBreaker, CircuitBreakerLayer, Config, ConfigError, Failure, Instant,
    InvalidWeight, Mode, Outcome, Overloaded, Permit, Rejected, State, Weight,
    circuit::{Builder, Events, Missed, Rule},
    classify::{Classifier, ClassifyFn, ErrorsAsFailures, classify_fn},
    clock::{Clock, Sleep, TokioClock},
    config::{Fault, Probing, Recovery, Window},
    machine::{Event, Ledger, Machine, Reason, RejectReason, Rejection, Snapshot, Stamp, Transition, WindowSnapshot},
    observe::Observer,
    service::{Fail, FailWith, Judge, Judged, MapErr, Policy, Reject, ReplyWith, ResponseFuture, Single, Unchanged},
};

use crate::support::{
    THREE, circuit,
    fake::{Guarded, guarded},
};

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}
fn debug<T: Debug>() {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

fn plain<T: Send + Sync + Unpin + Debug + 'static>() {}

type Layered = CircuitBreakerLayer<Single<ErrorsAsFailures, Fail>>;

#[test]
fn public_types_are_send_sync_unpin_and_debug() {
    plain::<Circuit>();
    plain::<Permit>();
    plain::<Builder>();
    plain::<Events>();
    plain::<Missed>();
    plain::<CallError<&str>>();
    plain::<Config>();
    plain::<ConfigError>();
    plain::<Fault>();
    plain::<(Probing, Recovery, Window)>();
    plain::<(State, Mode, Instant, Outcome, Failure, Weight, InvalidWeight)>();
    plain::<(Machine, Stamp, Rejection, RejectReason)>();
    plain::<(Snapshot, WindowSnapshot, Ledger)>();
    plain::<(Event, Transition, Reason)>();
    plain::<Rejected>();
    plain::<TokioClock>();
    plain::<Layered>();
    plain::<Single<ErrorsAsFailures, Fail>>();
    plain::<Judged<ErrorsAsFailures, Unchanged>>();
    plain::<(FailWith<fn()>, ReplyWith<fn()>, ClassifyFn<fn()>)>();
}

#[test]
fn bulkheads_and_timeouts_are_what_their_parts_are() {
    use tower_breaker::{bulkhead, timeout};
    type Inner = tower::util::ServiceFn<fn(()) -> Ready<Result<(), BoxError>>>;
    plain::<(bulkhead::Bulkhead, bulkhead::BulkheadConfig, bulkhead::BulkheadLayer, bulkhead::Place)>();
    plain::<(bulkhead::Overload, Overloaded, timeout::TimedOut, timeout::Fixed)>();
    plain::<(timeout::TotalTimeoutLayer, timeout::AttemptTimeoutLayer)>();
    plain::<(bulkhead::InBulkhead<()>, timeout::TotalTimeout<()>, timeout::AttemptTimeout<()>)>();
    send::<bulkhead::InBulkhead<std::cell::Cell<()>>>();
    plain::<bulkhead::ResponseFuture<Inner, ()>>();
    plain::<timeout::OnceReady<Inner, ()>>();
    send::<timeout::ResponseFuture<Pinned>>();
    sync::<timeout::ResponseFuture<Pinned>>();
    debug::<timeout::ResponseFuture<Rc<()>>>();
    error::<Overloaded>();
    error::<timeout::TimedOut>();
    // Neither the service, its request, its future nor its error need be anything.
    let _ = bulkhead::Bulkhead::new("it", bulkhead::BulkheadConfig::new(1)).map(|bulkhead| {
        let unsendable = service_fn(|_: Rc<()>| async { Ok::<_, std::convert::Infallible>(Rc::new(())) });
        ServiceBuilder::new().layer(bulkhead::BulkheadLayer::new(bulkhead)).service(unsendable).oneshot(Rc::new(()))
    });
}

#[cfg(feature = "http")]
#[test]
fn public_types_for_http_are_send_sync_unpin_and_debug() {
    use tower_breaker::{
        classify::{AtEnd, HttpClassifier, HttpFn, Seen},
        service::{EndOfBody, Reply503, ResponseBody},
        timeout::{CallLimits, Deadline, DeadlineHeader, PerRequest},
    };
    plain::<(HttpClassifier, HttpFn<fn()>, Reply503, EndOfBody)>();
    plain::<(CallLimits, Deadline, DeadlineHeader, PerRequest)>();
    send::<AtEnd>();
    sync::<AtEnd>();
    debug::<(AtEnd, ResponseBody<()>)>();
    send::<ResponseBody<std::cell::Cell<()>>>();
    sync::<ResponseBody<()>>();
    unpin::<ResponseBody<()>>();
    // Neither `Send` nor `Sync`, as the errors that it shows: it is looked at where it is made.
    unpin::<Seen<'_>>();
    debug::<Seen<'_>>();
    plain::<CircuitBreakerLayer<Single<HttpClassifier, Reply503>>>();
}

#[cfg(feature = "test-util")]
#[test]
fn the_manual_clock_is_send_sync_unpin_and_debug() {
    plain::<tower_breaker::clock::ManualClock>();
}

/// Peers: `cf_e`.
#[test]
fn errors_are_errors() {
    error::<Rejected>();
    error::<ConfigError>();
    error::<InvalidWeight>();
    error::<Missed>();
    error::<CallError<std::io::Error>>();
    let boxed: fn(Rejected) -> BoxError = BoxError::from;
    assert!(boxed(circuit(THREE.initial_state(State::Open)).try_acquire().unwrap_err()).is::<Rejected>());
}

#[test]
fn traits_that_users_implement_are_object_safe() {
    fn takes<T: ?Sized>() {}
    takes::<dyn Clock>();
    takes::<dyn Observer>();
    takes::<dyn Rule>();
    takes::<dyn Classifier<(), BoxError>>();
    takes::<dyn MapErr<BoxError, Error = BoxError>>();
    takes::<dyn Judge<(), BoxError, Response = (), Error = BoxError>>();
    takes::<dyn Policy<(), (), BoxError, Judge = Judged<ErrorsAsFailures, Unchanged>>>();
    takes::<dyn Reject<(), (), BoxError, Errors = Unchanged>>();
}

#[test]
fn the_service_is_what_the_inner_service_is() {
    plain::<Guarded>();
    send::<CircuitBreaker<std::cell::Cell<()>, Single<ErrorsAsFailures, Fail>>>();
    unpin::<CircuitBreaker<(), Single<ErrorsAsFailures, Fail>>>();
}

/// A future that is `Send` and `Sync` but may not be moved.
struct Pinned(PhantomPinned);

impl Future for Pinned {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn the_response_future_is_what_its_parts_are() {
    type Of<F> = ResponseFuture<F, Judged<ErrorsAsFailures, Unchanged>, Result<(), BoxError>>;
    send::<Of<Pinned>>();
    sync::<Of<Ready<Result<(), BoxError>>>>();
    unpin::<Of<Ready<Result<(), BoxError>>>>();
    debug::<Of<Rc<()>>>();
}

#[test]
fn futures_that_may_not_be_moved_are_served() {
    let layer = CircuitBreakerLayer::with_classifier(circuit(THREE), ErrorsAsFailures::new());
    let mut service = layer.layer(service_fn(|(): ()| Pinned(PhantomPinned)));
    let call = pin!(service.call(()));
    assert!(call.now_or_never().expect("an answer").is_ok());
}

/// It borrows, cannot be sent, and cannot be cloned; nor can its request, its response and its error.
struct Local<'a> {
    text: &'a str,
    _not_send: Rc<()>,
}

struct Borrowed<'a>(&'a str, Rc<()>);

impl<'a> Service<Borrowed<'a>> for Local<'a> {
    type Response = Borrowed<'a>;
    type Error = Borrowed<'a>;
    type Future = Ready<Result<Borrowed<'a>, Borrowed<'a>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Borrowed<'a>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Borrowed<'a>) -> Self::Future {
        ready(if request.0 == self.text { Ok(request) } else { Err(request) })
    }
}

/// Peers: `cf_b`, `cf_c`, `cf_d`.
#[test]
fn nothing_is_asked_of_service_request_response_and_error() {
    let circuit = circuit(THREE);
    let text = String::from("local");
    let judge = classify_fn(
        |result: Result<&Borrowed<'_>, &Borrowed<'_>>| {
            if result.is_ok() { Outcome::Success } else { Outcome::failure() }
        },
    );
    let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), judge);
    let local = Local { text: &text, _not_send: Rc::default() };
    let mut service = layer.fail_with(|_: Rejected| Borrowed("rejected", Rc::default())).layer(local);
    assert!(service.call(Borrowed("other", Rc::default())).now_or_never().expect("an answer").is_err());
    assert!(service.call(Borrowed("local", Rc::default())).now_or_never().expect("an answer").is_ok());
    circuit.force_open();
    let Some(Err(error)) = service.call(Borrowed("local", Rc::default())).now_or_never() else { panic!("it passed") };
    assert_eq!(error.0, "rejected");
    drop(error.1);
}

/// Peers: `cf_a`. Whatever the error type of the service.
#[tokio::test]
async fn classifiers_fit_any_error_type() {
    fn fits<E: Into<BoxError> + Debug + 'static>(
        service: impl Service<(), Response = (), Error = E>,
    ) -> impl Service<(), Response = (), Error = BoxError> {
        CircuitBreakerLayer::with_classifier(circuit(THREE), ErrorsAsFailures::new()).layer(service)
    }
    assert!(fits(service_fn(|(): ()| ready(Ok::<_, std::convert::Infallible>(())))).oneshot(()).await.is_ok());
    assert!(fits(service_fn(|(): ()| ready(Err::<(), _>(std::io::Error::other("down"))))).oneshot(()).await.is_err());
    assert!(fits(service_fn(|(): ()| ready(Err::<(), _>(BoxError::from("down"))))).oneshot(()).await.is_err());
    assert!(fits(service_fn(|(): ()| ready(Err::<(), _>("down")))).oneshot(()).await.is_err());
}

#[tokio::test]
async fn the_service_fits_into_a_box() {
    let circuit = circuit(THREE);
    let (service, _) = guarded(&circuit);
    let boxed: BoxCloneSyncService<(), (), BoxError> = BoxCloneSyncService::new(service);
    assert!(boxed.clone().oneshot(()).await.is_ok());
    let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new());
    // tower wants the future to be `Sync` here.
    let inner = service_fn(|(): ()| ready(Ok::<_, BoxError>(())));
    let chain = ServiceBuilder::new().boxed_clone_sync().layer(layer).service(inner);
    assert!(chain.oneshot(()).await.is_ok());
    assert_eq!(circuit.snapshot().ledger.succeeded, 2);
}

#[test]
fn a_clock_of_ones_own_is_enough() {
    #[derive(Debug)]
    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Instant {
            Instant::from_nanos(7)
        }
        fn sleep_until(&self, _: Instant) -> Sleep {
            Box::pin(std::future::pending())
        }
    }
    let circuit = Circuit::builder("stopped").config(THREE).clock(Stopped).build().unwrap();
    crate::support::trip(&circuit);
    assert!(circuit.until_ready().now_or_never().is_none());
}

#[test]
fn a_service_can_be_taken_apart() {
    let circuit = circuit(THREE);
    let (mut service, hand) = guarded(&circuit);
    assert_eq!(service.circuit().name(), "test");
    assert!(format!("{:?}", service.get_ref()).starts_with("Fake"));
    assert!(service.get_mut().clone().oneshot(()).now_or_never().expect("an answer").is_ok());
    drop(service.into_inner());
    assert_eq!((hand.calls(), circuit.snapshot().ledger.succeeded), (1, 0), "what goes past the guard is not counted");
}

#[cfg(feature = "retry")]
#[test]
fn what_is_there_for_retries_is_send_sync_unpin_and_debug() {
    use tower_breaker::retry::{Backoff, Budget, Delays, Retries, RetryConfig, Spread, budget, retries};
    plain::<Backoff>();
    plain::<Budget>();
    plain::<budget::Builder>();
    plain::<Delays>();
    plain::<Retries>();
    plain::<retries::Builder>();
    plain::<RetryConfig>();
    plain::<Spread>();
}

#[cfg(all(feature = "http", feature = "retry"))]
#[test]
fn policies_and_bodies_are_what_their_parts_are() {
    use tower_breaker::retry::{Drain, Draining, GrpcRetry, HttpRetry, ReplayBody};
    plain::<GrpcRetry>();
    plain::<HttpRetry>();
    plain::<Drain<HttpRetry>>();
    plain::<ReplayBody<std::cell::Cell<u8>>>();
    send::<Draining<Sleep, ()>>();
    unpin::<Draining<Sleep, ()>>();
    unpin::<ReplayBody<PhantomPinned>>();
}

#[cfg(feature = "stale")]
#[test]
fn what_is_there_for_fallbacks_is_what_its_parts_are() {
    use tower_breaker::fallback::{
        Counts, Fallback, FallbackLayer, FallenBack, LastGood, Marked, OnRejected, Plan, Stale, StaleBody, StaleCache,
        Value,
    };
    plain::<(Counts, FallenBack, Stale, StaleCache)>();
    plain::<FallbackLayer<Value<()>>>();
    plain::<FallbackLayer<Marked<LastGood<fn()>>>>();
    plain::<Fallback<(), Plan<Value<()>, OnRejected>>>();
    send::<Fallback<std::cell::Cell<()>, Plan<Value<()>, OnRejected>>>();
    send::<StaleBody<std::cell::Cell<()>>>();
    sync::<StaleBody<()>>();
    unpin::<StaleBody<()>>();
    debug::<StaleBody<Rc<()>>>();
}

/// They borrow, cannot be sent and cannot be cloned.
#[cfg(feature = "fallback")]
#[test]
fn a_fallback_asks_nothing_of_service_request_response_and_error() {
    use tower_breaker::fallback::FallbackLayer;
    let text = String::from("local");
    let local = Local { text: &text, _not_send: Rc::default() };
    let failed = |result: Result<&Borrowed<'_>, &Borrowed<'_>>| result.is_err();
    let unused = FallbackLayer::service(
        |_: &Borrowed<'_>| "local",
        service_fn(|text: &'static str| ready(Ok::<_, BoxError>(Borrowed(text, Rc::default())))),
    );
    let mut service = unused.on(failed).layer(local);
    let Some(Ok(answer)) = service.call(Borrowed("other", Rc::default())).now_or_never() else { panic!("no answer") };
    assert_eq!(answer.0, "local");
    let Some(Ok(answer)) = service.call(Borrowed("local", Rc::default())).now_or_never() else { panic!("no answer") };
    drop(answer.1);
}

/// The body of hyper and the boxed one of http-body-util are so.
#[cfg(feature = "stale")]
#[test]
fn the_call_of_a_body_that_can_only_be_sent_can_be_sent() {
    use http::{Request, Response};
    use tower_breaker::fallback::{FallbackLayer, StaleCache};
    type OnlySend = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
    fn sent<T: Send>(_: T) {}
    let inner = service_fn(|_: Request<OnlySend>| ready(Err::<Response<OnlySend>, BoxError>("down".into())));
    let request = || Request::new(OnlySend::default());
    let cache = StaleCache::new(1, std::time::Duration::from_secs(1));
    sent(FallbackLayer::stale(cache, |_, _| None).mark().layer(inner).call(request()));
    let body = || async { Some(Response::new(OnlySend::default())) };
    sent(FallbackLayer::from_async(|_: &Request<OnlySend>| (), move |(), _| body()).layer(inner).call(request()));
    sent(
        FallbackLayer::service(|_: &Request<OnlySend>| OnlySend::default(), inner.map_request(Request::new))
            .layer(inner)
            .call(request()),
    );
}
