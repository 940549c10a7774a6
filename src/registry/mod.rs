//! Many circuits, each found by its key or its name.
//!
//! ```
//! use tower_breaker::{Config, Outcome, Registry, config::Consecutive};
//!
//! let tenants = Registry::by_key("tenants")
//!     .config(Config::new().consecutive_failures(Consecutive::new(3)))
//!     .build()?;
//! let of = |tenant: &str| tenants.circuit(tenant);
//!
//! for _ in 0..3 {
//!     of("acme").try_acquire()?.record(Outcome::failure());
//! }
//! assert!(of("acme").try_acquire().is_err());
//! assert!(of("umbrella").try_acquire().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A registry *by key* makes circuits as keys come in, bounded in number, and they all bear its name; metrics and errors have
//! one name then, whatever the keys are, and log lines have the key beside it. A registry *by name* holds the circuits of a
//! program, each with its own name, and forgets none:
//!
//! ```
//! use tower_breaker::{Circuit, Mode, Registry};
//!
//! let circuits = Registry::by_name().build()?;
//! circuits.insert("payments".to_owned(), Circuit::builder("payments").mode(Mode::MetricsOnly).build()?);
//! let search = circuits.circuit("search"); // made on demand, with the common settings
//!
//! for (name, circuit) in circuits.circuits() {
//!     println!("{name}: {}", circuit.explain());
//! }
//! # assert_eq!((search.name(), circuits.len()), ("search", 2));
//! # Ok::<(), tower_breaker::ConfigError>(())
//! ```
//!
//! With tower, see [`KeyedCircuitBreakerLayer`](crate::KeyedCircuitBreakerLayer).
//!
//! # What is forgotten
//!
//! Keys may be chosen by an attacker: a new `Host` in each request. So a registry by key is bounded, and there is no
//! background task: each new key looks at a few of the circuits that are there. A circuit is forgotten
//!
//! - when nobody has asked for it in [`RegistryBuilder::forget_after`] (counted from when that was first seen, so it may take
//!   twice as long), or, if a call has failed, in the longest time that one
//!   of its rules looks back on; or
//! - when the room is needed and it was asked for once only, by a call that was not bad.
//!
//! Never forgotten is a circuit that somebody holds (a call under way, a [`Circuit`] in your hands, a task that waits), one
//! that is open and whose next probe is not due, one in a [mode](crate::Mode) that an operator has set, and one that was
//! [inserted](Registry::insert). Settings that were changed by [`Circuit::reconfigure`] are forgotten with the circuit; give
//! them by [`RegistryBuilder::each`], or by `Registry::apply` (feature `serde`), which changes them while all runs.
//!
//! When there is no room and nothing may be forgotten, calls with new keys go to one [circuit](Registry::overflow) that
//! counts them and rejects none: strangers share it, and one of them must not shut the door on the others. Those whose
//! circuits are there notice nothing. Capacity times the size of a circuit, about a kilobyte, is all the memory there is,
//! but for some circuits that are forgotten and that another thread may still be looking at: at most an eighth and 256 more.

mod books;
mod builder;
mod duplicates;
mod entry;
mod event;
#[cfg(feature = "serde")]
mod follow;
mod forgotten;
mod live;
mod plan;
mod saved;

use std::{borrow::Borrow, fmt, hash::Hash, time::Duration};

pub(crate) use self::plan::Plan;
use self::{
    books::Books,
    builder::Recipe,
    entry::Entry,
    event::News,
    live::{Live, Pin},
};
pub use self::{
    builder::{Key, RegistryBuilder},
    duplicates::Duplicate,
    event::{EntryChange, RegistryEvent},
    forgotten::Forgotten,
    saved::{Restoration, SavedCircuits},
};
#[cfg(feature = "serde")]
pub(crate) use self::{
    follow::Turn,
    plan::{Own, Terms},
};
use crate::{
    circuit::{Circuit, Permit},
    rejected::Rejected,
    sync::{Arc, Mutex},
    time::Instant,
};

/// Many circuits, each found by its key or its name. Clones are the same registry. See the [module docs](self) for an example.
///
/// To look up a circuit that is there takes no lock and allocates nothing; threads that look up the same key share nothing
/// that is written. Only [`Hash`] and [`Eq`] of a key may run under the lock of the others.
pub struct Registry<K = String>(Arc<Shared<K>>);

struct Shared<K> {
    live: Live<K>,
    /// invariant: whoever writes to `live` holds this lock, and has a [`Pin`] that it took then and gives back afterwards.
    /// Lock order: the books, then one circuit.
    books: Mutex<Books<K>>,
    recipe: Recipe<K>,
    plan: Mutex<Arc<Plan<K>>>,
    capacity: usize,
    forget_after: Option<Duration>,
    overflow: Circuit,
    news: News<K>,
    /// How many circuits there are, those included that are forgotten but not dropped yet: owners, this one not counted.
    alive: Arc<()>,
}

