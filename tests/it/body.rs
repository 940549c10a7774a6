//! Calls that are over when the body is: every way in which a body can end, by hand.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Failure, Outcome, State,
    classify::{AtEnd, Classifier, Ending, HttpClassifier, http_fn},
    config::{Recovery, RecoveryWindow, SlowCalls},
    service::{EndOfBody, Fail, ResponseBody, Single},
};

use crate::support::{SECOND, THREE, manual, trip};

/// What a body does when it is polled.
#[derive(Clone, Copy, Debug)]
enum Step {
    Breaks,
    Data,
    Panics,
    Trailers(&'static str),
    Waits,
}

/// A body that does as it is told and has no default, as hyper's.
#[derive(Debug)]
struct Script {
    steps: VecDeque<Step>,
    /// Whether it says so when nothing is left.
    tells: bool,
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Breaks) => Some(Err("broken")),
            Some(Step::Data) => Some(Ok(Frame::data(Bytes::from_static(b"data")))),
            Some(Step::Panics) => panic!("the body panics, as it was told"),
            Some(Step::Trailers(status)) => {
                let trailers =
                    HeaderMap::from_iter([(HeaderName::from_static("x-status"), HeaderValue::from_static(status))]);
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Step::Waits) => return Poll::Pending,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.tells && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4 * self.steps.len() as u64)
    }
}

fn answer(status: u16, steps: &[Step]) -> Response<Script> {
    let script = Script { steps: steps.iter().copied().collect(), tells: false };
    Response::builder().status(status).extension("kept").body(script).expect("a response")
}

fn layer(circuit: &Circuit) -> CircuitBreakerLayer<Single<HttpClassifier, Fail, EndOfBody>> {
    CircuitBreakerLayer::new(circuit.clone()).until_end_of_body()
}

type Guarded = Response<ResponseBody<Script>>;

/// Makes a call that is answered so.
fn call(circuit: &Circuit, response: Response<Script>) -> Guarded {
    call_by(layer(circuit), response)
}

fn call_by<C>(layer: CircuitBreakerLayer<Single<C, Fail, EndOfBody>>, response: Response<Script>) -> Guarded
where
    C: Classifier<Response<Script>, Infallible> + Clone,
{
    let mut response = Some(response);
    let inner = service_fn(move |_: Request<()>| {
        let response = response.take().expect("called once");
        async move { Ok::<_, Infallible>(response) }
    });
    let mut future = std::pin::pin!(layer.layer(inner).oneshot(Request::new(())));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("it is not rejected"),
        Poll::Pending => panic!("it answers at once"),
    }
}

/// Polls a body until it has nothing more, waits or breaks.
fn read(body: &mut ResponseBody<Script>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    loop {
        let polled = Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop()));
        seen.push(match polled {
            Poll::Pending => "waits",
            Poll::Ready(None) => "end",
            Poll::Ready(Some(Err(_))) => "breaks",
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => "trailers",
            Poll::Ready(Some(Ok(_))) => "data",
        });
        if !matches!(seen.last(), Some(&("data" | "trailers"))) {
            return seen;
        }
    }
}

/// Successes, failures and ignored calls.
fn counts(circuit: &Circuit) -> (u64, u64, u64) {
    let ledger = circuit.snapshot().ledger;
    (ledger.succeeded, ledger.failed, ledger.ignored)
}

/// What a call means that is answered with these steps and read as far as it goes.
fn after(status: u16, steps: &[Step]) -> (u64, u64, u64) {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(status, steps));
    read(response.body_mut());
    drop(response);
    counts(&circuit)
}

const SUCCEEDED: (u64, u64, u64) = (1, 0, 0);
const FAILED: (u64, u64, u64) = (0, 1, 0);
const IGNORED: (u64, u64, u64) = (0, 0, 1);

#[test]
fn each_end_of_a_body_settles_its_call_once() {
    use Step::{Breaks, Data, Trailers, Waits};
    assert_eq!(after(200, &[]), SUCCEEDED);
    assert_eq!(after(200, &[Data, Data]), SUCCEEDED);
    assert_eq!(after(200, &[Data, Trailers("9")]), SUCCEEDED, "HTTP has no opinion about trailers");
    assert_eq!(after(200, &[Data, Waits, Data]), SUCCEEDED, "dropped before the end");
    assert_eq!(after(200, &[Breaks]), FAILED);
    assert_eq!(after(200, &[Data, Data, Breaks]), FAILED);
    assert_eq!(after(500, &[Data]), FAILED);
    assert_eq!(after(500, &[Breaks]), FAILED, "once");
    assert_eq!(after(404, &[Breaks]), IGNORED, "the head has said it");
}

