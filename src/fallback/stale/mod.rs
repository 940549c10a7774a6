//! The last good answer, served while there is no better one, and marked as stale.

mod body;
mod cache;
mod rules;

pub use self::{body::StaleBody, cache::StaleCache};

use std::{
    any::type_name,
    fmt,
    future::{Ready, ready},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Request, Response, Uri,
    header::{AGE, WARNING},
};
use http_body::Body;

use self::{cache::Kept, rules::Verdict};
use super::source::{Draw, Sealed, Source};

/// Among the extensions of a response: it is an earlier answer.
///
/// Its headers say so too: `Age`, and `Warning: 110 - "Response is Stale"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stale {
    /// How long ago this answer came.
    pub age: Duration,
}

/// The last good answer, see [`FallbackLayer::stale`](super::FallbackLayer::stale).
#[derive(Clone)]
pub struct LastGood<K> {
    pub(super) cache: StaleCache,
    pub(super) key: K,
}

/// What is drawn from a request whose answer may be kept.
#[derive(Debug)]
#[expect(unnameable_types, reason = "it is drawn and handed back, and nobody else's business")]
pub struct Wanted {
    key: String,
    /// Whether the request says who asks.
    is_personal: bool,
}

impl<K> Sealed for LastGood<K> {}

impl<K, B> Draw<Request<B>> for LastGood<K>
where
    K: Fn(&Uri, &HeaderMap) -> Option<String>,
{
    type Drawn = Option<Wanted>;

    fn draw(&self, request: &Request<B>) -> Option<Wanted> {
        if !rules::may_ask(request.method(), request.headers()) {
            return None;
        }
        let key = (self.key)(request.uri(), request.headers())?;
        Some(Wanted { key, is_personal: rules::is_personal(request.headers()) })
    }
}

impl<K, B, Err> Source<Option<Wanted>, Response<B>, Err> for LastGood<K>
where
    B: Body,
{
    const WAITS: bool = false;
    type Response = Response<StaleBody<B>>;
    type Future = Ready<Option<Self::Response>>;

    fn fall_back(&self, wanted: Option<Wanted>, _: &Result<Response<B>, Err>) -> Self::Future {
        ready(
            wanted
                .and_then(|wanted| self.cache.find(&wanted.key, wanted.is_personal))
                .map(|(kept, age)| answer(&kept, age)),
        )
    }

    fn answered(&self, wanted: Option<Option<Wanted>>, response: Response<B>) -> Response<StaleBody<B>> {
        let copy = wanted.flatten().and_then(|Wanted { key, is_personal }| {
            match rules::judge(response.status(), response.headers(), is_personal) {
                Verdict::Forget => {
                    self.cache.forget(&key);
                    None
                }
                Verdict::Keep => self.cache.begin(key, response.headers()),
                Verdict::Leave => None,
            }
        });
        response.map(|body| StaleBody::fresh(body, copy))
    }
}

/// Makes an answer of what was kept.
fn answer<B>(kept: &Kept, age: Duration) -> Response<StaleBody<B>> {
    let mut response = Response::new(StaleBody::stale(kept.body.clone()));
    let headers = response.headers_mut();
    headers.clone_from(&kept.headers);
    // What it had when it came counts too (RFC 9111, section 4.2.3).
    let before = kept.headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0_u64);
    headers.insert(AGE, HeaderValue::from(before.saturating_add(age.as_secs())));
    headers.append(WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
    response.extensions_mut().insert(Stale { age });
    response
}

impl<K> fmt::Debug for LastGood<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastGood")
            .field("cache", &self.cache)
            .field("key", &format_args!("{}", type_name::<K>()))
            .finish()
    }
}
