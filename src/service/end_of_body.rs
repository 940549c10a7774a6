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
        match settle_at_head(classifier, permit, &response, is_empty) {
            None => response.map(ResponseBody::settled),
            Some((permit, at_end)) => response.map(|body| ResponseBody::watched(body, permit, at_end)),
        }
    }
}

/// Settles a call at its head, or returns what is to settle it at the end of the body.
pub(super) fn settle_at_head<Res, C, Err>(
    classifier: &C,
    permit: &mut Permit,
    response: &Res,
    is_empty: bool,
) -> Option<(Permit, AtEnd)>
where
    C: Classifier<Res, Err>,
{
    match permit.guard(|| look(classifier, response, is_empty)) {
        // A stream may last for hours; who waits for the probe wants to know whether there is an answer at all.
        Look::Wait(at_end) if !permit.is_probe() => {
            permit.stop_clock();
            Some((permit.take(), at_end))
        }
        Look::Wait(_) => {
            permit.record_answer(Outcome::Success);
            None
        }
        Look::Over(outcome) => {
            permit.record_answer(outcome);
            None
        }
    }
}

/// What the head of a response shows.
enum Look {
    Over(Outcome),
    /// It is a success so far.
    Wait(AtEnd),
}

fn look<Res, C: Classifier<Res, Err>, Err>(classifier: &C, response: &Res, is_empty: bool) -> Look {
    let outcome = classifier.classify(Ok(response));
    if outcome != Outcome::Success {
        return Look::Over(outcome);
    }
    let at_end = classifier.at_end(response);
    if at_end.is_head() {
        Look::Over(outcome)
    } else if is_empty {
        // Nobody may poll it.
        Look::Over(at_end.outcome(Ending::Clean))
    } else {
        Look::Wait(at_end)
    }
}
