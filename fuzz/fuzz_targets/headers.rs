//! Any bytes as `Retry-After` and `Date`: nothing panics, and nobody is kept waiting for longer than the settings allow.

#![no_main]

use std::{convert::Infallible, time::Duration};

use arbitrary::{Arbitrary, Result, Unstructured};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use libfuzzer_sys::fuzz_target;
use tower_breaker::{
    Config, Instant, Outcome, State,
    classify::{Classifier, HttpClassifier},
    config::{FailureRate, Probing, Window},
    machine::Machine,
};
use tower_breaker_fuzz::{
    draw::{Bytes, one_of, within},
    raw::any_span,
};

#[derive(Debug)]
struct Input {
    status: u16,
    /// The statuses that are made failures, successes and ignored.
    table: Vec<(u16, u8)>,
    retry_after: Vec<Vec<u8>>,
    date: Vec<Vec<u8>>,
    max_retry_after: Duration,
}

const STATUSES: [u16; 8] = [429, 503, 500, 408, 200, 404, 501, 999];
const WAIT: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let status = |u: Bytes| match within(u, 0, 3)? {
            0 => Ok(u.int_in_range(100..=999)?),
            _ => one_of(u, &STATUSES),
        };
        let values = |u: Bytes| {
            let count = one_of(u, &[0, 1, 1, 1, 1, 1, 1, 2])?;
            (0..count).map(|_| value(u)).collect::<Result<Vec<_>>>()
        };
        let max_retry_after = any_span(u)?.clamp(Duration::from_millis(1), YEAR);
        let changes = one_of(u, &[0, 0, 0, 1, 2])?;
        let table = (0..changes).map(|_| Ok((status(u)?, within(u, 0, 2)? as u8))).collect::<Result<_>>()?;
        Ok(Self { status: status(u)?, table, max_retry_after, date: values(u)?, retry_after: values(u)? })
    }
}

/// Words that headers are made of, and any bytes.
fn value(u: Bytes) -> Result<Vec<u8>> {
    const WORDS: [&[u8]; 12] = [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"18446744073709551616",
        b"120",
        b"0",
        b"-1",
        b" ",
        b"\xff",
        b"GMT",
    ];
    let mut value = Vec::new();
    for _ in 0..one_of(u, &[1, 1, 2, 3])? {
        if within(u, 0, 1)? == 0 {
            value.extend_from_slice(one_of(u, &WORDS)?);
        } else {
            let length = within(u, 0, 32)? as usize;
            value.extend_from_slice(u.bytes(length.min(u.len()))?);
        }
    }
    // One byte of a word changed now and then.
    if within(u, 0, 2)? == 0 && !value.is_empty() {
        let at = within(u, 0, value.len() as u32 - 1)? as usize;
        value[at] = u8::arbitrary(u)?;
    }
    Ok(value)
}

fuzz_target!(|input: Input| {
    let mut classifier = HttpClassifier::new();
    for &(code, meaning) in &input.table {
        let status = StatusCode::from_u16(code).expect("from 100 to 999");
        classifier = match meaning {
            0 => classifier.failure(status),
            1 => classifier.success(status),
            _ => classifier.ignore(status),
        };
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(input.status).expect("from 100 to 999");
    let mut given = Vec::new();
    for (name, values) in [(RETRY_AFTER, &input.retry_after), (DATE, &input.date)] {
        for value in values {
            // What can be no header at all does not come this far.
            let Ok(value) = HeaderValue::from_bytes(value) else { continue };
            response.headers_mut().append(HeaderName::from(&name), value.clone());
            if name == RETRY_AFTER {
                given.push(value);
            }
        }
    }
    let outcome = classifier.classify(Ok::<_, &Infallible>(&response));
    assert_eq!(kind(outcome), expected(&input), "{outcome:?}");
    // Not the outcomes: a date without a `Date` is measured by the wall clock, which has gone on.
    assert_eq!(kind(outcome), kind(classifier.classify_head(response.status(), response.headers())));
    if outcome.is_failure() {
        waits(&input, &given, outcome);
    }
});

#[derive(Debug, PartialEq)]
enum Kind {
    Failure,
    Ignored,
    Success,
}

fn kind(outcome: Outcome) -> Kind {
    match outcome {
        Outcome::Failure(_) => Kind::Failure,
        Outcome::Ignored => Kind::Ignored,
        Outcome::Success => Kind::Success,
    }
}

/// By the documented table, and by the last change of it.
fn expected(input: &Input) -> Kind {
    if let Some((_, meaning)) = input.table.iter().rev().find(|(code, _)| *code == input.status) {
        return [Kind::Failure, Kind::Success, Kind::Ignored].into_iter().nth((*meaning).into()).expect("three");
    }
    match input.status {
        408 | 429 | 500 | 502..=504 | 506..=999 => Kind::Failure,
        400..=499 | 501 | 505 => Kind::Ignored,
        _ => Kind::Success,
    }
}

/// Opens a circuit by this failure, and looks for how long.
fn waits(input: &Input, given: &[HeaderValue], outcome: Outcome) {
    let max = input.max_retry_after;
    let config = Config::without_rules()
        .failure_rate(FailureRate::new(1.0).minimum_calls(1).window(Window::count(1)))
        .probing(Probing::fixed(WAIT))
        .max_retry_after(max);
    let mut machine = Machine::new("it", config, 0, Instant::ZERO).expect("the settings are within bounds");
    let stamp = machine.admit(Instant::ZERO).expect("closed");
    machine.settle(stamp, Some(outcome), Instant::ZERO);
    assert_eq!(machine.state(), State::Open);
    let wait = machine.snapshot(Instant::ZERO).retry_after.expect("open");
    assert!(wait >= WAIT && wait <= max.max(WAIT), "waits for {wait:?}, asked by {given:?}, at most {max:?}");
    let [value] = given else {
        assert_eq!(wait, WAIT, "no answer, or two: {given:?}");
        return;
    };
    // White space around a value is none of it; what is not visible ASCII is none.
    let text = value.as_bytes().trim_ascii();
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        // Digit by digit; it cannot overflow, since it stops growing at the longest wait there is.
        let secs =
            text.iter().fold(0, |secs: u64, digit| (secs * 10 + u64::from(digit - b'0')).min(YEAR.as_secs() + 1));
        assert_eq!(wait, Duration::from_secs(secs).min(max).max(WAIT), "{value:?}");
    } else if !text.ends_with(b"GMT") && !text.last().is_some_and(u8::is_ascii_digit) {
        assert_eq!(wait, WAIT, "neither seconds nor a date: {value:?}");
    }
}
