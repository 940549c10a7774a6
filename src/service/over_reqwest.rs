//! The same for the responses of reqwest, which are of a type of their own.

use reqwest::{Body, Response, ResponseBuilderExt};

use super::{
    body::ResponseBody,
    end_of_body::{EndOfBody, settle_at_head},
    policy::Over,
};
use crate::{
    circuit::Permit,
    classify::{AtEnd, Classifier},
};

/// The response stays what it is, with all its methods; its body is boxed anew, which is an allocation for each call that is
/// not settled at its head.
impl Over<Response> for EndOfBody {
    type Response = Response;

    fn answered<C, Err>(self, classifier: &C, permit: &mut Permit, response: Response) -> Response
    where
        C: Classifier<Response, Err>,
    {
        let is_empty = response.content_length() == Some(0);
        match settle_at_head(classifier, permit, &response, is_empty) {
            None => response,
            Some((permit, at_end)) => watched(response, permit, at_end),
        }
    }
}

fn watched(response: Response, permit: Permit, at_end: AtEnd) -> Response {
    let address = http::Response::builder().url(response.url().clone()).body(());
    let mut response = http::Response::<Body>::from(response);
    // On its way through the types of `http` a response of reqwest forgets where it came from.
    if let Ok(address) = address {
        response.extensions_mut().extend(address.into_parts().0.extensions);
    }
    response.map(|body| Body::wrap(ResponseBody::watched(body, permit, at_end))).into()
}
