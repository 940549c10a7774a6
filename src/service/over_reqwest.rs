//! The same for the responses of reqwest, which are of a type of their own.

use reqwest::{Body, Response, ResponseBuilderExt};

use super::{
    body::ResponseBody,
    end_of_body::{EndOfBody, Look},
    policy::Over,
};
use crate::{circuit::Permit, classify::Classifier};

/// The response stays what it is, with all its methods; its body is boxed anew, which is an allocation for each call that is
/// not settled at its head.
impl Over<Response> for EndOfBody {
    type Response = Response;

    fn answered<C, Err>(self, classifier: &C, permit: &mut Permit, response: Response) -> Response
    where
        C: Classifier<Response, Err>,
    {
        let is_empty = response.content_length() == Some(0);
        match permit.guard(|| Look::at(classifier, &response, is_empty)) {
            Look::Wait(at_end) if !permit.is_probe() => {
                permit.stop_clock();
                let address = http::Response::builder().url(response.url().clone()).body(());
                let watch = |body| Body::wrap(ResponseBody::watched(body, permit.take(), at_end));
                let mut response = http::Response::<Body>::from(response).map(watch);
                // On its way through the types of `http` a response of reqwest forgets where it came from.
                if let Ok(address) = address {
                    response.extensions_mut().extend(address.into_parts().0.extensions);
                }
                response.into()
            }
            look => {
                permit.record_answer(look.outcome());
                response
            }
        }
    }
}
