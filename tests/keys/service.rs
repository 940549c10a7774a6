//! The layer: keys, requests without one, readiness, rejections.

use std::{
    cell::Cell,
    future::ready,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, KeyedCircuitBreakerLayer, Outcome, Rejected, State,
    classify::ErrorsAsFailures,
    registry::RegistryBuilder,
    service::{by_header, by_host, key_fn, key_ref_fn},
};

use super::{THREE, registry};

fn by_tenant() -> tower_breaker::service::ByHeader {
    by_header(HeaderName::from_static("x-tenant"))
}

fn of(tenant: &str) -> Request<()> {
    Request::get("/").header("x-tenant", tenant).body(()).expect("a request")
}

#[tokio::test]
async fn one_bad_tenant_does_not_stop_the_others() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let service = KeyedCircuitBreakerLayer::new(tenants.clone(), by_tenant()).layer(service_fn(
        |request: Request<()>| async move {
            let status = if request.headers()["x-tenant"] == "bad" { 500 } else { 200 };
            Ok::<_, BoxError>(Response::builder().status(status).body(()).expect("a response"))
        },
    ));
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(of("bad")).await.unwrap().status(), 500);
    }
    let error = service.clone().oneshot(of("bad")).await.unwrap_err();
    assert_eq!(Rejected::find(&*error).expect("rejected").circuit(), "keys");
    assert_eq!(service.clone().oneshot(of("good")).await.unwrap().status(), 200);
    assert_eq!(service.registry().find("bad").expect("there").state(), State::Open);
}

#[tokio::test]
async fn requests_without_a_key_pass_uncounted_or_by_a_circuit_of_their_own() {
    let failing = service_fn(|_: Request<()>| async { Err::<Response<()>, _>(BoxError::from("down")) });
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let uncounted = KeyedCircuitBreakerLayer::new(tenants.clone(), by_tenant()).layer(failing);
    for _ in 0..10 {
        let error = uncounted.clone().oneshot(Request::new(())).await.unwrap_err();
        assert_eq!(error.to_string(), "down");
    }
    let others = Circuit::builder("no tenant").config(THREE).build().unwrap();
    let guarded = CircuitBreakerLayer::new(others.clone()).keyed(tenants.clone(), by_tenant()).layer(failing);
    for _ in 0..10 {
        assert!(guarded.clone().oneshot(Request::new(())).await.is_err());
    }
    assert_eq!((others.state(), others.snapshot().ledger.failed), (State::Open, 3));
    assert!(tenants.is_empty());
}

#[tokio::test]
async fn hosts_are_the_same_in_capital_letters() {
    let (hosts, _clock) = registry(THREE, |builder| builder);
    let answering = service_fn(|_: Request<()>| ready(Ok::<_, BoxError>(Response::new(()))));
    let service = KeyedCircuitBreakerLayer::new(hosts.clone(), by_host()).layer(answering);
    for uri in ["http://Example.test/a", "http://example.TEST/b", "http://user@example.test/"] {
        service.clone().oneshot(Request::get(uri).body(()).unwrap()).await.unwrap();
    }
    assert_eq!(hosts.find("example.test").expect("there").snapshot().ledger.succeeded, 3);
    assert_eq!(hosts.len(), 1);
}

#[test]
fn readiness_is_that_of_the_inner_service() {
    struct Inner(Poll<Result<(), &'static str>>);
    impl Service<u32> for Inner {
        type Response = ();
        type Error = &'static str;
        type Future = std::future::Ready<Result<(), &'static str>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            self.0
        }
        fn call(&mut self, _: u32) -> Self::Future {
            ready(Err("down"))
        }
    }
    let shards = RegistryBuilder::new("shards").config(THREE).build().unwrap();
    let layer = KeyedCircuitBreakerLayer::with_classifier(
        shards.clone(),
        key_fn(|shard: &u32| Some(*shard)),
        ErrorsAsFailures::new(),
    );
    let mut cx = Context::from_waker(Waker::noop());
    assert!(layer.layer(Inner(Poll::Pending)).poll_ready(&mut cx).is_pending());
    let Poll::Ready(Err(error)) = layer.layer(Inner(Poll::Ready(Err("closed")))).poll_ready(&mut cx) else {
        panic!("the error goes on")
    };
    assert_eq!((error.to_string().as_str(), shards.len()), ("closed", 0));
    let mut service = layer.layer(Inner(Poll::Ready(Ok(()))));
    for _ in 0..3 {
        assert_eq!(service.call(7).now_or_never().expect("an answer").unwrap_err().to_string(), "down");
    }
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))), "whatever the circuits");
    assert!(service.call(7).now_or_never().expect("an answer").unwrap_err().is::<Rejected>());
    assert!(!service.call(8).now_or_never().expect("an answer").unwrap_err().is::<Rejected>());
}