impl Registry<String> {
    /// Begins a registry of circuits that all bear this name, made as keys come in. For keys that are not text, see
    /// [`RegistryBuilder::new`].
    pub fn by_key(name: impl Into<Arc<str>>) -> RegistryBuilder<String> {
        RegistryBuilder::new(name)
    }

    /// Begins a registry of circuits that bear their own names. It makes them on demand, keeps those that are
    /// [inserted](Registry::insert), and forgets none.
    pub fn by_name() -> RegistryBuilder<String> {
        RegistryBuilder::by_name()
    }
}

impl<K: Key> Registry<K> {
    fn new(
        recipe: Recipe<K>,
        plan: Plan<K>,
        capacity: usize,
        forget_after: Option<Duration>,
        overflow: Circuit,
        news: News<K>,
    ) -> Self {
        let books = Mutex::new(Books::new(Arc::clone(&recipe.name)));
        let (live, alive) = (Live::new(), Arc::new(()));
        let plan = Mutex::new(Arc::new(plan));
        Self(Arc::new(Shared { live, books, recipe, plan, capacity, forget_after, overflow, news, alive }))
    }

    /// Returns the name of the registry: that of its circuits, if it is one by key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.recipe.name
    }

    /// Returns the circuit of a key. It is made if it is not there; where there is no room, it is [`Registry::overflow`].
    ///
    /// A circuit that somebody holds is not forgotten, so do not keep more of them than you need.
    pub fn circuit<Q>(&self, key: &Q) -> Circuit
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    {
        self.find(key).unwrap_or_else(|| self.make(key))
    }

    /// Returns the circuit of a key, if it is there.
    #[must_use]
    pub fn find<Q>(&self, key: &Q) -> Option<Circuit>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let pin = self.0.live.pin_to_read();
        self.0.live.get(key, &pin).and_then(|entry| entry.hold())
    }

    /// Puts a circuit of your own in the place of a key, and returns the one that was there. It is kept until it is
    /// [removed](Registry::remove), whether or not there is room. If a file that was applied has a table for it, or the kill switch
    /// names it, it follows that.
    ///
    /// Calls that are under way in the one that was there end there. If another circuit of the registry has the name of this one,
    /// that is a warning in the log; see [`Registry::duplicates`]. Do not put back one that was removed: what it had counted
    /// stands in [`Registry::forgotten`] and would be counted twice.
    pub fn insert(&self, key: K, circuit: Circuit) -> Option<Circuit> {
        let entry = Arc::new(Entry::new(Arc::new(key), circuit.clone(), false, &self.0.alive));
        let old = self.0.change(|books, pin, now| {
            let old = self.0.expel(&*entry.key, books, pin, now);
            books.tell(&entry, if old.is_some() { EntryChange::Replaced } else { EntryChange::Added });
            self.0.live.insert(Arc::clone(&entry), pin);
            old
        });
        let plan = self.0.plan();
        self.0.recipe.welcome(&entry, &plan);
        self.catch_up(&entry, plan);
        self.warn_of_duplicates(&circuit);
        old
    }

    /// Takes the circuit of a key out and returns it. The next call with this key makes another.
    pub fn remove<Q>(&self, key: &Q) -> Option<Circuit>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.change(|books, pin, now| {
            let entry = self.0.live.get(key, pin).map(Arc::clone)?;
            books.tell(&entry, EntryChange::Removed);
            self.0.expel(key, books, pin, now)
        })
    }

    /// Returns all circuits with their keys, in no order. They are held, so let go of them again.
    #[must_use]
    pub fn circuits(&self) -> Vec<(Arc<K>, Circuit)> {
        let pin = self.0.live.pin_to_read();
        self.0.live.iter(&pin).map(|entry| (Arc::clone(&entry.key), entry.circuit.clone())).collect()
    }

    /// Shows all circuits to a closure, that of the overflow not. None is held beyond that.
    #[cfg(any(feature = "dashboard", feature = "metrics"))]
    pub(crate) fn for_each(&self, see: impl FnMut(&Circuit)) {
        let pin = self.0.live.pin_to_read();
        self.0.live.iter(&pin).map(|entry| &entry.circuit).for_each(see);
    }

    /// Returns what the circuits had counted that are gone: forgotten, removed or replaced, and of the registry's own name. Add
    /// it to that of the others, and it is all that was ever counted.
    #[must_use]
    pub fn forgotten(&self) -> Forgotten {
        self.0.books.lock().forgotten
    }

    /// Returns how many circuits there are, that of the overflow not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.live.len()
    }

    /// Reports whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the circuit of the calls whose keys find no room. It counts and rejects none, until you
    /// [let it](Circuit::auto).
    #[must_use]
    pub fn overflow(&self) -> &Circuit {
        &self.0.overflow
    }

    /// Answers a call all of whose steps are [guarded](Permit::guard).
    #[inline]
    pub(crate) fn admit<Q>(&self, key: &Q) -> Result<Permit, Rejected>
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    {
        let found = {
            let pin = self.0.live.pin_to_read();
            self.0.live.get(key, &pin).and_then(|entry| entry.admit())
        };
        found.unwrap_or_else(|| self.make(key).admit_guarded())
    }

    /// Makes the circuit of a key that is not there, unless another thread does.
    #[cold]
    #[inline(never)]
    fn make<Q>(&self, key: &Q) -> Circuit
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    {
        // Looked at twice, since circuits are made outside the lock, and not where there is no room.
        let found = self.0.change(|books, pin, now| self.0.find_or_room(key, books, pin, now));
        match found {
            Place::Found(circuit) => circuit,
            Place::Full => self.0.overflow.clone(),
            Place::Room => {
                let key = Arc::new(key.to_owned());
                let plan = self.0.plan();
                let circuit = self.0.recipe.make(&plan, &key);
                let entry = Arc::new(Entry::new(key, circuit, true, &self.0.alive));
                let circuit = self.0.change(|books, pin, now| self.0.enter(&entry, books, pin, now));
                self.catch_up(&entry, plan);
                circuit
            }
        }
    }
}

