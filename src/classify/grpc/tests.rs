use std::{convert::Infallible, error::Error, time::Duration};

use super::*;
use crate::{rejected::Rejected, time::Nanos};

/// The answer of a server, with one header each.
fn answer(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).expect("a response")
}

fn head(response: &Response<()>) -> Outcome {
    GrpcClassifier::new().classify(Ok::<_, &Infallible>(response))
}

/// What a call means whose body ends so.
fn end(response: &Response<()>, ending: Ending<'_>) -> Outcome {
    let classifier = GrpcClassifier::new();
    let at_end = Classifier::<_, Infallible>::at_end(&classifier, response);
    if at_end.is_head() { head(response) } else { at_end.outcome(ending) }
}

fn trailers(headers: &[(&str, &str)]) -> HeaderMap {
    answer(200, headers).headers().clone()
}

const GRPC_HEAD: (&str, &str) = ("content-type", "application/grpc+proto");

#[test]
fn every_code_means_the_same_in_the_head_and_in_the_trailers() {
    use GrpcCode::{
        Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument,
        NotFound, Ok, OutOfRange, PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented,
        Unknown,
    };
    for code in GrpcCode::ALL {
        let expected = match code {
            Ok => Outcome::Success,
            Unknown | DeadlineExceeded | Internal | Unavailable | DataLoss => Outcome::failure(),
            ResourceExhausted => Outcome::Failure(Failure::new().rate_limited()),
            Cancelled | InvalidArgument | NotFound | AlreadyExists | PermissionDenied | FailedPrecondition => {
                Outcome::Ignored
            }
            Aborted | OutOfRange | Unimplemented | Unauthenticated => Outcome::Ignored,
        };
        let number = (code as u8).to_string();
        let status = ("grpc-status", number.as_str());
        assert_eq!(head(&answer(200, &[GRPC_HEAD, status])), expected, "{code:?} in the head");
        assert_eq!(head(&answer(503, &[status])), expected, "{code:?} outweighs the HTTP status");
        let late = end(&answer(200, &[GRPC_HEAD]), Ending::Trailers(&trailers(&[status])));
        assert_eq!(late, expected, "{code:?} in the trailers");
    }
}

#[test]
fn an_answer_without_a_code_is_judged_by_its_http_status() {
    for status in 100..1_000 {
        let expected = match status {
            200 => Outcome::Success, // so far
            401 | 403 | 404 => Outcome::Ignored,
            429 => Outcome::Failure(Failure::new().rate_limited()),
            _ => Outcome::failure(),
        };
        let response = answer(status, &[]);
        assert_eq!(head(&response), expected, "{status}");
        if status != 200 {
            assert_eq!(end(&response, Ending::Clean), expected, "{status} is not judged again");
        }
    }
    let busy = answer(503, &[("retry-after", "7")]);
    assert_eq!(head(&busy), Failure::new().retry_after(Duration::from_secs(7)).into());
}

#[test]
fn an_answer_that_is_no_grpc_is_unknown() {
    assert!(head(&answer(200, &[("content-type", "text/html")])).is_failure());
    assert!(!head(&answer(200, &[GRPC_HEAD])).is_failure());
}

#[test]
fn each_end_without_a_code_means_what_the_table_says() {
    let response = answer(200, &[GRPC_HEAD]);
    assert_eq!(end(&response, Ending::Clean), Outcome::failure(), "UNKNOWN");
    assert_eq!(end(&response, Ending::Trailers(&HeaderMap::new())), Outcome::failure(), "UNKNOWN");
    assert_eq!(end(&response, Ending::Broken), Outcome::failure(), "UNAVAILABLE");
    assert_eq!(end(&response, Ending::Dropped), Outcome::Ignored);
    let ok = answer(200, &[GRPC_HEAD, ("grpc-status", "0")]);
    assert_eq!(end(&ok, Ending::Dropped), Outcome::Success, "trailers-only");
}

