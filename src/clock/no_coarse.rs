//! Where the system has no coarse clock: nobody can have one.

use std::time::Duration;

use crate::time::{Instant, Nanos};

pub(crate) const COARSENESS: Duration = Duration::ZERO;

/// No clock at all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CoarseClock {}

impl CoarseClock {
    pub(super) fn new() -> Option<Self> {
        None
    }

    pub(crate) fn due(&self, _: Instant) -> u64 {
        match *self {}
    }

    pub(crate) fn wait(_: u64, _: u64) -> Nanos {
        Nanos(0)
    }

    pub(crate) fn reading() -> u64 {
        0
    }
}