/// What a key finds that had no circuit a moment ago.
enum Place {
    Found(Circuit),
    Full,
    Room,
}

impl<K: Key> Shared<K> {
    fn plan(&self) -> Arc<Plan<K>> {
        Arc::clone(&self.plan.lock())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Books<K>, &Pin<'_>, Instant) -> T) -> T {
        let now = self.recipe.clock.now();
        let result = {
            // Given back after the lock, whereupon circuits are dropped; but taken after it too, so that who waits holds none.
            let pin;
            let mut books = self.books.lock();
            pin = self.live.pin();
            let result = change(&mut books, &pin, now);
            self.news.take_over(&mut books.news);
            drop(books);
            // Half-way to the bound each pin leaves next to nothing behind, so that what waits under other numbers stays there.
            if self.lingering() > self.most_lingering() / 2 {
                Live::<K>::drop_removed(&pin);
            }
            result
        };
        self.news.deliver();
        result
    }

    fn find_or_room<Q>(&self, key: &Q, books: &mut Books<K>, pin: &Pin<'_>, now: Instant) -> Place
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Whoever is here cannot go while the lock is held.
        if let Some(circuit) = self.live.get(key, pin).and_then(|entry| entry.hold()) {
            return Place::Found(circuit);
        }
        if self.has_room(books, pin, now) { Place::Room } else { Place::Full }
    }

    /// Enters a circuit, unless its key has one by now.
    fn enter(&self, entry: &Arc<Entry<K>>, books: &mut Books<K>, pin: &Pin<'_>, now: Instant) -> Circuit {
        match self.find_or_room(&*entry.key, books, pin, now) {
            Place::Found(circuit) => circuit,
            Place::Full => self.overflow.clone(),
            Place::Room => {
                self.live.insert(Arc::clone(entry), pin);
                books.tell(entry, EntryChange::Added);
                if self.forget_after.is_some() {
                    books.enter(Arc::clone(entry), now);
                }
                entry.circuit.clone()
            }
        }
    }

    /// Reports whether there is room for one more, and makes some if there is not.
    fn has_room(&self, books: &mut Books<K>, pin: &Pin<'_>, now: Instant) -> bool {
        let Some(idle) = self.forget_after else { return self.live.len() < self.capacity };
        books.tidy(&self.live, pin, idle, now);
        // A thread that looks at what is forgotten may be kept from going on.
        if self.lingering() > self.most_lingering() {
            return false;
        }
        self.live.len() < self.capacity || books.make_room(&self.live, pin, idle, now)
    }

    /// How many circuits are forgotten and not yet dropped.
    fn lingering(&self) -> usize {
        Arc::strong_count(&self.alive).saturating_sub(self.live.len() + 1)
    }

    /// How many may be: the map drops 32 at a time, for each number that a pin has.
    fn most_lingering(&self) -> usize {
        self.capacity / 8 + 256
    }

    fn expel<Q>(&self, key: &Q, books: &mut Books<K>, pin: &Pin<'_>, now: Instant) -> Option<Circuit>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.live.get(key, pin)?;
        entry.expel();
        books.depart(entry);
        books.strike(entry);
        self.live.remove(entry, pin);
        books.add_up(entry, now);
        Some(entry.circuit.clone())
    }
}

impl<K> Clone for Registry<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Registry<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("recipe", &self.0.recipe).field("live", &self.0.live).finish_non_exhaustive()
    }
}
