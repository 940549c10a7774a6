//! The last events of all circuits, with the time of day, and the last of each.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

use super::{listing::base, view::ms};
use crate::{
    clock::wall,
    machine::Event,
    observe::Observer,
    sync::{Arc, Mutex},
};

/// An event that is kept. As JSON it is one object, whose `kind` is `transition` or `mode`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Logged {
    /// Its number; it grows from event to event, also over a restart of the program.
    pub seq: u64,
    /// When it was, by the clock on the wall.
    pub at: SystemTime,
    /// The [id](super::CircuitView::id) of its circuit, the same for all circuits of one name and key.
    pub circuit: Arc<str>,
    /// What happened.
    pub event: Event,
}

/// The events of all circuits.
pub(super) struct Log {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last_seq: u64,
    /// invariant: no more than the capacity, in the order of their numbers.
    events: VecDeque<Logged>,
    dropped: u64,
    /// invariant: at most [`CIRCUITS`], each with one event at least and [`OF_EACH`] at most, in the order of their numbers.
    of: HashMap<Arc<str>, VecDeque<Logged>>,
}

/// How many events of one circuit are kept, whatever happens to the others: an outage with some failed probes.
const OF_EACH: usize = 20;

/// Of how many circuits, those to which something has happened last.
const CIRCUITS: usize = 1_000;

impl Log {
    pub(super) fn new(capacity: usize) -> Self {
        // The numbers of this process are larger than those of the one before, and small enough for JavaScript.
        let since_1970 = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let last_seq = u64::try_from(since_1970.as_micros()).unwrap_or_default();
        Self { capacity, kept: Mutex::new(Kept { last_seq, ..Kept::default() }) }
    }

    fn push(&self, circuit: String, event: Event) {
        let (at, circuit) = (wall(), Arc::from(circuit));
        let mut kept = self.kept.lock();
        kept.last_seq += 1;
        let logged = Logged { seq: kept.last_seq, at, circuit, event };
        kept.keep_of(logged.clone());
        kept.events.push_back(logged);
        if kept.events.len() > self.capacity {
            kept.events.pop_front();
            kept.dropped += 1;
        }
    }

    /// The events with larger numbers than this, of all circuits or of one, the oldest first. If the number is none of ours,
    /// that is all of them.
    pub(super) fn read(&self, after: u64, only: Option<&str>) -> Vec<Logged> {
        let kept = self.kept.lock();
        let after = if after > kept.last_seq { 0 } else { after };
        let first = kept.events.front().map_or(u64::MAX, |logged| logged.seq);
        let own = only.and_then(|circuit| kept.of.get(circuit)).into_iter().flatten();
        let all = own.filter(|logged| logged.seq < first).chain(&kept.events);
        let wanted = |logged: &&Logged| logged.seq > after && only.is_none_or(|only| *logged.circuit == *only);
        all.filter(wanted).cloned().collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.kept.lock().dropped
    }
}

impl Kept {
    fn keep_of(&mut self, logged: Logged) {
        if !self.of.contains_key(&logged.circuit) && self.of.len() >= CIRCUITS {
            let last = |events: &VecDeque<Logged>| events.back().map(|logged| logged.seq);
            let quietest =
                self.of.iter().min_by_key(|(_, events)| last(events)).map(|(circuit, _)| Arc::clone(circuit));
            quietest.map(|circuit| self.of.remove(&circuit));
        }
        let events = self.of.entry(Arc::clone(&logged.circuit)).or_default();
        events.push_back(logged);
        if events.len() > OF_EACH {
            events.pop_front();
        }
    }
}

/// Keeps the events of circuits for a dashboard, see [`Dashboard::observer`](super::Dashboard::observer).
#[derive(Clone)]
pub struct Observing(Arc<Log>);

impl Observing {
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Self(Arc::clone(log))
    }
}

impl Observer for Observing {
    fn on_event(&self, event: &Event) {
        self.on_keyed_event(event, None);
    }

    fn on_keyed_event(&self, event: &Event, key: Option<&dyn fmt::Debug>) {
        let name = match event {
            Event::ModeChanged { circuit, .. } => circuit,
            Event::Transition(transition) => &transition.circuit,
        };
        let key = key.map(|key| format!("{key:?}"));
        self.0.push(base(name, key.as_deref()), event.clone());
    }
}

impl fmt::Debug for Observing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observing").finish_non_exhaustive()
    }
}

impl Serialize for Logged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seq, at, circuit, event } = self;
        Wire { seq: *seq, at_ms: since_1970(*at), circuit, what: event.into() }.serialize(serializer)
    }
}

/// The fields of an event in JSON.
#[derive(Serialize)]
struct Wire<'a> {
    seq: u64,
    at_ms: u64,
    circuit: &'a str,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    Mode {
        from: &'static str,
        to: &'static str,
    },
    Transition {
        from: &'static str,
        to: &'static str,
        rule: &'static str,
        text: String,
        epoch: u64,
        retry_after_ms: Option<u64>,
    },
}

impl From<&Event> for What {
    fn from(event: &Event) -> Self {
        match event {
            Event::ModeChanged { circuit: _, from, to } => Self::Mode { from: from.as_str(), to: to.as_str() },
            Event::Transition(transition) => Self::Transition {
                from: transition.from.as_str(),
                to: transition.to.as_str(),
                rule: transition.reason.as_str(),
                text: transition.reason.to_string(),
                epoch: transition.epoch,
                retry_after_ms: transition.retry_after.map(ms),
            },
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn since_1970(at: SystemTime) -> u64 {
    ms(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
