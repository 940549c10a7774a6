//! A clock that is moved by hand, for tests that need no runtime.

use std::{
    future::poll_fn,
    task::{Poll, Waker},
    time::Duration,
};

use super::{Clock, Sleep};
use crate::{
    sync::{Arc, Mutex},
    time::Instant,
};

/// A clock that stands still until it is moved. Clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now().since(before), Duration::from_secs(30));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: Instant,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// Makes a clock that stands at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on and wakes whoever sleeps until then.
    pub fn advance(&self, by: Duration) {
        self.change(|now| now.after(by));
    }

    /// Sets the clock, forward or back, and wakes whoever sleeps until then.
    pub fn set(&self, now: Instant) {
        self.change(|_| now);
    }

    fn change(&self, change: impl FnOnce(Instant) -> Instant) {
        let sleepers = {
            let mut state = self.0.lock();
            state.now = change(state.now);
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().now
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let clock = self.clone();
        Box::pin(poll_fn(move |cx| {
            let waker = cx.waker().clone();
            let mut state = clock.0.lock();
            if state.now >= deadline {
                return Poll::Ready(());
            }
            if !state.sleepers.iter().any(|sleeper| sleeper.will_wake(&waker)) {
                state.sleepers.push(waker);
            }
            Poll::Pending
        }))
    }
}
