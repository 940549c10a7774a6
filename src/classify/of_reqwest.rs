//! What the responses and errors of reqwest mean.

use std::{any::Any, error::Error};

use http::StatusCode;

use super::{Classifier, HttpClassifier, chain, http::is_rejection};
use crate::outcome::Outcome;

/// With the feature `reqwest`: its responses as those of HTTP.
///
/// Its errors, boxed or not, are failures (timeouts, refused connections, broken bodies), but
///
/// - a request that could not be built, and a redirect that was not followed, are ignored: nothing was asked of the
///   dependency, or it has answered;
/// - an error of `Response::error_for_status` is judged by its status. `Retry-After` is lost in it.
impl<E: 'static> Classifier<reqwest::Response, E> for HttpClassifier {
    fn classify(&self, result: Result<&reqwest::Response, &E>) -> Outcome {
        match result {
            Ok(response) if is_rejection(response.extensions()) => Outcome::Ignored,
            Ok(response) => self.classify_head(response.status(), response.headers()),
            Err(error) => self.classify_error(error),
        }
    }
}

/// The error as one whose sources can be walked.
pub(super) fn as_dyn(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<reqwest::Error>().map(|error| error as &(dyn Error + 'static))
}

/// Whether an error says nothing about the dependency.
pub(super) fn is_local(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(|error| error.is_builder() || error.is_redirect())
}

/// The status of a response that was made an error.
pub(super) fn status(error: &dyn Any) -> Option<StatusCode> {
    chain::find::<reqwest::Error>(error)?.status()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;

    use super::*;
    use crate::{outcome::Failure, rejected::Rejected, time::Nanos};

    #[test]
    fn a_response_is_judged_by_its_head_and_that_of_a_circuit_further_in_says_nothing() {
        let classify = |response: Response<&'static str>| {
            HttpClassifier::new().classify(Ok::<_, &Infallible>(&reqwest::Response::from(response)))
        };
        let reply = || Response::builder().status(503).header("retry-after", "7").body("busy").expect("a response");
        assert_eq!(classify(reply()), Failure::new().retry_after(std::time::Duration::from_secs(7)).into());
        let mut rejection = reply();
        rejection.extensions_mut().insert(Rejected::open("inner".into(), Nanos(1)));
        assert_eq!(classify(rejection), Outcome::Ignored);
    }
}
