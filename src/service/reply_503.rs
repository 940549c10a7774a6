//! A rejection as an HTTP response.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use super::{
    policy::{Sealed, Unchanged},
    reject::Reject,
};
use crate::rejected::Rejected;

/// A rejection is a response `503 Service Unavailable` with `Retry-After` and an empty body; inner errors stay as they
/// are, so axum needs no `HandleErrorLayer`.
///
/// The [`Rejected`] is an extension of the response: a circuit further out ignores it, where it would count a `503`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Reply503;

impl Sealed for Reply503 {}

impl<Req, B: Default, Err> Reject<Req, Response<B>, Err> for Reply503 {
    type Errors = Unchanged;

    fn reject(&self, _: Req, rejected: Rejected) -> Result<Response<B>, Err> {
        Ok(unavailable(rejected))
    }
}

/// The response of a rejection.
pub(crate) fn unavailable<B: Default>(rejected: Rejected) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(wait) = rejected.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    response.extensions_mut().insert(rejected);
    response
}

/// Rounded up, and one at least: who comes back at zero is too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (millis, secs) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), secs, "{millis} ms");
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
