//! Who may steer circuits: nobody, unless the program says who, and never a page of another site.

use axum::http::{HeaderMap, header, request::Parts};

use crate::sync::Arc;

/// Whether whoever sends this request may steer circuits.
pub(super) type May = dyn Fn(&Parts) -> bool + Send + Sync;

/// Says why a request may not steer circuits.
pub(super) fn refusal(may: Option<&Arc<May>>, request: &Parts) -> Option<&'static str> {
    let Some(may) = may else { return Some("control is off: the program serves this dashboard to be read only") };
    if is_cross_site(request) {
        return Some("the request comes from a page of another site");
    }
    (!may(request)).then_some("you may not steer circuits here")
}

/// Whether a browser sends it for a page of another site. Browsers say so in headers that pages cannot set; what is no
/// browser sends neither.
fn is_cross_site(request: &Parts) -> bool {
    let all = |name: header::HeaderName| request.headers.get_all(name).into_iter();
    let by_another = all(SEC_FETCH_SITE).any(|site| site != "same-origin" && site != "none");
    let host = request.uri.authority().map(|authority| authority.as_str()).or_else(|| host(&request.headers));
    let from_another = all(header::ORIGIN).any(|origin| {
        // `null` among them: what is sent from a frame without an origin of its own.
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        !authority.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    });
    by_another || from_another
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

const SEC_FETCH_SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");
