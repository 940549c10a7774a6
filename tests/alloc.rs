//! What a call allocates: nothing while the circuit is closed, nothing for a typed rejection, the box for a boxed one.

use std::{convert::Infallible, future::ready, hint::black_box, task::Context, task::Waker};

use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Outcome, State,
    bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer},
    classify::ErrorsAsFailures,
    config::{Consecutive, FailureCount, FailureRate, SlowCalls, Window},
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

const CALLS: u64 = 1_000;

/// Allocations of a thousand runs, after as many that warm up what is made on first use, and what a count window keeps of
/// its failures.
fn allocations(mut run: impl FnMut()) -> u64 {
    (0..2 * CALLS).for_each(|_| run());
    allocation_counter::measure(|| (0..CALLS).for_each(|_| run())).count_total
}

fn every_rule() -> Config {
    let rate = FailureRate::new(1.0).minimum_calls(1_000);
    Config::new()
        .failure_rate(rate)
        .burst(rate.window(Window::count(1_000)))
        .slow_calls(SlowCalls::new(std::time::Duration::from_secs(60)))
        .consecutive_failures(Consecutive::new(1_000_000))
        .failure_count(FailureCount::new(1_000_000, std::time::Duration::from_secs(10)))
}

#[test]
fn a_closed_circuit_allocates_nothing_whatever_the_rules_and_the_outcome() {
    for config in [Config::new(), Config::classic(), Config::resilience4j(), every_rule()] {
        let circuit = Circuit::builder("it").config(config).build().unwrap();
        let mut i = 0u32;
        let count = allocations(|| {
            i += 1;
            let permit = circuit.try_acquire().expect("closed");
            match i % 12 {
                0 => permit.record(Outcome::failure()),
                1 => permit.record(Outcome::Ignored),
                2 => drop(permit),
                _ => permit.record(Outcome::Success),
            }
        });
        assert_eq!((circuit.state(), count), (State::Closed, 0), "{config:?}");
    }
}

#[test]
fn a_closed_service_allocates_nothing() {
    let circuit = Circuit::builder("it").build().unwrap();
    let layer = CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new());
    let mut service = layer.layer(service_fn(|n: u64| ready(Ok::<_, Infallible>(n))));
    let mut cx = Context::from_waker(Waker::noop());
    let count = allocations(|| {
        assert!(Service::<u64>::poll_ready(&mut service, &mut cx).is_ready());
        let call = std::pin::pin!(service.call(black_box(1)));
        assert!(call.poll(&mut cx).is_ready());
    });
    assert_eq!(count, 0);
}

#[test]
fn a_rejection_allocates_nothing_but_the_box_of_a_boxed_error() {
    let circuit = Circuit::builder("it").config(Config::classic()).build().unwrap();
    for _ in 0..20 {
        circuit.try_acquire().expect("closed").record(Outcome::failure());
    }
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(allocations(|| drop(black_box(circuit.try_acquire()))), 0, "typed");
    let boxed = allocations(|| drop(black_box(circuit.try_acquire().map_err(BoxError::from))));
    assert_eq!(boxed, CALLS, "boxed");
}

#[test]
fn a_layer_only_clones_a_handle() {
    let circuit = Circuit::builder("it").build().unwrap();
    let layer = CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new());
    assert_eq!(allocations(|| drop(black_box(layer.layer(())))), 0);
}

/// Whether the key lies in the request as it is, or must be written in small letters first.
#[cfg(all(feature = "http", feature = "keyed"))]
#[test]
fn a_keyed_service_allocates_nothing_for_a_key_that_is_known() {
    use http::{HeaderName, HeaderValue, Request, Response, header::HOST};
    use tower_breaker::{
        KeyedCircuitBreakerLayer, Registry,
        service::{by_header, by_host},
    };
    fn count(service: &mut impl Service<Request<()>, Error: std::fmt::Debug>, host: &'static str) -> u64 {
        let mut cx = Context::from_waker(Waker::noop());
        // A map of headers allocates, so the request goes round.
        let mut headers = http::HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        let spare = headers.clone();
        allocations(|| {
            let mut request = Request::new(());
            *request.headers_mut() = std::mem::take(&mut headers);
            assert!(service.poll_ready(&mut cx).is_ready());
            let call = std::pin::pin!(service.call(request));
            assert!(call.poll(&mut cx).is_ready());
            headers.clone_from(&spare);
        })
    }
    let inner = || service_fn(|request: Request<()>| ready(Ok::<_, BoxError>(Response::new(request.into_parts().0))));
    let bare = count(&mut inner(), "Known.test");
    let hosts = Registry::by_key("hosts").build().unwrap();
    let mut by_host = KeyedCircuitBreakerLayer::new(hosts.clone(), by_host()).layer(inner());
    let mut by_header = KeyedCircuitBreakerLayer::new(hosts, by_header(HeaderName::from_static("host"))).layer(inner());
    assert_eq!(count(&mut by_host, "Known.test"), bare);
    assert_eq!(count(&mut by_header, "Known.test"), bare);
}

