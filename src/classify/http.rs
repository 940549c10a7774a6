//! What an HTTP response means.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Response, StatusCode};

use super::{Classifier, chain, retry_after};
use crate::{
    outcome::{Failure, Outcome},
    overloaded::Overloaded,
    rejected::Rejected,
};

/// Judges HTTP responses by their status, and errors as failures.
///
/// | result | meaning |
/// |---|---|
/// | 1xx, 2xx, 3xx | success |
/// | 408, and 5xx but 501 and 505, and what is no valid status (600 to 999, RFC 9110 section 15) | failure, with its `Retry-After` |
/// | 429 | failure for the rates, not for a run; with its `Retry-After` |
/// | other 4xx, 501, 505 | ignored: the caller's mistake, not the dependency's health |
/// | an error | failure (timeouts, refused connections, broken bodies) |
/// | `Rejected`, also as a response of `reply_503`; tower's `Overloaded` | ignored: the call was not made |
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
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "a classifier does nothing until a layer has it"]
pub struct HttpClassifier {
    /// None for the table above. Behind a pointer, since a classifier goes along with each call.
    table: Option<Arc<Table>>,
}

impl HttpClassifier {
    /// Returns the classifier of the table above.
    pub const fn new() -> Self {
        Self { table: None }
    }

    /// Makes a status a failure. 429 stays apart: it is no part of a run.
    pub fn failure(self, status: StatusCode) -> Self {
        self.with(status, true, false)
    }

    /// Makes a status a success.
    pub fn success(self, status: StatusCode) -> Self {
        self.with(status, false, false)
    }

    /// Makes a status say nothing.
    pub fn ignore(self, status: StatusCode) -> Self {
        self.with(status, false, true)
    }

    fn with(self, status: StatusCode, failure: bool, ignored: bool) -> Self {
        let mut table = *self.table();
        table.failures.set(status.as_u16(), failure);
        table.ignored.set(status.as_u16(), ignored);
        Self { table: Some(Arc::new(table)) }
    }

    fn table(&self) -> &Table {
        self.table.as_deref().unwrap_or(&STANDARD)
    }

    /// Returns what a response head means.
    #[must_use]
    pub fn classify_head(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        let code = status.as_u16();
        let Table { failures, ignored } = self.table();
        if ignored.has(code) {
            return Outcome::Ignored;
        }
        if !failures.has(code) {
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

    #[cfg_attr(not(feature = "reqwest"), expect(clippy::unused_self, reason = "errors of reqwest may have a status"))]
    pub(super) fn classify_error<E: 'static>(&self, error: &E) -> Outcome {
        #[cfg(feature = "reqwest")]
        if let Some(status) = super::of_reqwest::status(error) {
            return self.classify_head(status, &HeaderMap::new());
        }
        chain::classify(error)
    }
}

impl<B, E: 'static> Classifier<Response<B>, E> for HttpClassifier {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) if is_rejection(response.extensions()) => Outcome::Ignored,
            Ok(response) => self.classify_head(response.status(), response.headers()),
            Err(error) => self.classify_error(error),
        }
    }
}

impl fmt::Debug for HttpClassifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Table { failures, ignored } = self.table();
        f.debug_struct("HttpClassifier").field("failures", failures).field("ignored", ignored).finish()
    }
}

/// Whether a circuit or a bulkhead further in, in this process, has answered in place of the dependency.
pub(super) fn is_rejection(extensions: &Extensions) -> bool {
    extensions.get::<Rejected>().is_some() || extensions.get::<Overloaded>().is_some()
}

/// Which statuses are failures, and which say nothing; the others are successes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Table {
    failures: StatusSet,
    ignored: StatusSet,
}

static STANDARD: Table = Table::standard();

impl Table {
    const fn standard() -> Self {
        let mut table = Self { failures: StatusSet([0; 16]), ignored: StatusSet([0; 16]) };
        let mut code = 400;
        while code < 1_000 {
            let failure = code == 408 || code == 429 || (code >= 500 && code != 501 && code != 505);
            table.failures.set(code, failure);
            table.ignored.set(code, !failure);
            code += 1;
        }
        table
    }
}

/// A set of status codes, one bit each from 0 to 1023.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StatusSet([u64; 16]);

impl StatusSet {
    const fn set(&mut self, code: u16, member: bool) {
        let (word, bit) = (code as usize / 64 % 16, 1 << (code % 64));
        self.0[word] = if member { self.0[word] | bit } else { self.0[word] & !bit };
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
    use std::convert::Infallible;

    use super::*;
    use crate::time::Nanos;

    #[test]
    fn every_status_means_what_the_table_says() {
        for code in 100..1_000 {
            let status = StatusCode::from_u16(code).expect("a status");
            let outcome = HttpClassifier::new().classify_head(status, &HeaderMap::new());
            let expected = match code {
                429 => Outcome::Failure(Failure::new().rate_limited()),
                408 | 500 | 502..=504 | 506..=999 => Outcome::failure(),
                400..=499 | 501 | 505 => Outcome::Ignored,
                _ => Outcome::Success,
            };
            assert_eq!(outcome, expected, "{code}");
        }
    }

    #[test]
    fn statuses_can_be_moved_and_the_others_stay() {
        let classifier = HttpClassifier::new()
            .failure(StatusCode::NOT_FOUND)
            .failure(StatusCode::SERVICE_UNAVAILABLE)
            .success(StatusCode::INTERNAL_SERVER_ERROR)
            .ignore(StatusCode::BAD_GATEWAY);
        for code in 100..1_000 {
            let status = StatusCode::from_u16(code).expect("a status");
            let classify = |classifier: &HttpClassifier| classifier.classify_head(status, &HeaderMap::new());
            let expected = match code {
                404 => Outcome::failure(),
                500 => Outcome::Success,
                502 => Outcome::Ignored,
                _ => classify(&HttpClassifier::new()),
            };
            assert_eq!(classify(&classifier), expected, "{code}");
        }
        assert!(format!("{classifier:?}").contains("failures: {404, 408,"), "{classifier:?}");
    }

    #[test]
    fn the_answer_of_a_circuit_further_in_says_nothing() {
        let mut reply = Response::builder().status(503).body(()).expect("a response");
        let classify = |reply: &Response<()>| HttpClassifier::new().classify(Ok::<_, &Infallible>(reply));
        assert_eq!(classify(&reply), Outcome::failure());
        reply.extensions_mut().insert(Rejected::open("inner".into(), Nanos(1)));
        assert_eq!(classify(&reply), Outcome::Ignored);
    }
}
