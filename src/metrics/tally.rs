//! What circuits do not count themselves: transitions by reason, the time to detect and to recover.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    machine::{Event, Reason, Transition},
    observe::Observer,
    state::State,
    sync::{Arc, Mutex},
    time::Instant,
};

/// What the observers of one reporter have counted, by the name of the circuit.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<Arc<str>, Counts>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// As many as there are ways from state to state and reasons, some twenty in practice.
    pub(super) transitions: Vec<(Way, u64)>,
    pub(super) detected: Spans,
    pub(super) recovered: Spans,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) from: State,
    pub(super) to: State,
    pub(super) reason: &'static str,
}

/// How many stretches of time, and how long they were together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spans {
    pub(super) count: u64,
    pub(super) time: Duration,
}

impl Spans {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.time = self.time.saturating_add(time);
    }
}

impl Tally {
    /// An observer for one circuit.
    pub(super) fn follow(self: &Arc<Self>) -> Follower {
        Follower { tally: Arc::clone(self), opened: Mutex::default() }
    }

    pub(super) fn read(&self) -> Vec<(Arc<str>, Counts)> {
        self.0.lock().iter().map(|(name, counts)| (Arc::clone(name), counts.clone())).collect()
    }
}

/// Counts the transitions of one circuit.
#[derive(Debug)]
pub(super) struct Follower {
    tally: Arc<Tally>,
    /// When the outage began. Events of one circuit come one after the other, so this is never fought for.
    opened: Mutex<Option<Instant>>,
}

impl Follower {
    /// How long the outage was, if this ends one.
    fn outage(&self, transition: &Transition) -> Option<Duration> {
        let mut opened = self.opened.lock();
        match (transition.from, transition.to) {
            (State::Closed, State::Open) => {
                *opened = Some(transition.at);
                None
            }
            (_, State::Closed) => opened.take().map(|since| transition.at.since(since)),
            (_, State::Open | State::HalfOpen | State::Recovering) => None,
        }
    }
}

impl Observer for Follower {
    fn on_event(&self, event: &Event) {
        let transition = match event {
            Event::ModeChanged { .. } => return,
            Event::Transition(transition) => transition,
        };
        let outage = self.outage(transition);
        let Transition { circuit, from, to, reason, detected_after, .. } = transition;
        let way = Way { from: *from, to: *to, reason: reason.as_str() };
        let mut tally = self.tally.0.lock();
        let counts = tally.entry(Arc::clone(circuit)).or_default();
        match counts.transitions.iter_mut().find(|(known, _)| *known == way) {
            Some((_, count)) => *count += 1,
            None => counts.transitions.push((way, 1)),
        }
        if let Some(time) = detected_after {
            counts.detected.add(*time);
        }
        // An operator who ends an outage says nothing of how fast the dependency came back.
        let by_itself = matches!(reason, Reason::ProbesSucceeded { .. } | Reason::Recovered);
        if let Some(outage) = outage.filter(|_| by_itself) {
            counts.recovered.add(outage);
        }
    }
}
