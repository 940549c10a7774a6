//! The fallback outside a circuit: when it answers, with what, how many at once, and what is counted.

use std::{convert::Infallible, future::ready, time::Duration};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Mode, Rejected, State,
    classify::{ErrorsAsFailures, HttpClassifier},
    fallback::{FallbackLayer, FallenBack},
};

use crate::support::{SECOND, THREE, circuit, trip};

/// Answers even numbers, and fails for odd ones.
fn even(number: u32) -> Result<String, BoxError> {
    if number % 2 == 0 { Ok(format!("{number}")) } else { Err("odd".into()) }
}

/// That, behind a circuit.
fn guarded(
    circuit: &Circuit,
) -> impl Service<u32, Response = String, Error = BoxError, Future: Send> + Clone + Send + use<> {
    ServiceBuilder::new()
        .layer(CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()))
        .service(service_fn(|number: u32| ready(even(number))))
}

#[tokio::test]
async fn a_value_answers_while_the_circuit_is_open_and_at_no_other_time() {
    let circuit = circuit(THREE);
    let layer = FallbackLayer::value("stands in".to_owned());
    let counts = layer.counts();
    let service = layer.layer(guarded(&circuit));
    assert_eq!(service.clone().oneshot(2).await.unwrap(), "2");
    assert_eq!(service.clone().oneshot(1).await.unwrap_err().to_string(), "odd", "a failure is the caller's to see");
    trip(&circuit);
    assert_eq!(service.clone().oneshot(2).await.unwrap(), "stands in");
    circuit.reset();
    assert_eq!(service.oneshot(2).await.unwrap(), "2");
    assert_eq!((counts.used(), counts.failed(), counts.shed(), counts.under_way()), (1, 0, 0, 0));
}

#[tokio::test]
async fn a_closure_is_given_what_was_drawn_and_what_failed() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let layer = FallbackLayer::from_fn(
        |number: &u32| *number,
        |number, failed| {
            assert!(!failed.is_answer());
            format!("{number}: {}", failed.rejected().expect("it is open").circuit())
        },
    );
    assert_eq!(layer.layer(guarded(&circuit)).oneshot(4).await.unwrap(), "4: test");
}

#[tokio::test]
async fn on_failure_answers_for_failures_and_for_calls_that_were_not_made() {
    let circuit = circuit(THREE);
    let layer = FallbackLayer::value("stands in".to_owned()).on_failure(ErrorsAsFailures::new());
    let service = layer.layer(guarded(&circuit));
    assert_eq!(service.clone().oneshot(2).await.unwrap(), "2");
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "stands in");
    }
    assert_eq!(circuit.state(), State::Open, "the circuit, further in, has seen them all");
    assert_eq!(service.oneshot(2).await.unwrap(), "stands in");

    let shed = ServiceBuilder::new().layer(layer).load_shed().concurrency_limit(0);
    assert_eq!(shed.service(service_fn(|n: u32| ready(even(n)))).oneshot(2).await.unwrap(), "stands in");
}

#[tokio::test]
async fn a_predicate_chooses() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let odd = |result: Result<&String, &BoxError>| result.is_err_and(|error| error.to_string() == "odd");
    let layer = FallbackLayer::value("stands in".to_owned()).on(odd);
    let service = layer.layer(guarded(&circuit));
    assert!(Rejected::find(&*service.clone().oneshot(1).await.unwrap_err()).is_some(), "that was not chosen");
    circuit.set_mode(Mode::Disabled, None);
    assert_eq!(service.oneshot(1).await.unwrap(), "stands in");
}

#[tokio::test]
async fn a_fallback_that_has_nothing_leaves_the_original_error() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let layer = FallbackLayer::from_async(
        |number: &u32| *number,
        |number, _| async move { (number != 13).then(|| "found".to_owned()) },
    );
    let counts = layer.counts();
    let service = layer.layer(guarded(&circuit));
    assert_eq!(service.clone().oneshot(12).await.unwrap(), "found");
    let error = service.oneshot(13).await.unwrap_err();
    assert_eq!(Rejected::find(&*error).expect("the original error").circuit(), "test");
    assert_eq!((counts.used(), counts.failed()), (1, 1));
}

#[tokio::test]
async fn another_service_takes_over_and_its_error_is_not_the_callers() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let other = service_fn(|text: String| ready(if text == "4" { Ok(text) } else { Err("its own") }));
    let layer = FallbackLayer::service(u32::to_string, other);
    let counts = layer.counts();
    let service = layer.layer(guarded(&circuit));
    assert_eq!(service.clone().oneshot(4).await.unwrap(), "4");
    assert!(Rejected::find(&*service.oneshot(6).await.unwrap_err()).is_some());
    assert_eq!((counts.used(), counts.failed()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_callers_get_the_original_error_at_once() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let layer = FallbackLayer::from_async(
        |_: &u32| (),
        |(), _| async {
            tokio::time::sleep(SECOND).await;
            Some("late".to_owned())
        },
    )
    .limit(2);
    let counts = layer.counts();
    // Two services of one layer share the limit.
    let (one, two) = (layer.layer(guarded(&circuit)), layer.layer(guarded(&circuit)));
    let first = tokio::spawn(one.clone().oneshot(2));
    let second = tokio::spawn(two.clone().oneshot(2));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(counts.under_way(), 2);
    let third = one.clone().oneshot(2).now_or_never().expect("at once");
    assert!(Rejected::find(&*third.unwrap_err()).is_some());
    assert_eq!(counts.shed(), 1);

    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert_eq!(counts.under_way(), 1, "a fallback that is dropped gives its place back");
    assert_eq!(two.oneshot(2).await.unwrap(), "late");
    assert_eq!(first.await.unwrap().unwrap(), "late");
    assert_eq!((counts.used(), counts.failed(), counts.shed(), counts.under_way()), (2, 0, 1, 0));
}

#[tokio::test]
async fn what_does_not_wait_is_not_limited() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let layer = FallbackLayer::value("stands in".to_owned()).limit(0);
    assert_eq!(layer.layer(guarded(&circuit)).oneshot(2).await.unwrap(), "stands in");
}

