//! The table of gRPC, what the server asks for, and what is written into a repeated request.

use std::io;

use tower::{BoxError, load_shed::error::Overloaded};

use super::*;
use crate::circuit::Circuit;

fn policy() -> GrpcRetry {
    GrpcRetry::new(Retries::builder().build().expect("within bounds"))
}

fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
    let response = Response::builder().status(status);
    headers
        .iter()
        .fold(response, |response, (name, value)| response.header(*name, *value))
        .body(())
        .expect("a response")
}

fn judge(policy: &GrpcRetry, response: &Response<()>) -> Option<(Cause, Option<Duration>)> {
    policy.judge(Ok::<_, &BoxError>(response))
}

fn repeats(policy: &GrpcRetry, error: impl Into<BoxError>) -> bool {
    policy.judge(Err::<&Response<()>, _>(&error.into())).is_some()
}

#[test]
fn of_all_codes_unavailable_is_tried_again_and_others_if_they_are_chosen() {
    let chosen = policy().retry_on(GrpcCode::ResourceExhausted).retry_on(GrpcCode::DeadlineExceeded);
    for code in [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "64", "x", "",
    ] {
        let response = answer(200, &[("grpc-status", code)]);
        assert_eq!(judge(&policy(), &response).is_some(), code == "14", "{code}");
        assert_eq!(judge(&chosen, &response).is_some(), ["4", "8", "14"].contains(&code), "{code}");
    }
    let deadline = answer(200, &[("grpc-status", "4")]);
    assert_eq!(judge(&chosen, &deadline), Some((Cause::TimedOut, None)));
}

#[test]
fn without_a_code_the_status_of_http_speaks() {
    for status in 100..600 {
        let tried = matches!(status, 429 | 502 | 503 | 504);
        assert_eq!(judge(&policy(), &answer(status, &[])).is_some(), tried, "{status}");
    }
    assert!(judge(&policy(), &answer(503, &[("grpc-status", "3")])).is_none(), "the code goes before it");
}

#[test]
fn a_pushback_is_a_lower_bound_or_a_veto() {
    let pushed = |value| judge(&policy(), &answer(200, &[("grpc-status", "14"), ("grpc-retry-pushback-ms", value)]));
    assert_eq!(pushed("1500"), Some((Cause::Failed, Some(Duration::from_millis(1500)))));
    assert_eq!(pushed("0"), Some((Cause::Failed, Some(Duration::ZERO))));
    for veto in ["-1", "soon", "", "1.5"] {
        assert_eq!(pushed(veto), None, "{veto:?}");
    }
}

#[test]
fn an_error_is_tried_again_if_nothing_was_sent_or_nothing_can_be_done_twice() {
    let circuit = Circuit::builder("test").build().expect("within bounds");
    circuit.force_open();
    let rejected = circuit.try_acquire().expect_err("forced open");
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    assert!(repeats(&policy(), refused()) && !repeats(&policy(), reset()));
    let idempotent = policy().idempotent();
    assert!(repeats(&idempotent, refused()) && repeats(&idempotent, reset()));
    assert!(!repeats(&idempotent, rejected) && !repeats(&idempotent, Overloaded::new()));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_tells_how_many_came_before() {
    let mut policy = policy();
    let mut next = Some(Request::new("body"));
    for before in ["1", "2"] {
        let mut result: Result<_, BoxError> = Ok(answer(200, &[("grpc-status", "14")]));
        let request = next.take().expect("another attempt");
        let mut copied =
            Policy::<_, Response<()>, BoxError>::clone_request(&mut policy, &request).expect("another attempt");
        policy.retry(&mut copied, &mut result).expect("leave").await;
        assert_eq!(copied.headers()["grpc-previous-rpc-attempts"], before);
        next = Some(copied);
    }
}

/// A body that was too long to keep.
struct Half;

impl Replay for Half {
    fn replay(&self) -> Option<Self> {
        Some(Self)
    }

    fn is_whole(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_is_not_whole_is_not_repeated() {
    let mut result: Result<_, BoxError> = Ok(answer(200, &[("grpc-status", "14")]));
    assert!(policy().retry(&mut Request::new(Half), &mut result).is_none());
    assert!(policy().retry(&mut Request::new(()), &mut result).is_some());
}