/// tower copies what it may have to send again: a head without headers takes no memory, a body is its owner's business.
#[cfg(all(feature = "http", feature = "retry"))]
#[test]
fn retries_allocate_nothing_for_a_call_that_needs_none() {
    use http::{Request, Response};
    use tower_breaker::retry::{Cause, HttpRetry, Retries};
    let retries = Retries::builder().build().unwrap();
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(()))));
    let mut service = tower::retry::RetryLayer::new(HttpRetry::new(retries.clone())).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());
    let count = allocations(|| {
        assert!(service.poll_ready(&mut cx).is_ready());
        let call = std::pin::pin!(service.call(Request::new(())));
        assert!(call.poll(&mut cx).is_ready());
    });
    assert_eq!(count, 0);
    let count = allocations(|| {
        black_box(retries.begin().again(Cause::Failed, None));
    });
    assert_eq!(count, 0, "nor does a decision");
}

fn allocations_of<S: Service<u64>>(mut service: S) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    allocations(|| {
        assert!(service.poll_ready(&mut cx).is_ready());
        let call = std::pin::pin!(service.call(black_box(1)));
        assert!(call.poll(&mut cx).is_ready());
    })
}

#[test]
fn a_call_through_bulkhead_and_timeouts_allocates_nothing_if_it_need_not_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _timers = runtime.enter();
    let limit = std::time::Duration::from_secs(1);
    let bulkhead = Bulkhead::new("it", BulkheadConfig::new(1)).unwrap();
    let service = ServiceBuilder::new()
        .layer(TotalTimeoutLayer::new("it", limit).unwrap())
        .layer(BulkheadLayer::new(bulkhead))
        .layer(AttemptTimeoutLayer::new("it", limit).unwrap())
        .service(service_fn(|n: u64| ready(Ok::<_, Infallible>(n))));
    assert_eq!(allocations_of(service), 0);
}

#[test]
fn who_is_shed_costs_the_box_of_the_error_and_who_waits_one_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _timers = runtime.enter();
    let shut = |queue| {
        let config = BulkheadConfig::new(1).queue(queue, std::time::Duration::from_secs(1));
        let bulkhead = Bulkhead::new("it", config).unwrap();
        let place = runtime.block_on(bulkhead.enter()).unwrap();
        let layer = BulkheadLayer::new(bulkhead);
        (layer.layer(service_fn(|n: u64| ready(Ok::<_, Infallible>(n)))), place)
    };
    let (service, _place) = shut(0);
    assert_eq!(allocations_of(service), CALLS);
    let (mut service, _place) = shut(1);
    let mut cx = Context::from_waker(Waker::noop());
    let waits = allocations(|| {
        let call = std::pin::pin!(service.call(black_box(1)));
        assert!(call.poll(&mut cx).is_pending());
    });
    assert_eq!(waits, CALLS);
}

/// What was drawn lies in the future. A `Uri` counts up a reference.
#[cfg(all(feature = "fallback", feature = "http"))]
#[test]
fn a_fallback_allocates_nothing_for_a_call_that_needs_none() {
    use http::{Request, Response};
    use tower_breaker::{classify::HttpClassifier, fallback::FallbackLayer};
    let inner = || service_fn(|_: Request<()>| ready(Ok::<_, BoxError>(Response::new(String::new()))));
    let count = |service: &mut dyn FnMut(Request<()>)| {
        let uri: http::Uri = "/a/path".parse().expect("a path");
        allocations(|| {
            let mut request = Request::new(());
            *request.uri_mut() = uri.clone();
            service(request);
        })
    };
    let mut value = FallbackLayer::value(Response::new("large".repeat(100)))
        .on_failure(HttpClassifier::new())
        .mark()
        .layer(inner());
    let mut other = FallbackLayer::service(
        |request: &Request<()>| request.uri().clone(),
        service_fn(|_: http::Uri| ready(Ok::<_, BoxError>(Response::new(String::new())))),
    )
    .layer(inner());
    let mut cx = Context::from_waker(Waker::noop());
    let value = count(&mut |request| assert!(std::pin::pin!(value.call(request)).poll(&mut cx).is_ready()));
    let mut cx = Context::from_waker(Waker::noop());
    let other = count(&mut |request| assert!(std::pin::pin!(other.call(request)).poll(&mut cx).is_ready()));
    assert_eq!((value, other), (0, 0));
}

/// The body is wrapped in place; a copy is begun only where the answer may be kept.
#[cfg(feature = "stale")]
#[test]
fn a_stale_cache_allocates_nothing_for_an_answer_that_it_does_not_keep() {
    use http::{Request, Response};
    use http_body_util::Empty;
    use tower_breaker::fallback::{FallbackLayer, StaleCache};
    let cache = StaleCache::new(10, std::time::Duration::from_secs(1));
    let body = || ready(Ok::<_, BoxError>(Response::new(Empty::<bytes::Bytes>::new())));
    let count = |method: http::Method, key: Option<&'static str>| {
        let layer = FallbackLayer::stale(cache.clone(), move |_, _| key.map(ToOwned::to_owned));
        let mut service = layer.layer(service_fn(move |_: Request<()>| body()));
        let mut cx = Context::from_waker(Waker::noop());
        allocations(|| {
            let mut request = Request::new(());
            *request.method_mut() = method.clone();
            assert!(std::pin::pin!(service.call(request)).poll(&mut cx).is_ready());
        })
    };
    assert_eq!(count(http::Method::POST, Some("key")), 0);
    assert_eq!(count(http::Method::GET, None), 0);
    assert!(count(http::Method::GET, Some("key")) > 0, "key, copy and entry");
}
