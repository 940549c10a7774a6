//! The time that is left, as a header.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How the time that is left is told from hop to hop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a layer has it"]
pub struct DeadlineHeader {
    name: HeaderName,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// At most eight digits and the letter of a unit, as gRPC has it.
    Grpc,
    /// Milliseconds.
    Millis,
}

/// gRPC's units, finest first, in nanoseconds.
const UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000)];

/// What eight digits can say.
const MOST: u64 = 99_999_999;

impl DeadlineHeader {
    /// `grpc-timeout`, which all of gRPC understands.
    pub fn grpc_timeout() -> Self {
        Self { name: HeaderName::from_static("grpc-timeout"), unit: Unit::Grpc }
    }

    /// A header of your own, in milliseconds; Envoy has `x-envoy-expected-rq-timeout-ms`.
    pub fn millis(name: HeaderName) -> Self {
        Self { name, unit: Unit::Millis }
    }

    /// Reads the time that is left. What cannot be read is no limit: the layer's own holds.
    pub(super) fn read(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(&self.name)?.to_str().ok()?;
        match self.unit {
            Unit::Grpc => {
                let unit = text.chars().next_back()?;
                let (_, nanos) = UNITS.into_iter().find(|(letter, _)| *letter == unit)?;
                let digits = text.strip_suffix(unit)?;
                let count = number(digits).filter(|_| digits.len() <= 8)?;
                Some(Duration::from_nanos(count.saturating_mul(nanos)))
            }
            Unit::Millis => number(text).map(Duration::from_millis),
        }
    }

    /// Writes the time that is left, rounded down, so that the next hop does not work for longer than anybody waits.
    pub(super) fn write(&self, left: Duration, headers: &mut HeaderMap) {
        let value = match self.unit {
            Unit::Grpc => {
                let nanos = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
                let fits = |(letter, unit)| Some((nanos / unit, letter)).filter(|(count, _)| *count <= MOST);
                let (count, letter) = UNITS.into_iter().find_map(fits).unwrap_or((MOST, 'H'));
                // gRPC wants a positive number.
                HeaderValue::try_from(format!("{}{letter}", count.max(1)))
            }
            Unit::Millis => Ok(HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))),
        };
        headers.insert(self.name.clone(), value.expect("digits and a letter make a value"));
    }
}

/// Digits only: `parse` would take a sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_written_as_finely_as_eight_digits_allow_and_never_longer() {
        let header = DeadlineHeader::grpc_timeout();
        for (left, text) in [
            (Duration::ZERO, "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_millis(100_000) + Duration::from_nanos(1), "100000m"),
            (Duration::from_secs(365 * 24 * 60 * 60), "31536000S"),
            (Duration::MAX, "5124095H"),
        ] {
            let mut headers = HeaderMap::new();
            header.write(left, &mut headers);
            assert_eq!(headers["grpc-timeout"], text);
            let read = header.read(&headers).expect("its own writing");
            assert!(read <= left.max(Duration::from_nanos(1)), "{left:?} became {read:?}");
        }
    }

    #[test]
    fn milliseconds_are_rounded_down() {
        let header = DeadlineHeader::millis(HeaderName::from_static("x-left"));
        let mut headers = HeaderMap::new();
        header.write(Duration::from_micros(2_999), &mut headers);
        assert_eq!(
            (&headers["x-left"].to_str().unwrap(), header.read(&headers)),
            (&"2", Some(Duration::from_millis(2)))
        );
    }
}
