//! The table of what is tried again, and what is written into a repeated request.

use std::error::Error;

use http::{Method, header::RETRY_AFTER};
use tower::{BoxError, load_shed::error::Overloaded};

use super::*;
use crate::{circuit::Circuit, rejected::Rejected, retry::RetryConfig};

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> HttpRetry {
    HttpRetry::new(Retries::builder().config(RetryConfig::new().attempts(4)).build().expect("within bounds"))
}

fn request(method: Method) -> Request<()> {
    Request::builder().method(method).body(()).expect("a request")
}

fn answer(status: u16) -> Result<Response<()>, BoxError> {
    Ok(Response::builder().status(status).body(()).expect("a response"))
}

/// Whether a first attempt with this result would be followed by a second.
fn repeats<E: 'static>(policy: &HttpRetry, mut request: Request<()>, result: Result<Response<()>, E>) -> bool {
    let mut policy = policy.clone();
    let copied = Policy::<_, Response<()>, E>::clone_request(&mut policy, &request);
    let mut result = result;
    copied.is_some() && policy.retry(&mut request, &mut result).is_some()
}

fn io_error(kind: io::ErrorKind) -> BoxError {
    io::Error::from(kind).into()
}

#[tokio::test(start_paused = true)]
async fn every_status_is_tried_again_as_the_table_says() {
    for code in 100..1_000 {
        let listed = matches!(code, 408 | 429 | 500 | 502 | 503 | 504);
        assert_eq!(repeats(&policy(), request(Method::GET), answer(code)), listed, "GET {code}");
        assert_eq!(repeats(&policy(), request(Method::POST), answer(code)), code == 429, "POST {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_idempotent_or_says_so_is_tried_again() {
    for (method, idempotent) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::TRACE, true),
        (Method::PUT, true),
        (Method::DELETE, true),
        (Method::POST, false),
        (Method::PATCH, false),
        (Method::CONNECT, false),
    ] {
        assert_eq!(repeats(&policy(), request(method.clone()), answer(503)), idempotent, "{method}");
        let reset = Err(io_error(io::ErrorKind::ConnectionReset));
        assert_eq!(repeats(&policy(), request(method.clone()), reset), idempotent, "{method}, reset");
        let mut keyed = request(method.clone());
        keyed.headers_mut().insert("idempotency-key", HeaderValue::from_static("7"));
        assert!(repeats(&policy(), keyed, answer(503)), "{method} with a key");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_tried_again_whatever_the_method() {
    let post = || request(Method::POST);
    assert!(repeats(&policy(), post(), Err(io_error(io::ErrorKind::ConnectionRefused))));
    assert!(!repeats(&policy(), post(), Err(io_error(io::ErrorKind::HostUnreachable))), "it may have been sent");
    let told = policy().never_sent(|seen| seen.find_error::<fmt::Error>().is_some());
    assert!(repeats(&told, post(), Err(BoxError::from(fmt::Error))));
    assert!(repeats(&told, post(), Err(fmt::Error)), "also where it is not boxed");
    assert!(repeats(&told, post(), Err(io_error(io::ErrorKind::ConnectionRefused))), "in addition to what is known");
    assert!(!repeats(&told, post(), Err(io_error(io::ErrorKind::ConnectionReset))));
}

/// An error whose source is a rejection.
#[derive(Debug)]
struct Wrapped(Rejected);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_our_own_making_are_never_tried_again() {
    let circuit = Circuit::builder("test").build().expect("within bounds");
    circuit.force_open();
    let rejected = circuit.try_acquire().expect_err("forced open");
    let wrapped = Wrapped(rejected.clone());
    assert!(!repeats(&policy(), request(Method::GET), Err(rejected.clone())));
    assert!(!repeats(&policy(), request(Method::GET), Err(BoxError::from(rejected))));
    assert!(!repeats(&policy(), request(Method::GET), Err(BoxError::from(wrapped))));
    assert!(!repeats(&policy(), request(Method::GET), Err(BoxError::from(Overloaded::new()))));
    assert!(repeats(&policy(), request(Method::GET), Err(BoxError::from("something else"))));
}

#[tokio::test(start_paused = true)]
async fn statuses_are_chosen_by_setters() {
    let policy = policy().retry_on(StatusCode::CONFLICT).accept(StatusCode::INTERNAL_SERVER_ERROR);
    assert!(repeats(&policy, request(Method::GET), answer(409)));
    assert!(!repeats(&policy, request(Method::POST), answer(409)));
    assert!(!repeats(&policy, request(Method::GET), answer(500)));
    let policy = policy.accept(StatusCode::TOO_MANY_REQUESTS);
    assert!(!repeats(&policy, request(Method::GET), answer(429)));
}

#[tokio::test(start_paused = true)]
async fn timeouts_are_known_as_such_since_they_cost_more() {
    let cause = |result: Result<Response<()>, BoxError>| policy().judge(&request(Method::GET), result.as_ref());
    let timed_out = Some((Cause::TimedOut, None));
    assert_eq!(cause(answer(504)), timed_out);
    assert_eq!(cause(answer(408)), timed_out);
    assert_eq!(cause(Err(Elapsed::new().into())), timed_out);
    assert_eq!(cause(Err(TimedOut::new("test".into(), Duration::from_secs(1)).into())), timed_out);
    assert_eq!(cause(Err(io_error(io::ErrorKind::TimedOut))), timed_out);
    assert_eq!(cause(answer(503)), Some((Cause::Failed, None)));
    assert_eq!(cause(Err(io_error(io::ErrorKind::ConnectionReset))), Some((Cause::Failed, None)));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_read_in_seconds_and_as_a_date() {
    let asked = |value: &str| {
        let mut response = Response::builder().status(503).header(RETRY_AFTER, value);
        response = response.header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let response = response.body(()).expect("a response");
        policy().judge(&request(Method::GET), Ok::<_, &BoxError>(&response)).and_then(|(_, after)| after)
    };
    assert_eq!(asked("7"), Some(7 * SECOND));
    assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30 * SECOND));
    assert_eq!(asked("soon"), None);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_is_the_same_and_tells_how_many_came_before() {
    fn copy(policy: &mut HttpRetry, request: &Request<&'static str>) -> Option<Request<&'static str>> {
        Policy::<_, Response<()>, BoxError>::clone_request(policy, request)
    }
    let mut policy = policy().attempt_header(HeaderName::from_static("x-attempts-before"));
    let mut first =
        Request::put("/a?b=c").version(http::Version::HTTP_2).header("x-own", "1").body("body").expect("a request");
    first.extensions_mut().insert(7_u8);
    let mut next = copy(&mut policy, &first);
    for before in ["1", "2", "3"] {
        let mut request = next.take().expect("another attempt");
        let wait = policy.retry(&mut request, &mut answer(503));
        wait.expect("leave").await;
        assert_eq!(request.headers()["x-attempts-before"], before);
        assert_eq!((request.method(), request.uri()), (&Method::PUT, first.uri()));
        assert_eq!((request.version(), *request.body()), (http::Version::HTTP_2, "body"));
        assert_eq!(
            (&request.headers()["x-own"], request.extensions().get()),
            (&HeaderValue::from_static("1"), Some(&7_u8))
        );
        next = copy(&mut policy, &request);
    }
    assert!(next.is_none(), "the last attempt is not copied");
    assert!(first.headers().get("x-attempts-before").is_none());
}
