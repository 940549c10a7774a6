//! A call that is over when the body of its response is.

use http::Response;
use http_body::Body;

use super::{
    body::ResponseBody,
    policy::{Over, Sealed},
};
use crate::{
    circuit::Permit,
    classify::{AtEnd, Classifier, Ending},
    outcome::Outcome,
};

/// A call is over when the body of its response ends.
///
/// See [`CircuitBreakerLayer::until_end_of_body`](crate::CircuitBreakerLayer::until_end_of_body).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EndOfBody;

impl Sealed for EndOfBody {}

impl<B: Body> Over<Response<B>> for EndOfBody {
    type Response = Response<ResponseBody<B>>;

    fn answered<C, Err>(self, classifier: &C, permit: &mut Permit, response: Response<B>) -> Self::Response
    where
        C: Classifier<Response<B>, Err>,
    {
        let is_empty = response.body().is_end_stream();
        match permit.guard(|| Look::at(classifier, &response, is_empty)) {
            // A stream may last for hours; who waits for the probe wants to know whether there is an answer at all.
            Look::Wait(at_end) if !permit.is_probe() => {
                permit.stop_clock();
                response.map(|body| ResponseBody::watched(body, permit.take(), at_end))
            }
            look => {
                permit.record_answer(look.outcome());
                response.map(ResponseBody::settled)
            }
        }
    }
}

/// What the head of a response shows.
pub(super) enum Look {
    Over(Outcome),
    /// It is a success so far.
    Wait(AtEnd),
}

impl Look {
    /// Looks at a response; nobody may poll a body that is empty.
    pub(super) fn at<Res, C: Classifier<Res, Err>, Err>(classifier: &C, response: &Res, is_empty: bool) -> Self {
        let outcome = classifier.classify(Ok(response));
        if outcome != Outcome::Success {
            return Self::Over(outcome);
        }
        let at_end = classifier.at_end(response);
        if at_end.is_head() {
            Self::Over(outcome)
        } else if is_empty {
            Self::Over(at_end.outcome(Ending::Clean))
        } else {
            Self::Wait(at_end)
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Over(outcome) => outcome,
            Self::Wait(_) => Outcome::Success,
        }
    }
}
