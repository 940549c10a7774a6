//! Which answers may be kept, and for whom.

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, SET_COOKIE, VARY},
};

/// What becomes of an answer, and of the one that was kept before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The one before it must not be served any more.
    Forget,
    Keep,
    Leave,
}

/// What stands in `Cache-Control` where an answer must not be kept, or not be served without asking (RFC 9111, section 5.2.2).
const FORBIDS: [&str; 5] = ["must-revalidate", "no-cache", "no-store", "private", "proxy-revalidate"];

/// Whether an answer to this request can be kept, and be answered with what was kept.
///
/// Only GET: a HEAD has no body to keep.
pub(super) fn may_ask(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && !has_directive(headers, &["no-store"])
}

/// Whether the request says who asks, so that the answer may be for that one only.
///
/// RFC 9111 (section 3.5) has that for `Authorization`; a cookie is no less personal.
pub(super) fn is_personal(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE)
}

pub(super) fn judge(status: StatusCode, headers: &HeaderMap, is_personal: bool) -> Verdict {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => return Verdict::Forget,
        StatusCode::OK => {}
        _ => return Verdict::Leave,
    }
    if is_personal && !is_public(headers) {
        return Verdict::Leave;
    }
    let varies = list(headers, &VARY).any(|name| name == "*");
    if varies || headers.contains_key(SET_COOKIE) || has_directive(headers, &FORBIDS) {
        return Verdict::Forget;
    }
    Verdict::Keep
}

/// Whether an answer is for everybody, whoever has asked.
pub(super) fn is_public(headers: &HeaderMap) -> bool {
    has_directive(headers, &["public"])
}

fn has_directive(headers: &HeaderMap, directives: &[&str]) -> bool {
    list(headers, &CACHE_CONTROL).any(|part| {
        let name = part.split('=').next().unwrap_or_default().trim_end();
        directives.iter().any(|directive| name.eq_ignore_ascii_case(directive))
    })
}

/// The members of a header that is a list. What is no text is as if it forbade all.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let all = if *name == VARY { "*" } else { "no-store" };
    headers.get_all(name).iter().flat_map(move |value| value.to_str().unwrap_or(all).split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::CACHE_CONTROL};

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    fn judged(pairs: &[(HeaderName, &str)], is_personal: bool) -> Verdict {
        judge(StatusCode::OK, &headers(pairs), is_personal)
    }

    #[test]
    fn only_a_200_is_kept_and_what_is_gone_is_forgotten() {
        for code in 100..1_000 {
            let status = StatusCode::from_u16(code).expect("a status");
            let expected = match code {
                200 => Verdict::Keep,
                404 | 410 => Verdict::Forget,
                _ => Verdict::Leave,
            };
            assert_eq!(judge(status, &HeaderMap::new(), false), expected, "{code}");
        }
    }

    #[test]
    fn an_answer_that_must_not_be_kept_is_not() {
        for directive in
            ["no-store", "No-Store", "private", "private=\"a\"", "no-cache", "a, must-revalidate", "x=1 ,no-store"]
        {
            assert_eq!(judged(&[(CACHE_CONTROL, directive)], false), Verdict::Forget, "{directive}");
        }
        assert_eq!(judged(&[(CACHE_CONTROL, "max-age=1"), (CACHE_CONTROL, "no-store")], false), Verdict::Forget);
        assert_eq!(judged(&[(SET_COOKIE, "a=b")], false), Verdict::Forget);
        assert_eq!(judged(&[(VARY, "accept, *")], false), Verdict::Forget);
        let no_text = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_bytes(b"\xff").expect("opaque"))]);
        assert_eq!(judge(StatusCode::OK, &no_text, false), Verdict::Forget);
        assert_eq!(
            judged(&[(CACHE_CONTROL, "max-age=60, stale-if-error=600"), (VARY, "accept")], false),
            Verdict::Keep
        );
    }

    #[test]
    fn an_answer_to_somebody_is_kept_only_if_it_is_for_everybody() {
        assert!(is_personal(&headers(&[(AUTHORIZATION, "Bearer a")])) && is_personal(&headers(&[(COOKIE, "a=b")])));
        assert!(!is_personal(&HeaderMap::new()));
        assert_eq!(judged(&[], true), Verdict::Leave);
        assert_eq!(judged(&[(CACHE_CONTROL, "max-age=60")], true), Verdict::Leave);
        assert_eq!(judged(&[(CACHE_CONTROL, "max-age=60, public")], true), Verdict::Keep);
        assert_eq!(judged(&[(CACHE_CONTROL, "public"), (SET_COOKIE, "a=b")], true), Verdict::Forget);
    }

    #[test]
    fn only_a_get_that_does_not_forbid_it_is_kept() {
        assert!(may_ask(&Method::GET, &HeaderMap::new()));
        assert!(!may_ask(&Method::HEAD, &HeaderMap::new()) && !may_ask(&Method::POST, &HeaderMap::new()));
        assert!(!may_ask(&Method::GET, &headers(&[(CACHE_CONTROL, "no-store")])));
    }
}
