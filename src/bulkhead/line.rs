//! The queue before a bulkhead.

use std::{future::Future, pin::Pin};

use tokio::time;

use super::{Bulkhead, Place};
use crate::{
    clock::tokio_now,
    overloaded::{Overload, Overloaded},
    sync::atomic::Ordering,
};

/// A caller in the queue; dropped, it leaves.
pub(super) struct InLine {
    bulkhead: Bulkhead,
}

/// The wait of one caller. Boxed, since the semaphore's own future has no name: whoever waits pays one allocation.
pub(super) type Turn = Pin<Box<dyn Future<Output = Result<Place, Overloaded>> + Send + Sync>>;

impl InLine {
    /// Lines up; none if the queue is full.
    pub(super) fn last(bulkhead: &Bulkhead) -> Option<Self> {
        let room = bulkhead.shared.config.queue;
        let one_more = |queued| (queued < room).then_some(queued + 1);
        bulkhead.shared.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self { bulkhead: bulkhead.clone() })
    }

    /// Waits for a place, for as long as is allowed from now on. Its rank in the line is that of its first poll.
    pub(super) fn turn(self) -> Turn {
        let began = tokio_now();
        Box::pin(async move {
            let shared = &self.bulkhead.shared;
            match time::timeout_at(began + shared.config.max_wait, shared.places.acquire()).await {
                Ok(permit) => {
                    permit.expect("the semaphore is never closed").forget();
                    Ok(Place { bulkhead: self.bulkhead.clone() })
                }
                Err(_) => {
                    let waited = tokio_now().saturating_duration_since(began);
                    Err(self.bulkhead.overloaded(Overload::WaitedTooLong, waited))
                }
            }
        })
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.bulkhead.shared.queued.fetch_sub(1, Ordering::Relaxed);
    }
}