#[tokio::test]
async fn all_that_a_layer_answers_a_keyed_one_answers() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    tenants.circuit("bad").force_open();
    let plain = || CircuitBreakerLayer::new(Circuit::builder("none").build().unwrap());
    let inner = || service_fn(|_: Request<()>| ready(Ok::<_, BoxError>(Response::new(()))));
    let reply = plain().reply_503().keyed(tenants.clone(), by_tenant()).layer(inner());
    assert_eq!(reply.oneshot(of("bad")).await.unwrap().status(), 503);
    let own = plain().reply_with(|_: Request<()>, _| Response::builder().status(418).body(()).unwrap());
    let own = own.keyed(tenants.clone(), by_tenant()).layer(inner());
    assert_eq!(own.oneshot(of("bad")).await.unwrap().status(), 418);
    let typed = plain().fail_with(|rejected: Rejected| BoxError::from(rejected.to_string()));
    let typed = typed.keyed(tenants, by_tenant()).layer(inner());
    assert_eq!(typed.oneshot(of("bad")).await.unwrap_err().to_string(), "circuit `keys` is forced open");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_of_its_key() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let breaks = service_fn(|_: Request<()>| {
        let frames = futures_util::stream::iter([Err::<http_body::Frame<bytes::Bytes>, _>(BoxError::from("broken"))]);
        ready(Ok::<_, BoxError>(Response::new(StreamBody::new(frames))))
    });
    let none = Circuit::builder("none").build().unwrap();
    let service = CircuitBreakerLayer::new(none).until_end_of_body().keyed(tenants.clone(), by_tenant()).layer(breaks);
    for _ in 0..3 {
        let response = service.clone().oneshot(of("bad")).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
    }
    assert!(service.clone().oneshot(of("bad")).await.is_err_and(|error| error.is::<Rejected>()));
    assert!(service.oneshot(of("good")).await.is_ok());
}

#[test]
fn a_panic_of_the_inner_call_is_a_failure_of_its_key() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let panics = service_fn(|_: String| -> std::future::Ready<Result<(), BoxError>> { panic!("as it was told") });
    let by = key_ref_fn(|key: &String| Some(key.as_str()));
    let mut service =
        KeyedCircuitBreakerLayer::with_classifier(tenants.clone(), by, ErrorsAsFailures::new()).layer(panics);
    for _ in 0..3 {
        let call = std::panic::AssertUnwindSafe(|| service.call("a".into()).now_or_never());
        assert!(std::panic::catch_unwind(call).is_err());
    }
    assert_eq!(tenants.find("a").expect("there").state(), State::Open);
}

#[test]
fn a_call_that_is_dropped_is_cancelled_in_the_circuit_of_its_key() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let hangs = service_fn(|_: String| std::future::pending::<Result<(), BoxError>>());
    let by = key_ref_fn(|key: &String| Some(key.as_str()));
    let mut service =
        KeyedCircuitBreakerLayer::with_classifier(tenants.clone(), by, ErrorsAsFailures::new()).layer(hangs);
    assert!(service.call("a".into()).now_or_never().is_none());
    assert_eq!(tenants.find("a").expect("there").snapshot().ledger.cancelled, 1);
}

/// It cannot be sent nor cloned; nor can its request, its response and its error.
#[test]
fn nothing_is_asked_of_service_request_response_and_error() {
    struct Local(Rc<Cell<u32>>);
    impl Service<Rc<u32>> for Local {
        type Response = Rc<u32>;
        type Error = Rc<str>;
        type Future = std::future::Ready<Result<Rc<u32>, Rc<str>>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rc<str>>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Rc<u32>) -> Self::Future {
            self.0.set(self.0.get() + 1);
            ready(Ok(request))
        }
    }
    let calls = Rc::new(Cell::new(0));
    let shards = RegistryBuilder::new("shards").config(THREE).build().unwrap();
    shards.circuit(&1).force_open();
    let judge = tower_breaker::classify::classify_fn(|_: Result<&Rc<u32>, &Rc<str>>| Outcome::Success);
    let layer = CircuitBreakerLayer::with_classifier(Circuit::builder("none").build().unwrap(), judge)
        .fail_with(|rejected: Rejected| Rc::<str>::from(rejected.to_string()))
        .keyed(shards, key_fn(|shard: &Rc<u32>| Some(**shard)));
    let mut service = layer.layer(Local(Rc::clone(&calls)));
    assert!(service.call(Rc::new(1)).now_or_never().expect("an answer").is_err());
    assert_eq!(service.call(Rc::new(2)).now_or_never().expect("an answer").as_deref(), Ok(&2));
    assert_eq!((calls.get(), service.get_ref().0.get()), (1, 1));
    service.get_mut().0.set(7);
    assert_eq!(service.into_inner().0.get(), 7);
}
