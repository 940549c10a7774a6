//! The classifiers of tower-http, put to use here.

use std::{any::type_name, fmt};

use http::{Request, Response};
use tower_http::classify::{ClassifiedResponse, ClassifyEos, ClassifyResponse, MakeClassifier};

use super::{AtEnd, Classifier, Ending, chain, http::is_rejection};
use crate::outcome::Outcome;

/// Judges as a [`MakeClassifier`] of tower-http does, so that the circuit and the log of a `TraceLayer` agree.
///
/// tower-http knows successes and failures only; the closure says what each class of failure means, so that some can be
/// ignored. What is more:
///
/// - A classifier that waits for the end of a stream, as `GrpcErrorsAsFailures` does, is asked there if the layer has
///   [`until_end_of_body`](crate::CircuitBreakerLayer::until_end_of_body); without it such an answer is a success. A body that
///   is dropped before is ignored then.
/// - A `Rejected`, as an error or a response, and tower's `Overloaded` are ignored without asking it.
/// - It is shown an empty `GET /` in place of the request: those of tower-http do not look at it.
/// - Nothing is known of `Retry-After`.
///
/// `GrpcErrorsAsFailures` takes `NOT_FOUND` for a failure, and for successes a 503 of a proxy and a stream without a code;
/// [`GrpcClassifier`](super::GrpcClassifier) does not.
///
/// ```
/// use tower_breaker::{Circuit, CircuitBreakerLayer, Outcome, classify::TowerHttp};
/// use tower_http::classify::{ServerErrorsAsFailures, ServerErrorsFailureClass};
///
/// let circuit = Circuit::builder("pages").build()?;
/// let by_class = TowerHttp::new(ServerErrorsAsFailures::make_classifier(), |class| match class {
///     ServerErrorsFailureClass::StatusCode(status) if status == 501 => Outcome::Ignored,
///     ServerErrorsFailureClass::StatusCode(_) | ServerErrorsFailureClass::Error(_) => Outcome::failure(),
/// });
/// let layer = CircuitBreakerLayer::http_server(circuit).classify(by_class);
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "a classifier does nothing until a layer has it"]
pub struct TowerHttp<M, F> {
    make: M,
    meaning: F,
}

impl<M, F> TowerHttp<M, F>
where
    M: MakeClassifier,
    F: Fn(M::FailureClass) -> Outcome,
{
    /// Judges as `make` does, and `meaning` says what each class of failure means.
    pub const fn new(make: M, meaning: F) -> Self {
        Self { make, meaning }
    }

    fn make(&self) -> M::Classifier {
        self.make.make_classifier(&Request::new(()))
    }
}

impl<M, F, B, E> Classifier<Response<B>, E> for TowerHttp<M, F>
where
    M: MakeClassifier,
    M::ClassifyEos: Send + Sync + 'static,
    F: Fn(M::FailureClass) -> Outcome + Clone + Send + Sync + 'static,
    E: fmt::Display + 'static,
{
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) if is_rejection(response.extensions()) => Outcome::Ignored,
            Ok(response) => match self.make().classify_response(response) {
                ClassifiedResponse::Ready(Err(class)) => (self.meaning)(class),
                ClassifiedResponse::Ready(Ok(())) | ClassifiedResponse::RequiresEos(_) => Outcome::Success,
            },
            Err(error) if chain::classify(error) == Outcome::Ignored => Outcome::Ignored,
            Err(error) => (self.meaning)(self.make().classify_error(error)),
        }
    }

    fn at_end(&self, response: &Response<B>) -> AtEnd {
        let ClassifiedResponse::RequiresEos(eos) = self.make().classify_response(response) else {
            return AtEnd::body();
        };
        let meaning = self.meaning.clone();
        AtEnd::judge(move |ending| {
            let judged = match ending {
                Ending::Broken => Err(eos.classify_error(&"the body broke off")),
                Ending::Clean => eos.classify_eos(None),
                Ending::Dropped => return Outcome::Ignored,
                Ending::Trailers(trailers) => eos.classify_eos(Some(trailers)),
            };
            judged.map_or_else(meaning, |()| Outcome::Success)
        })
    }
}

impl<M: fmt::Debug, F> fmt::Debug for TowerHttp<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerHttp").field("make", &self.make).field("meaning", &type_name::<F>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tower_http::classify::ServerErrorsAsFailures;

    use super::*;
    use crate::{rejected::Rejected, time::Nanos};

    #[test]
    fn what_a_circuit_further_in_has_rejected_says_nothing_however_it_says_so() {
        let classifier = TowerHttp::new(ServerErrorsAsFailures::make_classifier(), |_| Outcome::failure());
        assert!(format!("{classifier:?}").contains("ServerErrorsAsFailures"), "{classifier:?}");
        let classify = |result: Result<&Response<()>, &Rejected>| classifier.classify(result);
        let mut reply = Response::builder().status(503).body(()).expect("a response");
        assert_eq!(classify(Ok(&reply)), Outcome::failure());
        let rejected = Rejected::open("inner".into(), Nanos(1));
        reply.extensions_mut().insert(rejected.clone());
        assert_eq!((classify(Ok(&reply)), classify(Err(&rejected))), (Outcome::Ignored, Outcome::Ignored));
    }
}
