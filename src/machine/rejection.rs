//! Why a call may not be made.

use std::{fmt, ops::AddAssign, time::Duration};

use crate::state::State;

/// Why a call may not be made, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The state that rejects it.
    pub state: State,
    /// Why.
    pub reason: RejectReason,
    /// In which time it is worth coming back; none if only an operator can tell.
    pub retry_after: Option<Duration>,
}

/// Why a call may not be made.
// As wide as four bytes, so that an error is moved in a few words: what the compiler keeps in its unused values is read alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum RejectReason {
    /// An operator forced the circuit open.
    Forced,
    /// The circuit is half-open, and all probes that are needed are under way.
    HalfOpen,
    /// The circuit had been open when the service was asked for readiness, and the inner service is not ready now.
    NotReady,
    /// The circuit is open.
    Open,
    /// The circuit is recovering, and the share of traffic that may pass is used up.
    Recovering,
}

impl RejectReason {
    /// All of them, in the order of their words.
    pub const ALL: &[Self] = &[Self::Forced, Self::HalfOpen, Self::NotReady, Self::Open, Self::Recovering];

    /// Returns the word for logs and metrics: `forced`, `half_open`, `not_ready`, `open`, `recovering`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forced => "forced",
            Self::HalfOpen => "half_open",
            Self::NotReady => "not_ready",
            Self::Open => "open",
            Self::Recovering => "recovering",
        }
    }
}

/// How many calls were rejected, each under its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejections {
    /// An operator forced the circuit open.
    pub forced: u64,
    /// The circuit was half-open, and all probes that were needed were under way.
    pub half_open: u64,
    /// The circuit had been open when the service was asked for readiness, and the inner service was not ready then.
    pub not_ready: u64,
    /// The circuit was open.
    pub open: u64,
    /// The circuit was recovering, and the share of traffic that might pass was used up.
    pub recovering: u64,
}

impl Rejections {
    /// Returns how many there were for this reason.
    #[must_use]
    pub const fn of(self, reason: RejectReason) -> u64 {
        match reason {
            RejectReason::Forced => self.forced,
            RejectReason::HalfOpen => self.half_open,
            RejectReason::NotReady => self.not_ready,
            RejectReason::Open => self.open,
            RejectReason::Recovering => self.recovering,
        }
    }

    /// Returns how many there were for any reason.
    #[must_use]
    pub const fn all(self) -> u64 {
        let Self { forced, half_open, not_ready, open, recovering } = self;
        forced + half_open + not_ready + open + recovering
    }

    pub(crate) fn count(&mut self, reason: RejectReason) {
        *match reason {
            RejectReason::Forced => &mut self.forced,
            RejectReason::HalfOpen => &mut self.half_open,
            RejectReason::NotReady => &mut self.not_ready,
            RejectReason::Open => &mut self.open,
            RejectReason::Recovering => &mut self.recovering,
        } += 1;
    }
}

/// The calls of two circuits together.
impl AddAssign for Rejections {
    fn add_assign(&mut self, other: Self) {
        let Self { forced, half_open, not_ready, open, recovering } = other;
        self.forced += forced;
        self.half_open += half_open;
        self.not_ready += not_ready;
        self.open += open;
        self.recovering += recovering;
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_shown_by_its_name_in_columns_too() {
        for reason in RejectReason::ALL {
            assert_eq!(reason.to_string(), reason.as_str());
            assert_eq!(format!("{reason:>12}").trim_start(), reason.as_str());
            assert_eq!(format!("{reason:>12}").len(), 12);
        }
    }

    #[test]
    fn each_reason_has_a_line_of_its_own_and_they_add_up() {
        let mut counted = Rejections::default();
        for (reason, times) in RejectReason::ALL.iter().copied().zip(1..) {
            (0..times).for_each(|_| counted.count(reason));
        }
        let lines =
            |counted: Rejections| RejectReason::ALL.iter().map(|reason| counted.of(*reason)).collect::<Vec<_>>();
        assert_eq!(lines(counted), [1, 2, 3, 4, 5]);
        assert_eq!(counted.all(), 15);
        let mut twice = counted;
        twice += counted;
        twice += Rejections { open: 100, ..Rejections::default() };
        assert_eq!(twice.all(), 130);
        assert_eq!(
            lines(twice).iter().zip(lines(counted)).filter(|(sum, one)| **sum == 2 * one).count(),
            4,
            "but for `open`"
        );
    }
}