#[test]
fn nothing_is_settled_before_the_end_and_all_at_the_end() {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(200, &[Step::Data, Step::Waits, Step::Data]));
    assert_eq!((counts(&circuit), response.body().is_settled()), ((0, 0, 0), false));
    assert_eq!(read(response.body_mut()), ["data", "waits"]);
    assert_eq!((counts(&circuit), response.body().is_settled()), ((0, 0, 0), false));
    assert_eq!(read(response.body_mut()), ["data", "end"]);
    assert_eq!((counts(&circuit), response.body().is_settled()), (SUCCEEDED, true));
    assert_eq!(read(response.body_mut()), ["end"], "polled again");
    drop(response);
    assert_eq!(counts(&circuit), SUCCEEDED);
}

#[test]
fn a_body_that_says_it_is_at_its_end_is_not_waited_for() {
    let (circuit, _) = manual(THREE);
    let mut empty = answer(200, &[]);
    empty.body_mut().tells = true;
    let response = call(&circuit, empty);
    assert_eq!((counts(&circuit), response.body().is_settled()), (SUCCEEDED, true), "at the head");
    let mut last = answer(200, &[Step::Data]);
    last.body_mut().tells = true;
    let mut response = call(&circuit, last);
    assert_eq!(counts(&circuit), SUCCEEDED);
    let frame = Pin::new(response.body_mut()).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    assert_eq!((counts(&circuit), response.body().is_settled()), ((2, 0, 0), true), "with the last frame");
}

#[test]
fn bodies_that_break_off_open_the_circuit() {
    let (circuit, _) = manual(THREE);
    for _ in 0..3 {
        assert_eq!(circuit.state(), State::Closed);
        read(call(&circuit, answer(200, &[Step::Data, Step::Breaks])).body_mut());
    }
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_body_that_panics_is_a_failure_whoever_catches_it() {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(200, &[Step::Data, Step::Panics]));
    assert!(catch_unwind(AssertUnwindSafe(|| read(response.body_mut()))).is_err());
    assert_eq!(counts(&circuit), FAILED, "before it is dropped");
    drop(response);
    assert_eq!(counts(&circuit), FAILED);
}

#[test]
fn a_probe_is_settled_at_its_head_however_long_its_stream_is() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    clock.advance(SECOND);
    let mut response = call(&circuit, answer(200, &[Step::Data, Step::Waits, Step::Breaks]));
    assert_eq!((circuit.state(), response.body().is_settled()), (State::Closed, true));
    assert_eq!(read(response.body_mut()), ["data", "waits"]);
    assert_eq!(read(response.body_mut()), ["breaks"]);
    assert_eq!(circuit.snapshot().ledger.failed, 1, "the trip; what comes after the head decides nothing");
}

#[test]
fn a_probe_without_a_body_is_judged_by_all_that_there_is() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    clock.advance(SECOND);
    let mut empty = answer(200, &[]);
    empty.body_mut().tells = true;
    call_by(layer(&circuit).classify(Trailing), empty);
    assert_eq!(circuit.state(), State::Open, "it misses its trailers");
}

/// A circuit that recovers by a window, with its first probe behind it.
fn recovering() -> (Circuit, tower_breaker::clock::ManualClock) {
    let (circuit, clock) = manual(THREE.recovery(Recovery::Window(RecoveryWindow::new())));
    trip(&circuit);
    clock.advance(SECOND);
    call(&circuit, answer(200, &[]));
    assert_eq!(circuit.state(), State::Recovering);
    (circuit, clock)
}

#[test]
fn streams_do_not_fill_the_window_of_a_recovery() {
    let (circuit, clock) = recovering();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut response = call(&circuit, answer(200, &[Step::Data, Step::Waits, Step::Breaks]));
        assert!(!response.body().is_settled(), "the first frames may say more");
        read(response.body_mut());
        assert!(response.body().is_settled());
        streams.push(response);
    }
    clock.advance(60 * SECOND);
    drop(call(&circuit, answer(200, &[])));
    assert_eq!(circuit.state(), State::Closed, "no lease of a stream was over");
}

#[test]
fn a_recovery_sees_bodies_that_break_off_along_with_their_heads() {
    let (circuit, _) = recovering();
    for _ in 0..5 {
        read(call(&circuit, answer(200, &[Step::Data, Step::Breaks])).body_mut());
    }
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_call_is_as_slow_as_its_head() {
    let (circuit, clock) = manual(THREE.slow_calls(SlowCalls::new(SECOND)));
    let mut quick = call(&circuit, answer(200, &[Step::Data, Step::Waits]));
    read(quick.body_mut());
    clock.advance(100 * SECOND);
    assert_eq!(read(quick.body_mut()), ["end"]);
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.ledger.succeeded, snapshot.ledger.slow), (1, 0));

    let slow = service_fn(|_: Request<()>| {
        clock.advance(SECOND + Duration::from_nanos(1));
        async { Ok::<_, Infallible>(answer(200, &[])) }
    });
    let mut future = std::pin::pin!(layer(&circuit).layer(slow).oneshot(Request::new(())));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it answers at once");
    };
    drop(response);
    assert_eq!(circuit.snapshot().ledger.slow, 1);
}

