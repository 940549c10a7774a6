//! The one clock of a run: it moves when a step says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_breaker::{
    Instant,
    clock::{Clock, Sleep},
};

/// Like the crate's own `ManualClock`, but without its feature, so that the plain example builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Virtual(Arc<AtomicU64>);

impl Virtual {
    pub(crate) fn set(&self, now: Instant) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }
}

impl Clock for Virtual {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _deadline: Instant) -> Sleep {
        // No step waits.
        Box::pin(std::future::pending())
    }
}
