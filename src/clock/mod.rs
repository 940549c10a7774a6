//! Where time comes from: one trait, read nowhere else.
//!
//! The default [`TokioClock`] is monotonic and follows `tokio::time::pause`, so tests with paused time see the circuit's
//! time move too. With the feature `test-util` there is a clock that is moved by hand.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod coarse;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "no_coarse.rs"]
mod coarse;
#[cfg(feature = "test-util")]
mod manual;
mod system;
mod tokio;

pub(crate) use self::coarse::{COARSENESS, CoarseClock};
#[cfg(feature = "test-util")]
pub use self::manual::ManualClock;
use self::tokio::is_paused;
pub(crate) use self::tokio::tokio_now;
pub use self::{system::SystemClock, tokio::TokioClock};

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use crate::time::Instant;

/// A source of monotonic time.
///
/// One that steps back does no harm: durations saturate at zero.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time since this clock's origin.
    ///
    /// It must not panic: it is read when a call is dropped, which may be while its thread panics already, and a second panic
    /// ends the process.
    fn now(&self) -> Instant;

    /// Waits until `deadline`.
    ///
    /// # Cancel safety
    ///
    /// The future holds nothing but its place among the timers; it can be dropped at any time.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
}

/// A future that is ready when its time has come. It is `Sync`, so that services whose futures hold one can be put into any box.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The clock of a circuit: the default one, whose call can be inlined, or any other.
///
/// Clones are the same clock, so that what one circuit reads another can be told.
#[derive(Clone, Debug)]
pub(crate) enum AnyClock {
    Other(Arc<dyn Clock>),
    System(SystemClock),
}

impl<C: Clock + 'static> From<C> for AnyClock {
    fn from(clock: C) -> Self {
        Self::Other(Arc::new(clock))
    }
}

impl AnyClock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::Other(clock) => clock.now(),
            Self::System(clock) => clock.now(),
        }
    }

    /// The coarse clock that goes with it, if there is one.
    pub(crate) fn coarse(&self) -> Option<CoarseClock> {
        match self {
            Self::Other(_) => None,
            Self::System(clock) => clock.coarse(),
        }
    }

    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        match self {
            Self::Other(clock) => clock.sleep_until(deadline),
            Self::System(clock) => clock.sleep_until(deadline),
        }
    }
}

/// The wall clock, only to read a date that a server has sent, and to show people when something was.
#[cfg(any(feature = "dashboard", feature = "http"))]
#[expect(clippy::disallowed_methods, reason = "this module is where clocks are read")]
pub(crate) fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
