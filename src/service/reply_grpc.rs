//! A rejection as a gRPC answer.

use std::{fmt::Write, time::Duration};

use http::{HeaderName, HeaderValue, Response, header::CONTENT_TYPE};

use super::{
    policy::{Sealed, Unchanged},
    reject::Reject,
};
use crate::rejected::Rejected;

/// A rejection is a gRPC answer `UNAVAILABLE` without messages ("trailers-only"); inner errors stay as they are.
///
/// It says in `grpc-message` which circuit rejected and why, and in `grpc-retry-pushback-ms` when to come back; `-1`, do not
/// retry, where only an operator can tell. The [`Rejected`] is an extension of the response: a circuit further out ignores it.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ReplyGrpc;

impl Sealed for ReplyGrpc {}

impl<Req, B: Default, Err> Reject<Req, Response<B>, Err> for ReplyGrpc {
    type Errors = Unchanged;

    fn reject(&self, _: Req, rejected: Rejected) -> Result<Response<B>, Err> {
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("14"));
        // Percent-encoded, so it is always a value.
        if let Ok(message) = HeaderValue::try_from(percent_encoded(&rejected.to_string())) {
            headers.insert(HeaderName::from_static("grpc-message"), message);
        }
        let pushback = rejected.retry_after().map_or(HeaderValue::from_static("-1"), |wait| whole_millis(wait).into());
        headers.insert(HeaderName::from_static("grpc-retry-pushback-ms"), pushback);
        response.extensions_mut().insert(rejected);
        Ok(response)
    }
}

/// As `grpc-message` wants it: all bytes but printable ASCII, and `%`, as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Rounded up: who comes back too early is rejected again. At most what the protocol's int32 holds.
fn whole_millis(wait: Duration) -> i32 {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    i32::try_from(millis).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_printable_ascii_and_can_be_read_again() {
        assert_eq!(percent_encoded("circuit `a b~` is open"), "circuit `a b~` is open");
        assert_eq!(percent_encoded("100 % größer\n\u{7f}"), "100 %25 gr%C3%B6%C3%9Fer%0A%7F");
        for byte in 0..=char::MAX as u32 {
            let Some(text) = char::from_u32(byte).filter(|_| byte < 0x300) else { continue };
            assert!(HeaderValue::try_from(percent_encoded(&text.to_string())).is_ok(), "{byte:x}");
        }
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_milliseconds() {
        for (nanos, millis) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(whole_millis(Duration::from_nanos(nanos)), millis);
        }
        assert_eq!(whole_millis(Duration::MAX), i32::MAX);
    }
}
