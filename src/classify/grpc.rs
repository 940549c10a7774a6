//! What a gRPC answer means.

use std::{any::Any, fmt};

use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};

use super::{AtEnd, Classifier, Ending, GrpcCode, chain, grpc_code, http::is_rejection, retry_after};
use crate::outcome::{Failure, Outcome};

/// Judges gRPC answers by their status code, wherever it stands: in the head, in the trailers, or nowhere.
///
/// | result | meaning |
/// |---|---|
/// | `OK` | success |
/// | `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS` | failure |
/// | `RESOURCE_EXHAUSTED` | failure for the rates, not for a run, as 429 |
/// | any other code | ignored: the caller's mistake, or no fault of the server |
/// | no code in the head, and an HTTP status that is not 200 | as the code of [`GrpcCode::from_http`]; 429 is no part of a run |
/// | no code in the head, and a content type that is not gRPC's | `UNKNOWN` |
/// | no code anywhere | `UNKNOWN` |
/// | a body that breaks off | `UNAVAILABLE` |
/// | a body that is dropped before its end | ignored: the caller has lost interest |
/// | an error | failure (timeouts, refused connections); with the feature `tonic` by its status, if there is one in it |
/// | `Rejected`, also as an answer of `reply_grpc`; tower's `Overloaded` | ignored: the call was not made |
///
/// A failure keeps its `grpc-retry-pushback-ms`; a negative one asks for the longest wait there is,
/// [`Config::max_retry_after`](crate::Config::max_retry_after). An answer without a code may have a `Retry-After`.
///
/// A stream's code stands in its trailers, so a layer needs
/// [`until_end_of_body`](crate::CircuitBreakerLayer::until_end_of_body); the presets `grpc_client` and `grpc_server` have it.
/// Without it an answer with a good head is a success. gRPC-Web has its code in the body, where nobody looks: there a body
/// that breaks off is a failure, and any other end a success.
///
/// ```
/// use tower_breaker::{Circuit, CircuitBreakerLayer, classify::{GrpcClassifier, GrpcCode}};
///
/// let circuit = Circuit::builder("ledger").build()?;
/// let codes = GrpcClassifier::new().failure(GrpcCode::Aborted).ignore(GrpcCode::Unknown);
/// let layer = CircuitBreakerLayer::grpc_client(circuit).classify(codes);
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "a classifier does nothing until a layer has it"]
pub struct GrpcClassifier {
    failures: Codes,
    ignored: Codes,
}

impl GrpcClassifier {
    /// Returns the classifier of the table above.
    pub const fn new() -> Self {
        use GrpcCode::{DataLoss, DeadlineExceeded, Internal, Ok, ResourceExhausted, Unavailable, Unknown};
        let failures = Codes::of(&[Unknown, DeadlineExceeded, ResourceExhausted, Internal, Unavailable, DataLoss]);
        let good = Codes::of(&[Ok]);
        Self { failures, ignored: Codes(!(failures.0 | good.0)) }
    }

    /// Makes a code a failure. `RESOURCE_EXHAUSTED` stays apart: it is no part of a run.
    pub const fn failure(self, code: GrpcCode) -> Self {
        Self { failures: self.failures.with(code), ignored: self.ignored.without(code) }
    }

    /// Makes a code a success.
    pub const fn success(self, code: GrpcCode) -> Self {
        Self { failures: self.failures.without(code), ignored: self.ignored.without(code) }
    }

    /// Makes a code say nothing.
    pub const fn ignore(self, code: GrpcCode) -> Self {
        Self { failures: self.failures.without(code), ignored: self.ignored.with(code) }
    }

    /// Returns what a code means.
    #[must_use]
    pub const fn classify_code(&self, code: GrpcCode) -> Outcome {
        if self.ignored.has(code) {
            Outcome::Ignored
        } else if !self.failures.has(code) {
            Outcome::Success
        } else if matches!(code, GrpcCode::ResourceExhausted) {
            Outcome::Failure(Failure::new().rate_limited())
        } else {
            Outcome::failure()
        }
    }

