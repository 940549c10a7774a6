//! The last events of a circuit, or of some.

use std::{collections::VecDeque, fmt};

use super::Observer;
use crate::{
    machine::Event,
    sync::{Arc, Mutex},
};

/// Keeps the last events. Clones are the same log.
///
/// Circuits keep none by themselves, so those that nobody looks at cost nothing. Give each circuit a log of its own, or one
/// to all: each event has the name of its circuit.
///
/// ```
/// use tower_breaker::{Circuit, observe::EventLog};
///
/// let log = EventLog::new(100);
/// let payments = Circuit::builder("payments").observe(log.clone()).build()?;
/// payments.force_open();
/// payments.auto();
///
/// assert_eq!(log.events().len(), 2);
/// assert_eq!(log.dropped(), 0);
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct EventLog(Arc<Shared>);

struct Shared {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// invariant: no more than the capacity.
    events: VecDeque<Event>,
    dropped: u64,
}

impl EventLog {
    /// Makes a log of the last `capacity` events, some 150 bytes each. The room is taken as events come. With 0 it keeps none.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Shared { capacity, kept: Mutex::default() }))
    }

    /// Returns the events that are kept, the oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.kept.lock().events.iter().cloned().collect()
    }

    /// Returns how many older events have been dropped, because there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.kept.lock().dropped
    }
}

impl Observer for EventLog {
    fn on_event(&self, event: &Event) {
        let event = event.clone();
        let mut kept = self.0.kept.lock();
        kept.events.push_back(event);
        if kept.events.len() > self.0.capacity {
            kept.events.pop_front();
            kept.dropped += 1;
        }
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}
