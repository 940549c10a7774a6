//! Events on their way to whoever wants them: in order, outside every lock.

use std::{
    collections::VecDeque,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tokio::sync::broadcast;

use crate::{
    circuit::shared::Users,
    machine::Event,
    observe::{Observer, log},
    sync::{Arc, Mutex, OnceLock},
};

/// How many events a subscriber may be behind before it misses some. A circuit has a few in a second of an outage.
const CAPACITY: usize = 64;

/// Events on their way.
#[derive(Default)]
pub(super) struct Outbox {
    /// In a box while there is something in it, so that a circuit to which nothing happens pays nothing.
    queue: Mutex<Option<Box<Queue>>>,
    /// Made by the first subscriber, so that a circuit without one pays nothing.
    subscribers: OnceLock<broadcast::Sender<Event>>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Somebody delivers; whoever comes meanwhile leaves its events to them.
    delivering: bool,
}

impl Outbox {
    /// Takes events over. Called under the lock of the phases, so that the order is that of the transitions.
    pub(super) fn push(&self, events: impl Iterator<Item = Event>) {
        self.queue.lock().get_or_insert_default().events.extend(events);
    }

    /// Delivers what is there, to these observers and to all subscribers. Called outside every lock.
    pub(super) fn deliver(&self, users: Option<&Users>) {
        let observers: &[Arc<dyn Observer>] = users.map_or(&[], |users| &users.observers);
        let key = users.and_then(|users| users.key.as_deref());
        while let Some(event) = self.take() {
            // A panic is the observer's own; the hook has already reported it.
            let tell = |tell: &dyn Fn()| _ = catch_unwind(AssertUnwindSafe(tell));
            tell(&|| log(&event, key));
            let shown = key.map(|key| key as &dyn Debug);
            observers.iter().for_each(|observer| tell(&|| observer.on_keyed_event(&event, shown)));
            if let Some(subscribers) = self.subscribers.get() {
                // An error only says that nobody listens.
                let _ = subscribers.send(event);
            }
            if let Some(queue) = &mut *self.queue.lock() {
                queue.delivering = false;
            }
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.subscribers.get_or_init(|| broadcast::channel(CAPACITY).0).subscribe()
    }

    fn take(&self) -> Option<Event> {
        let mut place = self.queue.lock();
        let queue = place.as_mut().filter(|queue| !queue.delivering)?;
        let Some(event) = queue.events.pop_front() else {
            *place = None;
            return None;
        };
        queue.delivering = true;
        Some(event)
    }
}

/// What happens to a circuit, as a stream of its own. See [`Circuit::subscribe`](crate::Circuit::subscribe).
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    pub(super) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(receiver)
    }

    /// Waits for the next event; none once the circuit is gone.
    ///
    /// # Errors
    ///
    /// [`Missed`] if this subscriber was too slow: it says how many events are lost, and the next call goes on after
    /// them.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Returns the next event if one is there.
    ///
    /// # Errors
    ///
    /// [`Missed`] if this subscriber was too slow.
    pub fn try_next(&mut self) -> Option<Result<Event, Missed>> {
        match self.0.try_recv() {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::TryRecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        }
    }
}

/// A subscriber was too slow and events are lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    events: u64,
}

impl Missed {
    /// Returns how many events are lost.
    #[must_use]
    pub fn events(self) -> u64 {
        self.events
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "missed {} events of the circuit", self.events)
    }
}

impl std::error::Error for Missed {}