    /// Returns what the end of a body means that has not said its code in the head.
    #[must_use]
    pub fn classify_ending(&self, ending: Ending<'_>) -> Outcome {
        match ending {
            Ending::Broken => self.classify_code(GrpcCode::Unavailable),
            Ending::Clean => self.classify_code(GrpcCode::Unknown),
            Ending::Dropped => Outcome::Ignored,
            Ending::Trailers(trailers) => {
                let code = GrpcCode::read(trailers).unwrap_or(GrpcCode::Unknown);
                pushed_back(self.classify_code(code), trailers)
            }
        }
    }

    /// Looks for the status of an error that is a failure as far as is known.
    #[cfg(feature = "tonic")]
    fn classify_failure(&self, failure: Failure, error: &dyn Any) -> Outcome {
        chain::find::<tonic::Status>(error).map_or(failure.into(), |status| {
            let code = GrpcCode::ALL.get(status.code() as usize).copied().unwrap_or(GrpcCode::Unknown);
            pushed_back(self.classify_code(code), status.metadata().as_ref())
        })
    }

    #[cfg(not(feature = "tonic"))]
    #[expect(clippy::unused_self, reason = "as above")]
    fn classify_failure(&self, failure: Failure, _: &dyn Any) -> Outcome {
        failure.into()
    }

    fn classify_head(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        if let Some(code) = GrpcCode::read(headers) {
            return pushed_back(self.classify_code(code), headers);
        }
        if status == StatusCode::OK && is_grpc(headers) {
            return Outcome::Success;
        }
        match self.classify_code(GrpcCode::from_http(status)) {
            Outcome::Failure(mut failure) => {
                if status == StatusCode::TOO_MANY_REQUESTS {
                    failure = failure.rate_limited();
                }
                retry_after::read(headers).map_or(failure, |wait| failure.retry_after(wait)).into()
            }
            outcome @ (Outcome::Ignored | Outcome::Success) => outcome,
        }
    }
}

impl Default for GrpcClassifier {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, E: 'static> Classifier<Response<B>, E> for GrpcClassifier {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) if is_rejection(response.extensions()) => Outcome::Ignored,
            Ok(response) => self.classify_head(response.status(), response.headers()),
            Err(error) => match chain::classify(error) {
                Outcome::Failure(failure) => self.classify_failure(failure, error),
                outcome @ (Outcome::Ignored | Outcome::Success) => outcome,
            },
        }
    }

    fn at_end(&self, response: &Response<B>) -> AtEnd {
        let headers = response.headers();
        if GrpcCode::read(headers).is_some() || response.status() != StatusCode::OK {
            AtEnd::head()
        } else if is_web(headers) {
            AtEnd::body()
        } else {
            AtEnd::grpc(*self)
        }
    }
}

impl fmt::Debug for GrpcClassifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcClassifier").field("failures", &self.failures).field("ignored", &self.ignored).finish()
    }
}

fn pushed_back(outcome: Outcome, headers: &HeaderMap) -> Outcome {
    match (outcome, grpc_code::pushback(headers)) {
        (Outcome::Failure(failure), Some(wait)) => failure.retry_after(wait).into(),
        (Outcome::Failure(_) | Outcome::Ignored | Outcome::Success, _) => outcome,
    }
}

/// Whether it may be an answer of gRPC: some servers say nothing of the content, and tonic does not ask.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(GRPC))
}

fn is_web(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(GRPC_WEB))
}

const GRPC: &[u8] = b"application/grpc";
const GRPC_WEB: &[u8] = b"application/grpc-web";

/// A set of codes, one bit each.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Codes(u32);

impl Codes {
    const fn of(codes: &[GrpcCode]) -> Self {
        let mut set = Self(0);
        let mut at = 0;
        while at < codes.len() {
            set = set.with(codes[at]);
            at += 1;
        }
        set
    }

    const fn with(self, code: GrpcCode) -> Self {
        Self(self.0 | 1 << code as u32)
    }

    const fn without(self, code: GrpcCode) -> Self {
        Self(self.0 & !(1 << code as u32))
    }

    const fn has(self, code: GrpcCode) -> bool {
        self.0 & 1 << code as u32 != 0
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(GrpcCode::ALL.iter().filter(|code| self.has(**code))).finish()
    }
}

#[cfg(test)]
mod tests;
