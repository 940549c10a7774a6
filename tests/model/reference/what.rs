//! How a call ends, in words that can be read back.

use std::time::Duration;

use tower_breaker::{Failure, Outcome, Weight};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Success,
    Ignored,
    Failure(Fail),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fail {
    pub(crate) hundredths: u32,
    pub(crate) rate_limited: bool,
    pub(crate) tripping: bool,
    pub(crate) retry_after: Option<Duration>,
}

impl Fail {
    pub(crate) const PLAIN: Self = Self { hundredths: 100, rate_limited: false, tripping: false, retry_after: None };
}

impl What {
    pub(crate) fn outcome(self) -> Outcome {
        let fail = match self {
            Self::Success => return Outcome::Success,
            Self::Ignored => return Outcome::Ignored,
            Self::Failure(fail) => fail,
        };
        let mut failure = Failure::new().weight(Weight::new(f64::from(fail.hundredths) / 100.0).unwrap());
        if fail.rate_limited {
            failure = failure.rate_limited();
        }
        if fail.tripping {
            failure = failure.tripping();
        }
        if let Some(wait) = fail.retry_after {
            failure = failure.retry_after(wait);
        }
        Outcome::Failure(failure)
    }
}
