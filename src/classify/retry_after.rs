//! How long a server asks to be left alone: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap,
    header::{DATE, RETRY_AFTER},
};

use crate::clock;

/// Reads the header; none if it is missing, given twice or makes no sense.
///
/// It is not bounded here; whoever asks does that.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let mut values = headers.get_all(RETRY_AFTER).iter();
    let text = values.next()?.to_str().ok()?.trim();
    if values.next().is_some() {
        return None;
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean "very long", which is bounded later.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    // By the server's own clock if it tells, so that a wrong clock on either side does no harm.
    let now = headers.get(DATE).and_then(date).unwrap_or_else(clock::wall);
    Some(until.duration_since(now).unwrap_or_default())
}

fn date(value: &http::HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let read = |value| read(&headers(&[("retry-after", value)]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "the past");
        for nonsense in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_date_is_measured_by_the_clock_of_the_server() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:07 GMT");
        let until = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read(&headers(&[date, until])), Some(Duration::from_secs(30)));
        assert_eq!(read(&headers(&[("retry-after", "7"), ("retry-after", "9")])), None, "two answers are none");
    }
}
