//! What a result means for the circuit: the one place where a 404 and a 503 part ways.
//!
//! A [`Classifier`] looks at a response or an error and says whether it is a success, a failure, or nothing at all.
//! `HttpClassifier` knows HTTP, `GrpcClassifier` gRPC, [`ErrorsAsFailures`] fits any service, [`classify_fn`] and `http_fn`
//! make one from a closure. See the [chapter on classification](crate::guide::classify).

#[cfg(feature = "http")]
mod at_end;
mod chain;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "grpc")]
mod grpc_code;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "reqwest")]
mod of_reqwest;
#[cfg(feature = "tower-http")]
mod of_tower_http;
#[cfg(feature = "http")]
mod retry_after;
#[cfg(feature = "http")]
mod seen;

#[cfg(feature = "fallback")]
pub(crate) use self::chain::find as find_error;
#[cfg(any(feature = "fallback", all(feature = "http", feature = "retry")))]
pub(crate) use self::chain::is_local;
#[cfg(feature = "tower-http")]
pub use self::of_tower_http::TowerHttp;
#[cfg(feature = "http")]
pub use self::{
    at_end::{AtEnd, Ending},
    http::HttpClassifier,
    seen::{HttpFn, Seen, http_fn},
};
#[cfg(all(feature = "http", feature = "retry"))]
pub(crate) use self::{chain::any_in_chain, retry_after::read as read_retry_after};
#[cfg(feature = "grpc")]
pub use self::{grpc::GrpcClassifier, grpc_code::GrpcCode};

use std::{any::type_name, fmt};

use crate::outcome::Outcome;

/// Decides what the result of a call means for the circuit.
///
/// A layer clones it for each call, so it must be `Clone` there. It is asked once for each call that was made, when the
/// response head is there or the call has failed; the readiness error of an inner service is put to it too. Where the layer
/// waits for the end of the body it is asked a second question, which has an answer by default.
///
/// ```
/// use tower_breaker::{Outcome, classify::Classifier};
///
/// /// An envelope that answers 200 with an error inside.
/// #[derive(Clone)]
/// struct Envelope;
///
/// impl<E> Classifier<Result<String, u16>, E> for Envelope {
///     fn classify(&self, result: Result<&Result<String, u16>, &E>) -> Outcome {
///         match result {
///             Ok(Ok(_)) => Outcome::Success,
///             Ok(Err(code)) if *code < 500 => Outcome::Ignored,
///             Ok(Err(_)) | Err(_) => Outcome::failure(),
///         }
///     }
/// }
/// # let verdict = Envelope.classify(Err::<&Result<String, u16>, _>(&()));
/// # assert!(verdict.is_failure());
/// ```
pub trait Classifier<Res, Err> {
    /// Returns what the result means.
    ///
    /// # Panics
    ///
    /// A panic goes on to the caller, and the call is a failure.
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;

    /// Returns how the end of the body is to be judged, after a head that was a success.
    ///
    /// Only a layer with [`until_end_of_body`](crate::CircuitBreakerLayer::until_end_of_body) asks. By default a body that
    /// breaks off is a failure, and any other end leaves it at the success.
    ///
    /// # Panics
    ///
    /// As [`Classifier::classify`].
    #[cfg(feature = "http")]
    fn at_end(&self, response: &Res) -> AtEnd {
        let _ = response;
        AtEnd::body()
    }
}

/// `Ok` is a success, `Err` a failure; for any service.
///
/// Errors of our own making are ignored: a [`Rejected`](crate::Rejected) of a circuit further in, and tower's
/// `Overloaded`. They are found in a boxed error and its sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorsAsFailures;

impl ErrorsAsFailures {
    /// Makes the classifier.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<Res, Err: 'static> Classifier<Res, Err> for ErrorsAsFailures {
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => chain::classify(error),
        }
    }
}

/// Makes a classifier from a closure over the result.
///
/// Its arguments need types: `|result: Result<&Response, &Error>| …`. Where a spawned future then is "not general enough",
/// spawn `service.oneshot(request)` itself, not an `async` block around it. For HTTP, `http_fn` needs none.
pub fn classify_fn<F>(classify: F) -> ClassifyFn<F> {
    ClassifyFn { classify }
}

/// A classifier made by [`classify_fn`].
#[derive(Clone, Copy)]
pub struct ClassifyFn<F> {
    classify: F,
}

impl<F, Res, Err> Classifier<Res, Err> for ClassifyFn<F>
where
    F: Fn(Result<&Res, &Err>) -> Outcome,
{
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        (self.classify)(result)
    }
}

impl<F> fmt::Debug for ClassifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClassifyFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