#[tokio::test]
async fn a_panic_of_the_fallback_frees_its_place_and_is_nothing_to_the_circuit() {
    let circuit = circuit(THREE);
    let layer = FallbackLayer::from_async(|_: &u32| (), |(), _| async { panic!("of the fallback") })
        .on_failure(ErrorsAsFailures::new());
    let counts = layer.counts();
    let call = tokio::spawn(layer.layer(guarded(&circuit)).oneshot(1));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((counts.under_way(), counts.used(), counts.failed()), (0, 0, 0));
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.succeeded), (1, 0), "the failed call, once");
}

/// The measured row N1 and N2 of the table of wrong orders.
#[tokio::test]
async fn a_fallback_inside_a_circuit_hides_every_failure_from_it() {
    let stand_in = FallbackLayer::value("stands in".to_owned()).on_failure(ErrorsAsFailures::new());
    let guard = |circuit: &Circuit| CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new());
    let down = service_fn(|_: u32| ready(Err::<String, BoxError>("down".into())));
    let (inside, outside) = (circuit(THREE), circuit(THREE));
    let wrong = ServiceBuilder::new().layer(guard(&inside)).layer(stand_in.clone()).service(down);
    let right = ServiceBuilder::new().layer(stand_in).layer(guard(&outside)).service(down);
    for _ in 0..100 {
        assert_eq!(wrong.clone().oneshot(1).await.unwrap(), "stands in");
        assert_eq!(right.clone().oneshot(1).await.unwrap(), "stands in");
    }
    assert_eq!((inside.state(), inside.snapshot().ledger.succeeded), (State::Closed, 100), "blind");
    assert_eq!((outside.state(), outside.snapshot().ledger.failed), (State::Open, 3));
}

#[tokio::test]
async fn an_order_is_queued_and_one_that_finds_no_room_is_not_acknowledged() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let (queue, mut later) = mpsc::channel(1);
    let layer = FallbackLayer::queue(|number: &u32| *number, queue, || "accepted".to_owned());
    let counts = layer.counts();
    let service = layer.layer(guarded(&circuit));
    assert_eq!(service.clone().oneshot(8).await.unwrap(), "accepted");
    assert!(service.clone().oneshot(10).await.is_err(), "full");
    assert_eq!(later.recv().await, Some(8));
    assert_eq!(service.clone().oneshot(12).await.unwrap(), "accepted");
    drop(later);
    assert!(service.oneshot(14).await.is_err(), "nobody listens");
    assert_eq!((counts.used(), counts.failed(), counts.under_way()), (2, 2, 0));
}

#[tokio::test]
async fn a_marked_answer_says_what_it_stands_for() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::value(Response::new("stands in")).on_failure(HttpClassifier::new()).mark())
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .service(service_fn(|_: Request<()>| ready(Response::builder().status(StatusCode::BAD_GATEWAY).body("bad"))));
    let response = service.clone().oneshot(Request::new(())).await.unwrap();
    let mark = response.extensions().get::<FallenBack>().expect("a mark");
    assert_eq!(Rejected::find(mark.error().expect("an error")).expect("the original").circuit(), "test");
    assert_eq!((mark.status(), response.status()), (None, StatusCode::OK));

    circuit.set_mode(Mode::Disabled, None);
    let response = service.oneshot(Request::new(())).await.unwrap();
    let mark = response.extensions().get::<FallenBack>().expect("a mark");
    assert_eq!((mark.status(), mark.error().is_none()), (Some(StatusCode::BAD_GATEWAY), true));
    assert_eq!(mark.to_string(), "a fallback for the answer 502 Bad Gateway");
}

/// Such a service is what axum takes.
#[tokio::test]
async fn an_error_type_that_has_no_values_stays_so() {
    let circuit = circuit(THREE.initial_state(State::Open));
    let rejected = |result: Result<&Response<String>, &Infallible>| {
        result.is_ok_and(|response| response.extensions().get::<Rejected>().is_some())
    };
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::value(Response::new("stands in".to_owned())).on(rejected))
        .layer(CircuitBreakerLayer::new(circuit).reply_503())
        .service(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(String::new())))));
    let response: Result<_, Infallible> = service.oneshot(Request::new(())).await;
    assert_eq!(response.unwrap().into_body(), "stands in");
}

#[test]
fn the_readiness_is_that_of_the_inner_service() {
    let circuit = circuit(Config::new());
    let (inner, hand) = crate::support::fake::guarded(&circuit);
    let mut service = FallbackLayer::value(()).on_failure(ErrorsAsFailures::new()).layer(inner);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    hand.set(crate::support::fake::Readiness::Busy);
    assert!(service.poll_ready(&mut cx).is_pending());
    hand.set(crate::support::fake::Readiness::Broken);
    assert!(matches!(service.poll_ready(&mut cx), std::task::Poll::Ready(Err(_))));
}
