//! The bulkhead, with paused time.

use std::{
    future::{Future, pending},
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{task::yield_now, time};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::clock::tokio_now;

const MS: Duration = Duration::from_millis(1);

fn bulkhead(limit: u32, queue: u32) -> Bulkhead {
    Bulkhead::new("test", BulkheadConfig::new(limit).queue(queue, 100 * MS)).expect("within bounds")
}

/// In flight, queued, shed at once, shed after a wait.
fn gauges(bulkhead: &Bulkhead) -> (u32, u32, u64, u64) {
    (bulkhead.in_flight(), bulkhead.queued(), bulkhead.shed_full(), bulkhead.shed_waited())
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn settings_out_of_bounds_are_refused_by_name() {
    let error = Bulkhead::new("test", BulkheadConfig::new(0).queue(2_000_000, Duration::ZERO)).unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(|fault| (fault.field(), fault.value())).collect();
    assert_eq!(fields, [("limit", "0"), ("queue", "2000000"), ("max_wait", "0ns")]);
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_a_full_bulkhead_sheds_at_once() {
    let bulkhead = bulkhead(2, 0);
    let _places = [bulkhead.enter().await.unwrap(), bulkhead.enter().await.unwrap()];
    let error = bulkhead.enter().await.unwrap_err();
    assert_eq!((error.kind(), error.limit(), error.queue(), error.waited()), (Overload::Full, 2, 0, Duration::ZERO));
    assert_eq!(error.to_string(), "bulkhead `test` is full: 2 calls under way, 0 in the queue");
    assert_eq!(gauges(&bulkhead), (2, 0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_as_long_as_is_allowed_and_no_longer() {
    let bulkhead = bulkhead(1, 1);
    let _place = bulkhead.enter().await.unwrap();
    let began = tokio_now();
    let error = bulkhead.enter().await.unwrap_err();
    assert_eq!(tokio_now() - began, 100 * MS);
    assert_eq!((error.kind(), error.waited()), (Overload::WaitedTooLong, 100 * MS));
    assert_eq!(error.to_string(), "bulkhead `test` had no place within 100.0ms: 1 calls under way");
    assert_eq!(gauges(&bulkhead), (1, 0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_first_come_first_served() {
    let bulkhead = bulkhead(1, 5);
    let place = bulkhead.enter().await.unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..5)
        .map(|caller| {
            let (bulkhead, served) = (bulkhead.clone(), Arc::clone(&served));
            tokio::spawn(async move {
                let _place = bulkhead.enter().await.unwrap();
                served.lock().unwrap().push(caller);
                time::sleep(MS).await;
            })
        })
        .collect();
    yield_now().await;
    assert_eq!(gauges(&bulkhead), (1, 5, 0, 0));
    assert_eq!(bulkhead.enter().await.unwrap_err().kind(), Overload::Full, "five wait already");
    drop(place);
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(gauges(&bulkhead), (0, 0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_pushes_in_before_who_has_been_given_a_place() {
    let bulkhead = bulkhead(1, 1);
    let place = bulkhead.enter().await.unwrap();
    let mut waits = pin!(bulkhead.enter());
    assert!(poll(waits.as_mut()).is_pending());
    drop(place);
    // It has a place now, but has not run.
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (1, 1));
    assert_eq!(bulkhead.enter().await.unwrap_err().kind(), Overload::Full);
    assert!(matches!(poll(waits), Poll::Ready(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_leaves_the_queue() {
    let bulkhead = bulkhead(1, 1);
    let place = bulkhead.enter().await.unwrap();
    {
        let mut waits = pin!(bulkhead.enter());
        assert!(poll(waits.as_mut()).is_pending());
        assert_eq!(bulkhead.queued(), 1);
    }
    assert_eq!(bulkhead.queued(), 0);
    drop(place);
    assert_eq!(gauges(&bulkhead), (0, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_to_one_who_is_dropped_goes_to_the_next() {
    let bulkhead = bulkhead(1, 2);
    let place = bulkhead.enter().await.unwrap();
    let mut first = Box::pin(bulkhead.enter());
    assert!(poll(first.as_mut()).is_pending());
    let second = tokio::spawn({
        let bulkhead = bulkhead.clone();
        async move { bulkhead.enter().await.map(drop) }
    });
    yield_now().await;
    drop(place); // to the first, who does not run any more
    drop(first);
    assert_eq!(second.await.unwrap(), Ok(()), "it was woken");
    assert_eq!(gauges(&bulkhead), (0, 0, 0, 0));
}

/// A service that takes this time.
fn sleeper() -> impl Service<Duration, Response = (), Error = BoxError, Future: Send> + Clone {
    service_fn(|wait| async move {
        time::sleep(wait).await;
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn a_service_is_always_ready_and_queues_in_its_calls() {
    let bulkhead = bulkhead(1, 1);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(sleeper());
    let first = tokio::spawn(service.ready().await.unwrap().call(10 * MS));
    let second = tokio::spawn(service.ready().await.unwrap().call(10 * MS));
    let third = service.ready().await.unwrap().call(MS).await.unwrap_err();
    assert_eq!(Overloaded::find(&*third).unwrap().kind(), Overload::Full);
    let began = tokio_now();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(tokio_now() - began, 20 * MS);
    assert_eq!(gauges(&bulkhead), (0, 0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_place_back() {
    let bulkhead = bulkhead(1, 0);
    let service = BulkheadLayer::new(bulkhead.clone()).layer(sleeper());
    assert!(time::timeout(5 * MS, service.oneshot(Duration::MAX)).await.is_err());
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_with_the_answer_even_if_the_future_is_kept() {
    let bulkhead = bulkhead(1, 0);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(sleeper());
    let mut call = pin!(service.call(MS));
    call.as_mut().await.unwrap();
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_queue_holds_nothing_of_the_inner_service() {
    let bulkhead = bulkhead(1, 5);
    let inner = ServiceBuilder::new().concurrency_limit(2).service(sleeper());
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner.clone());
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(service.call(10 * MS))).collect();
    yield_now().await;
    assert_eq!(bulkhead.queued(), 4);
    time::timeout(MS, inner.oneshot(Duration::ZERO)).await.expect("one of two is free").unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_is_not_ready_is_waited_for_with_a_place() {
    let bulkhead = bulkhead(2, 0);
    let inner = ServiceBuilder::new().concurrency_limit(1).service(sleeper());
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner);
    let (first, second) = (tokio::spawn(service.call(10 * MS)), tokio::spawn(service.call(10 * MS)));
    yield_now().await;
    assert_eq!(bulkhead.in_flight(), 2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    // Neither of the two clones keeps the one place that is below.
    service.call(Duration::ZERO).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_breaks_gives_the_place_back() {
    #[derive(Clone)]
    struct Broken;
    impl Service<()> for Broken {
        type Response = ();
        type Error = BoxError;
        type Future = std::future::Pending<Result<(), BoxError>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("broken".into()))
        }
        fn call(&mut self, (): ()) -> Self::Future {
            pending()
        }
    }
    let bulkhead = bulkhead(1, 0);
    let error = BulkheadLayer::new(bulkhead.clone()).layer(Broken).oneshot(()).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), bulkhead.in_flight()), ("broken", 0));
}
