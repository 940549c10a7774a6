//! The circuits that can be found, each by its key.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
};

use papaya::{Equivalent, Guard, HashSet, LocalGuard, OwnedGuard, ResizeMode};

use super::entry::Entry;
use crate::sync::Arc;

/// The circuits that can be found: read without a lock, written under that of the books.
///
/// What is removed is dropped when no thread has a pin any more that could look at it, some 32 at a time. It holds observers,
/// which are the user's; so a pin is given back after the lock. It is taken once the lock is there, so that who waits has none.
pub(super) struct Live<K>(HashSet<Kept<K>>);

/// A pin that can write. It belongs to no thread, but has the lowest number that is free in the process.
///
/// What is removed waits for more under the number of the pin: under that of a thread it would wait for that thread to remove
/// more.
pub(super) type Pin<'a> = OwnedGuard<'a>;

impl<K: Hash + Eq> Live<K> {
    pub(super) fn new() -> Self {
        // Not step by step: what is removed meanwhile would wait for the end under the number of a thread. Only one writes, and
        // readers go on.
        Self(HashSet::builder().resize_mode(ResizeMode::Blocking).build())
    }

    pub(super) fn pin_to_read(&self) -> LocalGuard<'_> {
        self.0.guard()
    }

    pub(super) fn pin(&self) -> Pin<'_> {
        self.0.owned_guard()
    }

    #[inline]
    pub(super) fn get<'a, Q>(&self, key: &Q, pin: &'a impl Guard) -> Option<&'a Arc<Entry<K>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(&Asked(key), pin).map(|kept| &kept.0)
    }

    /// `entry` has a key that is not here.
    pub(super) fn insert(&self, entry: Arc<Entry<K>>, pin: &Pin<'_>) {
        self.0.insert(Kept(entry), pin);
    }

    pub(super) fn remove(&self, entry: &Entry<K>, pin: &Pin<'_>) {
        self.0.remove(&Asked::<K>(&entry.key), pin);
    }

    /// Drops what waits under the number of this pin, as soon as it can be; what is less than there are pins goes on waiting.
    pub(super) fn drop_removed(pin: &Pin<'_>) {
        pin.flush();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter<'a>(&'a self, pin: &'a impl Guard) -> impl Iterator<Item = &'a Arc<Entry<K>>> {
        self.0.iter(pin).map(|kept| &kept.0)
    }
}

impl<K> fmt::Debug for Live<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// An entry, as its key.
struct Kept<K>(Arc<Entry<K>>);

impl<K: Hash> Hash for Kept<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl<K: PartialEq> PartialEq for Kept<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl<K: Eq> Eq for Kept<K> {}

/// A key that is looked for.
#[derive(Hash)]
struct Asked<'a, Q: ?Sized>(&'a Q);

impl<K: Borrow<Q>, Q: Eq + ?Sized> Equivalent<Kept<K>> for Asked<'_, Q> {
    fn equivalent(&self, kept: &Kept<K>) -> bool {
        self.0 == (*kept.0.key).borrow()
    }
}