#[test]
fn grpc_web_has_its_code_where_nobody_looks() {
    let response = answer(200, &[("content-type", "application/grpc-web+proto")]);
    assert_eq!(end(&response, Ending::Clean), Outcome::Success);
    assert_eq!(end(&response, Ending::Broken), Outcome::failure());
}

#[test]
fn a_pushback_lengthens_the_wait_of_a_failure() {
    let waits =
        |headers: &[_]| (head(&answer(200, headers)), end(&answer(200, &[]), Ending::Trailers(&trailers(headers))));
    let failure = Outcome::from(Failure::new().retry_after(Duration::from_millis(250)));
    assert_eq!(waits(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "250")]), (failure, failure));
    let limited = Outcome::from(Failure::new().rate_limited().retry_after(Duration::MAX));
    assert_eq!(waits(&[("grpc-status", "8"), ("grpc-retry-pushback-ms", "-1")]), (limited, limited));
    let ok = [("grpc-status", "0"), ("grpc-retry-pushback-ms", "250")];
    assert_eq!(waits(&ok), (Outcome::Success, Outcome::Success));
}

#[test]
fn an_error_that_says_no_more_is_a_failure_and_a_rejection_further_in_says_nothing() {
    let classify =
        |error: Box<dyn Error + Send + Sync>| GrpcClassifier::new().classify(Err::<&Response<()>, _>(&error));
    assert_eq!(classify("a broken pipe".into()), Outcome::failure());
    let rejected = Rejected::open("inner".into(), Nanos(1));
    let mut reply = answer(200, &[GRPC_HEAD, ("grpc-status", "14")]);
    assert_eq!(head(&reply), Outcome::failure());
    reply.extensions_mut().insert(rejected.clone());
    assert_eq!(head(&reply), Outcome::Ignored);
    assert_eq!(classify(rejected.into()), Outcome::Ignored);
}

#[cfg(feature = "tonic")]
#[test]
fn an_error_with_a_status_in_it_is_judged_by_its_code() {
    let classify =
        |error: Box<dyn Error + Send + Sync>| GrpcClassifier::new().classify(Err::<&Response<()>, _>(&error));
    assert_eq!(classify(tonic::Status::unauthenticated("who?").into()), Outcome::Ignored);
    let mut busy = tonic::Status::resource_exhausted("later");
    busy.metadata_mut().insert("grpc-retry-pushback-ms", 250.into());
    let limited = Failure::new().rate_limited().retry_after(Duration::from_millis(250));
    assert_eq!(classify(busy.into()), limited.into());
    assert_eq!(classify("a broken pipe".into()), Outcome::failure());
    let unboxed = tonic::Status::not_found("it");
    assert_eq!(GrpcClassifier::new().classify(Err::<&Response<()>, _>(&unboxed)), Outcome::Ignored);
}

#[test]
fn codes_can_be_moved() {
    let classifier = GrpcClassifier::new()
        .failure(GrpcCode::Aborted)
        .ignore(GrpcCode::Unavailable)
        .success(GrpcCode::NotFound)
        .ignore(GrpcCode::Ok);
    assert_eq!(classifier.classify_code(GrpcCode::Aborted), Outcome::failure());
    assert_eq!(classifier.classify_code(GrpcCode::NotFound), Outcome::Success);
    assert_eq!(classifier.classify_code(GrpcCode::Ok), Outcome::Ignored);
    assert_eq!(classifier.classify_ending(Ending::Broken), Outcome::Ignored);
    assert_eq!(classifier.success(GrpcCode::Unavailable).classify_ending(Ending::Broken), Outcome::Success);
    assert!(format!("{classifier:?}").contains("Aborted"));
    let as_before = GrpcClassifier::new().failure(GrpcCode::Unavailable).ignore(GrpcCode::NotFound);
    assert_eq!(as_before, GrpcClassifier::new());
}
