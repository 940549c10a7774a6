//! Which circuits are kept, and which are forgotten.

use std::{collections::VecDeque, hash::Hash, time::Duration};

use super::{
    duplicates::Departed,
    entry::Entry,
    event::{EntryChange, RegistryEvent},
    forgotten::Forgotten,
    live::{Live, Pin},
};
use crate::{sync::Arc, time::Instant};

/// Which circuits are kept: a queue of newcomers, which have been asked for once, and a ring of the others, over which a hand
/// goes round. Each new key looks at a few of them, so that there is no background task and no long pause.
#[derive(Debug)]
pub(super) struct Books<K> {
    newcomers: VecDeque<Line<K>>,
    ring: VecDeque<Line<K>>,
    /// What the circuits of this name had counted that are gone.
    pub(super) forgotten: Forgotten,
    /// What has happened and nobody has been told yet.
    pub(super) news: Vec<RegistryEvent<K>>,
    /// What was removed or replaced, and may still be in somebody's hands.
    pub(super) departed: Vec<Departed<K>>,
    name: Arc<str>,
}

/// An entry, and since when nobody has been seen to ask for it.
#[derive(Debug)]
struct Line<K> {
    entry: Arc<Entry<K>>,
    quiet_since: Instant,
}

/// How many newcomers and how many others a new key looks at. With two of each, as many are looked at as come, and the hand
/// gets on; 8 where something must go, so that a key that finds no room has cost a microsecond.
const STEPS: usize = 2;
const STEPS_IN_NEED: usize = 8;

impl<K: Hash + Eq> Books<K> {
    /// `name` is that of the registry.
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            newcomers: VecDeque::new(),
            ring: VecDeque::new(),
            forgotten: Forgotten::default(),
            news: Vec::new(),
            departed: Vec::new(),
            name,
        }
    }

    /// Takes note of what has happened to a circuit.
    pub(super) fn tell(&mut self, entry: &Entry<K>, what: EntryChange) {
        self.news.push(RegistryEvent { key: Arc::clone(&entry.key), what });
    }

    /// Takes note of a circuit that is removed or replaced. Those that are gone by now are no longer noted.
    pub(super) fn depart(&mut self, entry: &Arc<Entry<K>>) {
        self.departed.retain(Departed::is_there);
        self.departed.push(Departed::new(entry));
    }

    /// Enters a circuit that may be forgotten.
    pub(super) fn enter(&mut self, entry: Arc<Entry<K>>, now: Instant) {
        self.newcomers.push_back(Line { entry, quiet_since: now });
    }

    /// Strikes a circuit out.
    pub(super) fn strike(&mut self, entry: &Arc<Entry<K>>) {
        let other = |line: &Line<K>| !Arc::ptr_eq(&line.entry, entry);
        self.newcomers.retain(other);
        self.ring.retain(other);
    }

    /// Forgets what has been idle, a few at a time.
    pub(super) fn tidy(&mut self, live: &Live<K>, pin: &Pin<'_>, idle: Duration, now: Instant) {
        for _ in 0..STEPS {
            if self.newcomers.front().is_some_and(|line| now.since(line.quiet_since) >= idle) {
                self.look_at_newcomer(live, pin, now);
            }
            self.look_at_ring(live, pin, idle, now);
        }
    }

    /// Forgets one circuit, so that another has room; false if there is none that may be forgotten.
    pub(super) fn make_room(&mut self, live: &Live<K>, pin: &Pin<'_>, idle: Duration, now: Instant) -> bool {
        (0..STEPS_IN_NEED).any(|_| self.look_at_newcomer(live, pin, now) || self.look_at_ring(live, pin, idle, now))
    }

    /// Looks at the oldest newcomer: it goes, or it is one no longer, or its call is still under way. True if it went.
    fn look_at_newcomer(&mut self, live: &Live<K>, pin: &Pin<'_>, now: Instant) -> bool {
        let Some(mut line) = self.newcomers.pop_front() else { return false };
        if line.entry.take_asked() {
            line.quiet_since = now;
        } else if line.entry.circuit.is_held() {
            self.newcomers.push_back(line);
            return false;
        } else if line.entry.is_spent(now) && line.entry.leave() {
            live.remove(&line.entry, pin);
            self.tell(&line.entry, EntryChange::Forgotten);
            self.add_up(&line.entry, now);
            return true;
        }
        self.ring.push_back(line);
        false
    }

    /// Looks where the hand points: it goes if it has been idle. True if it went.
    fn look_at_ring(&mut self, live: &Live<K>, pin: &Pin<'_>, idle: Duration, now: Instant) -> bool {
        let Some(mut line) = self.ring.pop_front() else { return false };
        let quiet_for = now.since(line.quiet_since);
        if line.entry.take_asked() {
            line.quiet_since = now;
        } else if quiet_for >= idle && line.entry.is_idle(quiet_for, now) && line.entry.leave() {
            live.remove(&line.entry, pin);
            self.tell(&line.entry, EntryChange::Forgotten);
            self.add_up(&line.entry, now);
            return true;
        }
        self.ring.push_back(line);
        false
    }

    /// Keeps what a circuit has counted that is gone.
    pub(super) fn add_up(&mut self, entry: &Entry<K>, now: Instant) {
        let circuit = &entry.circuit;
        if circuit.name() == &*self.name {
            self.forgotten.add(&circuit.snapshot_at(now));
        }
    }
}