#[test]
fn a_stream_that_outlives_its_phase_decides_nothing() {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(200, &[Step::Breaks]));
    trip(&circuit);
    read(response.body_mut());
    assert_eq!((circuit.snapshot().ledger.late, circuit.state()), (1, State::Open));
}

#[test]
fn a_failure_can_be_told_while_the_stream_goes_on() {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(200, &[Step::Data, Step::Waits, Step::Data]));
    read(response.body_mut());
    response.body_mut().record(Failure::new().tripping());
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, FAILED));
    response.body_mut().record(Outcome::Success);
    assert_eq!(read(response.body_mut()), ["data", "end"], "the stream goes on");
    drop(response);
    assert_eq!((counts(&circuit), circuit.snapshot().ledger.late), (FAILED, 0), "once");
}

/// Trailers must say that all is well.
#[derive(Clone)]
struct Trailing;

impl<B, E> Classifier<Response<B>, E> for Trailing {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::failure() }
    }

    fn at_end(&self, response: &Response<B>) -> AtEnd {
        if response.status() == StatusCode::NO_CONTENT {
            return AtEnd::head();
        }
        AtEnd::judge(|ending| match ending {
            Ending::Trailers(trailers) if trailers["x-status"] == "0" => Outcome::Success,
            Ending::Trailers(trailers) if trailers["x-status"] == "panic" => panic!("the judge panics, as it was told"),
            Ending::Trailers(_) | Ending::Broken | Ending::Clean => Outcome::failure(),
            Ending::Dropped => Outcome::Ignored,
        })
    }
}

#[test]
fn a_classifier_may_look_at_the_end() {
    let end = |status, steps: &[Step]| {
        let (circuit, _) = manual(THREE);
        let mut response = call_by(layer(&circuit).classify(Trailing), answer(status, steps));
        read(response.body_mut());
        drop(response);
        counts(&circuit)
    };
    assert_eq!(end(200, &[Step::Data, Step::Trailers("0")]), SUCCEEDED);
    assert_eq!(end(200, &[Step::Data, Step::Trailers("1")]), FAILED);
    assert_eq!(end(200, &[Step::Data]), FAILED, "no trailers");
    assert_eq!(end(200, &[Step::Data, Step::Waits]), IGNORED, "dropped");
    assert_eq!(end(204, &[Step::Breaks]), SUCCEEDED, "the head has said it");
}

#[test]
fn a_judge_that_panics_makes_a_failure() {
    let (circuit, _) = manual(THREE);
    let mut response = call_by(layer(&circuit).classify(Trailing), answer(200, &[Step::Trailers("panic")]));
    assert!(catch_unwind(AssertUnwindSafe(|| read(response.body_mut()))).is_err());
    assert_eq!(counts(&circuit), FAILED);
}

#[test]
fn a_closure_needs_to_know_nothing_of_bodies() {
    let (circuit, _) = manual(THREE);
    let layer = layer(&circuit).classify(http_fn(|seen| seen.default_outcome()));
    read(call_by(layer, answer(200, &[Step::Breaks])).body_mut());
    assert_eq!(counts(&circuit), FAILED);
}

#[test]
fn the_rest_of_the_response_is_that_of_the_inner_service() {
    let (circuit, _) = manual(THREE);
    let mut response = call(&circuit, answer(206, &[Step::Data, Step::Data]));
    assert_eq!(response.extensions().get::<&str>(), Some(&"kept"));
    assert_eq!((response.status().as_u16(), response.body().size_hint().exact()), (206, Some(8)));
    assert!(!response.body().is_end_stream());
    assert!(format!("{:?}", response.body()).contains("settled: false"));
    *response.body_mut() = Script { steps: VecDeque::new(), tells: true }.into();
    assert!(response.body().is_end_stream());
}

/// Hyper's own body has no default; that of a layer which waits for the end has one.
#[tokio::test]
async fn a_rejection_can_be_a_response_without_a_default_body() {
    let (circuit, _) = manual(Config::new().initial_state(State::Open));
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer(200, &[])) });
    let mut service = layer(&circuit).reply_503().layer(inner);
    let response = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.body().is_end_stream() && response.body().is_settled());
    assert_eq!(response.body().size_hint().exact(), Some(0));

    let own = |_: Request<()>, _| Response::new(ResponseBody::from(Script { steps: VecDeque::new(), tells: true }));
    let service = CircuitBreakerLayer::new(circuit.clone()).reply_with(own).until_end_of_body().layer(inner);
    assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
}
