//! Numbers drawn from bytes. Few bytes each, so that a small change of the input is a small change of what happens.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};

pub type Bytes<'a, 'b> = &'a mut Unstructured<'b>;

/// One of a few.
pub fn one_of<T: Copy>(u: Bytes, of: &[T]) -> Result<T> {
    u.choose(of).copied()
}

/// From `low` to `high`.
pub fn within(u: Bytes, low: u32, high: u32) -> Result<u32> {
    u.int_in_range(low..=high)
}

/// Something, or nothing half of the time.
pub fn maybe<T>(u: Bytes, draw: impl FnOnce(Bytes) -> Result<T>) -> Result<Option<T>> {
    Ok(if bool::arbitrary(u)? { Some(draw(u)?) } else { None })
}

/// At most `most_millis`; nanoseconds matter at the borders, so many are round and some are one off.
pub fn span(u: Bytes, most_millis: u32) -> Result<Duration> {
    let secs = most_millis.div_ceil(1_000);
    Ok(match within(u, 0, 7)? {
        0..=2 => Duration::from_millis(within(u, 1, most_millis)?.into()),
        3..=5 => Duration::from_secs(within(u, 1, secs)?.into()),
        6 => Duration::from_secs(within(u, 1, secs)?.into()) - Duration::from_nanos(1),
        _ => Duration::from_nanos(1),
    })
}

/// A share from `low` to `high`, both reached, in steps that people write.
pub fn share(u: Bytes, low: f64, high: f64) -> Result<f64> {
    Ok(low + (high - low) * f64::from(within(u, 0, 100)?) / 100.0)
}
