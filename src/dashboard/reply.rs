//! Answers: JSON, errors as JSON, the page.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A body of one JSON object.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, headers("application/json"), text(body)).into_response()
}

/// `{"error": "…"}`.
pub(super) fn error(status: StatusCode, text: impl ToString) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: String,
    }
    json(status, &Body { error: text.to_string() })
}

/// The page to look at.
pub(super) fn page() -> Response {
    let policy = HeaderValue::from_static(POLICY);
    (headers("text/html; charset=utf-8"), [(header::CONTENT_SECURITY_POLICY, policy)], PAGE).into_response()
}

/// What all answers have. Numbers of a second ago are of no use to a cache, and no browser is to guess what they are.
pub(super) fn headers(content_type: &'static str) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
}

/// As JSON, on one line.
pub(super) fn text(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("all keys are text, and no part of a view fails")
}

const PAGE: &str = include_str!("page.html");

/// The page is all there is: it loads nothing, talks to its own server only, and is in nobody's frame, where its buttons could
/// be covered by others.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
