//! The status codes of gRPC, and where they stand in an answer.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "gRPC has had these 17 since 2015; clients map all others to UNKNOWN")]
#[expect(missing_docs, reason = "the names are those of the protocol, which defines them")]
pub enum GrpcCode {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcCode {
    /// All codes, by their numbers.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Returns the code of an answer that carries none, by the gRPC project's table of HTTP statuses.
    ///
    /// 400 and 431 are `INTERNAL`, 401 is `UNAUTHENTICATED`, 403 `PERMISSION_DENIED`, 404 `UNIMPLEMENTED`; 429, 502, 503 and
    /// 504 are `UNAVAILABLE`. All others, 200 too, are `UNKNOWN`.
    #[must_use]
    pub const fn from_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// Reads the code in a head or in trailers; none if there is none. What is no code is `UNKNOWN`.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        headers.get("grpc-status").map(|value| Self::parse(value.as_bytes()))
    }

    fn parse(text: &[u8]) -> Self {
        let number = match *text {
            [digit @ b'0'..=b'9'] => digit - b'0',
            [b'1', digit @ b'0'..=b'9'] => 10 + digit - b'0',
            _ => return Self::Unknown,
        };
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }
}

/// How long a server asks to be left alone (`grpc-retry-pushback-ms`, gRFC A6); none if it says nothing.
///
/// What is negative or no number means "do not retry", which is a time that the circuit bounds.
pub(super) fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-retry-pushback-ms")?.to_str().unwrap_or_default();
    // As the protocol's int32.
    Some(text.parse::<u32>().map_or(Duration::MAX, |millis| Duration::from_millis(millis.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().expect("a header value"))])
    }

    #[test]
    fn each_code_is_read_by_its_number_and_what_is_no_code_is_unknown() {
        let read = |value: &str| GrpcCode::read(&headers("grpc-status", value));
        for (number, code) in GrpcCode::ALL.into_iter().enumerate() {
            assert_eq!((read(&number.to_string()), code as usize), (Some(code), number));
        }
        for nonsense in ["", "17", "99", "100", "-1", "00", "0x1", "OK", " 0", "\u{e9}"] {
            assert_eq!(read(nonsense), Some(GrpcCode::Unknown), "{nonsense:?}");
        }
        assert_eq!(GrpcCode::read(&HeaderMap::new()), None);
    }

    /// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
    #[test]
    fn an_answer_without_a_code_has_that_of_its_http_status() {
        for status in 100..1_000 {
            let code = GrpcCode::from_http(StatusCode::from_u16(status).expect("a status"));
            let expected = match status {
                400 | 431 => GrpcCode::Internal,
                401 => GrpcCode::Unauthenticated,
                403 => GrpcCode::PermissionDenied,
                404 => GrpcCode::Unimplemented,
                429 | 502 | 503 | 504 => GrpcCode::Unavailable,
                _ => GrpcCode::Unknown,
            };
            assert_eq!(code, expected, "{status}");
        }
    }

    #[test]
    fn a_pushback_is_in_milliseconds_and_a_negative_one_is_the_longest() {
        let read = |value: &str| pushback(&headers("grpc-retry-pushback-ms", value));
        assert_eq!(read("1500"), Some(Duration::from_millis(1_500)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        for never in ["-1", "soon", "", "1.5", "99999999999"] {
            assert_eq!(read(never), Some(Duration::MAX), "{never:?}");
        }
        assert_eq!(pushback(&HeaderMap::new()), None);
    }
}
