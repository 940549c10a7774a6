//! What an HTTP response means.

use std::fmt;

use http::{HeaderMap, Response, StatusCode};

use super::{Classifier, chain, retry_after};
use crate::outcome::{Failure, Outcome};

/// Judges HTTP responses by their status, and errors as failures.
///
/// | result | meaning |
/// |---|---|
/// | 1xx, 2xx, 3xx | success |
/// | 408, and 5xx but 501 and 505 | failure, with its `Retry-After` |
/// | 429 | failure for the rates, not for a run; with its `Retry-After` |
/// | other 4xx, 501, 505 | ignored: the caller's mistake, not the dependency's health |
/// | an error | failure (timeouts, refused connections, broken bodies) |
/// | `Rejected`, tower's `Overloaded` | ignored: the call was not made |
///
/// 408 is a failure because tower-http's timeout answers with it.
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_breaker::{Outcome, classify::{Classifier, HttpClassifier}};
///
/// let classifier = HttpClassifier::new().failure(StatusCode::NOT_FOUND).ignore(StatusCode::BAD_GATEWAY);
/// let status = |status| Response::builder().status(status).body(()).unwrap();
/// let classify = |response: &Response<()>| classifier.classify(Ok::<_, &std::io::Error>(response));
///
/// assert!(classify(&status(404)).is_failure());
/// assert_eq!(classify(&status(502)), Outcome::Ignored);
/// assert!(classify(&status(500)).is_failure());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "a classifier does nothing until a layer has it"]
pub struct HttpClassifier {
    failures: StatusSet,
    ignored: StatusSet,
}

impl HttpClassifier {
    /// Returns the classifier of the table above.
    pub const fn new() -> Self {
        let mut failures = StatusSet::new();
        let mut ignored = StatusSet::new();
        let mut code = 400;
        while code < 600 {
            let is_failure = code == 408 || code == 429 || (code >= 500 && code != 501 && code != 505);
            if is_failure {
                failures = failures.with(code);
            } else {
                ignored = ignored.with(code);
            }
            code += 1;
        }
        Self { failures, ignored }
    }

    /// Makes a status a failure. 429 stays apart: it is no part of a run.
    pub const fn failure(self, status: StatusCode) -> Self {
        let code = status.as_u16();
        Self { failures: self.failures.with(code), ignored: self.ignored.without(code) }
    }

    /// Makes a status a success.
    pub const fn success(self, status: StatusCode) -> Self {
        let code = status.as_u16();
        Self { failures: self.failures.without(code), ignored: self.ignored.without(code) }
    }

    /// Makes a status say nothing.
    pub const fn ignore(self, status: StatusCode) -> Self {
        let code = status.as_u16();
        Self { failures: self.failures.without(code), ignored: self.ignored.with(code) }
    }

    /// Returns what a response head means.
    #[must_use]
    pub fn classify_head(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        let code = status.as_u16();
        if self.ignored.has(code) {
            return Outcome::Ignored;
        }
        if !self.failures.has(code) {
            return Outcome::Success;
        }
        let mut failure = Failure::new();
        if let Some(wait) = retry_after::read(headers) {
            failure = failure.retry_after(wait);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            failure = failure.rate_limited();
        }
        failure.into()
    }
}

impl Default for HttpClassifier {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, E: 'static> Classifier<Response<B>, E> for HttpClassifier {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => self.classify_head(response.status(), response.headers()),
            Err(error) => chain::classify(error),
        }
    }
}

impl fmt::Debug for HttpClassifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClassifier").field("failures", &self.failures).field("ignored", &self.ignored).finish()
    }
}

/// A set of status codes, one bit each from 0 to 1023.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StatusSet([u64; 16]);

impl StatusSet {
    const fn new() -> Self {
        Self([0; 16])
    }

    const fn with(mut self, code: u16) -> Self {
        self.0[code as usize / 64 % 16] |= 1 << (code % 64);
        self
    }

    const fn without(mut self, code: u16) -> Self {
        self.0[code as usize / 64 % 16] &= !(1 << (code % 64));
        self
    }

    const fn has(&self, code: u16) -> bool {
        self.0[code as usize / 64 % 16] & (1 << (code % 64)) != 0
    }
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..1_000).filter(|code| self.has(*code))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_means_what_the_table_says() {
        for code in 100..1_000 {
            let status = StatusCode::from_u16(code).expect("a status");
            let outcome = HttpClassifier::new().classify_head(status, &HeaderMap::new());
            let expected = match code {
                429 => Outcome::Failure(Failure::new().rate_limited()),
                408 | 500 | 502..=504 | 506..=599 => Outcome::failure(),
                400..=499 | 501 | 505 => Outcome::Ignored,
                _ => Outcome::Success,
            };
            assert_eq!(outcome, expected, "{code}");
        }
    }
}
