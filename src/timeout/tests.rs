//! Both timeouts, with paused time.

use std::{future::pending, time::Duration};

use tokio::time;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::clock::tokio_now;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn total(limit: Duration) -> TotalTimeoutLayer {
    TotalTimeoutLayer::new("total", limit).expect("within bounds")
}

fn attempt(limit: Duration) -> AttemptTimeoutLayer {
    AttemptTimeoutLayer::new("attempt", limit).expect("within bounds")
}

fn hangs<R>() -> impl Service<R, Response = (), Error = BoxError, Future: Send> + Clone {
    service_fn(|_: R| pending())
}

fn timed_out(error: &BoxError) -> (&str, Duration) {
    let found = TimedOut::find(&**error).expect("a timeout");
    (found.name(), found.limit())
}

#[test]
fn limits_out_of_bounds_are_refused() {
    let errors = [
        TotalTimeoutLayer::new("test", Duration::ZERO).unwrap_err(),
        AttemptTimeoutLayer::new("test", Duration::MAX).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.faults()[0].field() == "limit"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_with_a_typed_error_at_its_limit() {
    for (mut service, name) in [
        (tower::util::BoxService::new(total(SECOND).layer(hangs())), "total"),
        (tower::util::BoxService::new(attempt(SECOND).layer(hangs())), "attempt"),
    ] {
        let began = tokio_now();
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert_eq!((timed_out(&error), tokio_now() - began), ((name, SECOND), SECOND));
        assert_eq!(error.to_string(), format!("`{name}` timed out after 1.0s"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_total_fires_though_the_inner_service_is_never_ready() {
    let inner = ServiceBuilder::new().concurrency_limit(1).service(hangs());
    let mut holds = inner.clone();
    let _held = holds.ready().await.unwrap().call(());
    let began = tokio_now();
    let error = total(SECOND).layer(inner.clone()).oneshot(()).await.unwrap_err();
    assert_eq!((timed_out(&error), tokio_now() - began), (("total", SECOND), SECOND));
    // tower's waits on.
    let theirs = tower::timeout::Timeout::new(inner, SECOND);
    assert!(time::timeout(15 * SECOND, theirs.oneshot(())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn four_hundred_calls_a_second_into_twenty_places_end_in_time() {
    // The measurement of tower's `Timeout` over `ConcurrencyLimit`, in which the slowest call took 15 s.
    let inner = ServiceBuilder::new().concurrency_limit(20).service(service_fn(|()| async {
        time::sleep(200 * MS).await;
        Ok::<_, BoxError>(())
    }));
    let service = total(SECOND).layer(inner).boxed_clone();
    let mut calls = Vec::new();
    for _ in 0..2_000 {
        let service = service.clone();
        calls.push(tokio::spawn(async move {
            let began = tokio_now();
            let answer = service.oneshot(()).await;
            (answer.is_ok(), tokio_now() - began)
        }));
        time::sleep(Duration::from_micros(2_500)).await;
    }
    let mut slowest = Duration::ZERO;
    for call in calls {
        slowest = slowest.max(call.await.unwrap().1);
    }
    assert!(slowest <= SECOND + MS, "{slowest:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_that_waits_for_readiness_is_the_sum() {
    let mut service =
        total(SECOND).layer(ServiceBuilder::new().concurrency_limit(1).service(service_fn(|wait| async move {
            time::sleep(wait).await;
            Ok::<_, BoxError>(())
        })));
    let first = tokio::spawn(service.call(600 * MS));
    let began = tokio_now();
    let error = service.call(600 * MS).await.unwrap_err();
    assert_eq!((timed_out(&error), tokio_now() - began), (("total", SECOND), SECOND));
    first.await.unwrap().unwrap();
    // What was given up has left the line, and the place is free.
    service.call(MS).await.unwrap();
}

#[cfg(feature = "http")]
mod per_request {
    use http::{HeaderName, Request};

    use super::*;

    /// What arrives further in: the header `grpc-timeout`, `x-left`, and what is left of the deadline.
    type Arrived = (Option<String>, Option<String>, Option<Duration>);

    fn reads() -> impl Service<Request<()>, Response = Arrived, Error = BoxError, Future: Send> + Clone {
        service_fn(|request: Request<()>| async move {
            let header = |name| request.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
            let left = request.extensions().get().map(Deadline::left);
            Ok((header("grpc-timeout"), header("x-left"), left))
        })
    }

    fn millis() -> DeadlineHeader {
        DeadlineHeader::millis(HeaderName::from_static("x-left"))
    }

    async fn time_of<S>(service: S, request: Request<()>) -> Duration
    where
        S: Service<Request<()>, Error = BoxError>,
    {
        let began = tokio_now();
        assert!(service.oneshot(request).await.is_err());
        tokio_now() - began
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_brings_its_own_limits() {
        let both = ServiceBuilder::new()
            .layer(total(SECOND).per_request())
            .layer(attempt(500 * MS).per_request())
            .service(hangs::<Request<()>>());
        let with = |limits| Request::builder().extension(limits).body(()).expect("a request");
        assert_eq!(time_of(both.clone(), Request::new(())).await, 500 * MS);
        assert_eq!(time_of(both.clone(), with(CallLimits::new().attempt(100 * MS))).await, 100 * MS);
        assert_eq!(time_of(both.clone(), with(CallLimits::new().attempt(2 * SECOND))).await, SECOND);
        let longer = CallLimits::new().attempt(9 * SECOND).total(5 * SECOND);
        assert_eq!(time_of(both.clone(), with(longer)).await, 5 * SECOND);
        assert_eq!(time_of(both.clone(), with(CallLimits::new().total(Duration::ZERO))).await, Duration::ZERO);
        let error =
            both.oneshot(with(CallLimits::new().total(Duration::MAX).attempt(Duration::MAX))).await.unwrap_err();
        assert_eq!(timed_out(&error).1, YEAR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_of_further_out_makes_a_total_shorter() {
        let inner =
            TotalTimeoutLayer::new("inner", SECOND).expect("within bounds").per_request().layer(hangs::<Request<()>>());
        let outer = total(SECOND).per_request().layer(service_fn(move |request| {
            let inner = inner.clone();
            async move {
                time::sleep(700 * MS).await;
                inner.oneshot(request).await
            }
        }));
        // Both end at once; the error is that of the call, which is looked at first.
        let error = outer.oneshot(Request::new(())).await.unwrap_err();
        assert_eq!(timed_out(&error), ("inner", 300 * MS));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_carried_on_and_shrinks_by_the_time_spent() {
        let attempt = attempt(SECOND).per_request();
        let mut inner = ServiceBuilder::new().layer(attempt.clone().carry(millis())).service(reads());
        let service = ServiceBuilder::new().layer(total(2 * SECOND).per_request()).service(service_fn(
            move |request: Request<()>| {
                let second = request.clone();
                let (one, mut two) = (inner.call(request), inner.clone());
                async move {
                    let one = one.await?;
                    time::sleep(1_400 * MS).await;
                    Ok::<_, BoxError>((one, two.call(second).await?))
                }
            },
        ));
        let ((_, one, left), (_, two, rest)) = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!((one.as_deref(), left), (Some("1000"), Some(2 * SECOND)), "no more than the attempt may take");
        assert_eq!((two.as_deref(), rest), (Some("600"), Some(600 * MS)), "no more than what is left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_is_there_already_is_only_made_shorter() {
        let service = attempt(SECOND).per_request().carry(DeadlineHeader::grpc_timeout()).layer(reads());
        for (given, carried) in [("200m", "200000u"), ("5S", "1000000u"), ("nonsense", "1000000u")] {
            let request = Request::builder().header("grpc-timeout", given).body(()).expect("a request");
            let (header, ..) = service.clone().oneshot(request).await.unwrap();
            assert_eq!(header.as_deref(), Some(carried));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_carried_unless_asked_for() {
        let service = ServiceBuilder::new()
            .layer(total(SECOND).per_request())
            .layer(attempt(SECOND).per_request())
            .service(reads());
        assert_eq!(service.oneshot(Request::new(())).await.unwrap(), (None, None, Some(SECOND)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_can_make_the_total_shorter_and_never_longer() {
        let service = total(SECOND).per_request().honour(DeadlineHeader::grpc_timeout()).layer(hangs::<Request<()>>());
        let from = |header: &str| Request::builder().header("grpc-timeout", header).body(()).expect("a request");
        assert_eq!(time_of(service.clone(), from("250m")).await, 250 * MS);
        assert_eq!(time_of(service.clone(), from("99999999H")).await, SECOND);
        for odd in ["", "m", "1", "-1m", "+1m", "1.5S", "123456789n", "1 m", "1µ", "1h"] {
            let request = Request::builder().header("grpc-timeout", odd.as_bytes()).body(()).expect("a request");
            assert_eq!(time_of(service.clone(), request).await, SECOND, "{odd}");
        }
        let deaf = total(SECOND).per_request().layer(hangs());
        assert_eq!(time_of(deaf, from("250m")).await, SECOND);
    }
}
