//! The keys of HTTP requests: the host, a header.

use http::{HeaderMap, HeaderName, Request, Uri, header::HOST};

use super::DrawKey;

/// Draws the host of an HTTP request, with its port if there is one, in small letters: of the URI, or of the `Host` header where
/// the URI has none, as in a request that a server gets by HTTP/1.1.
///
/// A host that is longer than a name can be (253 bytes and a port) is no key, nor is one that is no text.
#[must_use]
pub fn by_host() -> ByHost {
    ByHost {}
}

/// Draws the value of a header, such as that of a tenant.
///
/// A value that is longer than 256 bytes is no key, nor is one that is no text. Of several the first counts.
///
/// ```
/// use http::HeaderName;
/// use tower_breaker::{KeyedCircuitBreakerLayer, Registry, service::by_header};
///
/// let tenants = Registry::by_key("tenants").build()?;
/// let layer = KeyedCircuitBreakerLayer::new(tenants, by_header(HeaderName::from_static("x-tenant")));
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[must_use]
pub fn by_header(name: HeaderName) -> ByHeader {
    ByHeader { name }
}

/// Draws the host of an HTTP request, see [`by_host`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ByHost {}

/// Draws the value of a header, see [`by_header`].
#[derive(Clone, Debug)]
pub struct ByHeader {
    name: HeaderName,
}

/// The longest host: a name of 253 bytes (RFC 1035), or an address in brackets, a colon and a port.
const LONGEST_HOST: usize = 259;

/// The longest header value: memory is bounded by it too.
const LONGEST_VALUE: usize = 256;

impl<B> DrawKey<Request<B>> for ByHost {
    type Key = str;

    #[inline]
    fn draw<T>(&self, request: &Request<B>, then: impl FnOnce(Option<&str>) -> T) -> T {
        in_small_letters(host(request.uri(), request.headers()), then)
    }
}

impl<B> DrawKey<Request<B>> for ByHeader {
    type Key = str;

    #[inline]
    fn draw<T>(&self, request: &Request<B>, then: impl FnOnce(Option<&str>) -> T) -> T {
        let value = request.headers().get(&self.name).and_then(|value| value.to_str().ok());
        then(value.filter(|value| value.len() <= LONGEST_VALUE))
    }
}

/// The host and the port as they were sent.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(HOST)?.to_str().ok()?,
    };
    // A user and a password are nobody's business.
    let host = authority.rsplit('@').next()?;
    (!host.is_empty() && host.len() <= LONGEST_HOST).then_some(host)
}

fn in_small_letters<T>(host: Option<&str>, then: impl FnOnce(Option<&str>) -> T) -> T {
    let Some(host) = host.filter(|host| host.bytes().any(|byte| byte.is_ascii_uppercase())) else { return then(host) };
    let mut place = [0; LONGEST_HOST];
    let small = &mut place[..host.len()];
    small.copy_from_slice(host.as_bytes());
    small.make_ascii_lowercase();
    then(std::str::from_utf8(small).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(request: http::request::Builder) -> Option<String> {
        by_host().draw(&request.body(()).expect("a request"), |key| key.map(ToOwned::to_owned))
    }

    #[test]
    fn the_host_is_that_of_the_uri_or_of_the_header() {
        let host = |uri: &str, header: &str| drawn(Request::get(uri).header(HOST, header));
        assert_eq!(host("http://one.test/a", "two.test").as_deref(), Some("one.test"));
        assert_eq!(host("/a", "Two.TEST:8080").as_deref(), Some("two.test:8080"));
        assert_eq!(host("http://user:secret@[::1]:80/", "").as_deref(), Some("[::1]:80"));
        assert_eq!(host("/", ""), None);
        assert_eq!(host("/", "user@"), None);
        assert_eq!(host("/", "h\u{fc}st"), None, "no text");
        assert_eq!(drawn(Request::get("/")), None);
    }

    #[test]
    fn a_host_longer_than_a_name_is_no_key() {
        let host = |length| drawn(Request::get("/").header(HOST, "A".repeat(length)));
        assert_eq!(host(259), Some("a".repeat(259)));
        assert_eq!(host(260), None);
    }

    #[test]
    fn the_value_of_a_header_is_taken_as_it_is() {
        let by = by_header(HeaderName::from_static("x-tenant"));
        let drawn = |value: &str| {
            let request = Request::get("/").header("x-tenant", value).body(()).expect("a request");
            by.draw(&request, |key| key.map(ToOwned::to_owned))
        };
        assert_eq!(drawn("Acme").as_deref(), Some("Acme"));
        assert_eq!(drawn(&"a".repeat(257)), None);
        assert_eq!(by.draw(&Request::new(()), |key| key.map(ToOwned::to_owned)), None);
    }
}
