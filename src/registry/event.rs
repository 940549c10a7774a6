//! What happens to a registry, and who is told.

use std::fmt;

use super::{Key, Registry};
use crate::{
    circuit::{Events, Outbox, isolated},
    sync::Arc,
};

/// Something that happened to a registry. See [`RegistryBuilder::observe`](super::RegistryBuilder::observe) and
/// [`Registry::subscribe`].
///
/// It has the key and not the circuit, since one that is held is not forgotten; [`Registry::find`] has it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryEvent<K = String> {
    /// The key of the circuit.
    pub key: Arc<K>,
    /// What has happened to it.
    pub what: EntryChange,
}

/// What has happened to a circuit in its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryChange {
    /// It was made as its key came in, or inserted.
    Added,
    /// Nobody had asked for it, and it is gone.
    Forgotten,
    /// It was removed by [`Registry::remove`].
    Removed,
    /// It was inserted in the place of another.
    Replaced,
}

impl EntryChange {
    /// Returns the word for logs and metrics: `added`, `forgotten`, `removed`, `replaced`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Forgotten => "forgotten",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for EntryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<K: fmt::Debug> fmt::Display for RegistryEvent<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has been {}", self.key, self.what)
    }
}

impl<K> Clone for RegistryEvent<K> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), what: self.what }
    }
}

/// What is to be told, and to whom.
pub(super) struct News<K> {
    observers: Vec<Box<Observer<K>>>,
    outbox: Outbox<RegistryEvent<K>>,
}

type Observer<K> = dyn Fn(&RegistryEvent<K>) + Send + Sync;

impl<K> Default for News<K> {
    fn default() -> Self {
        Self { observers: Vec::new(), outbox: Outbox::default() }
    }
}

impl<K> News<K> {
    pub(super) fn add(&mut self, observer: Box<Observer<K>>) {
        self.observers.push(observer);
    }

    /// Takes over what has happened. Called under the lock of the books, so that the order is that in which it happened.
    pub(super) fn take_over(&self, news: &mut Vec<RegistryEvent<K>>) {
        if self.observers.is_empty() && !self.outbox.has_subscribers() {
            news.clear();
        }
        if !news.is_empty() {
            self.outbox.push(news.drain(..));
        }
    }

    /// Tells it. Called outside every lock.
    pub(super) fn deliver(&self) {
        self.outbox.deliver(|event| self.observers.iter().for_each(|observer| isolated(|| observer(event))));
    }
}

impl<K: Key> Registry<K> {
    /// Subscribes to what happens to the registry from now on: which circuits are added, replaced, removed and forgotten. The
    /// stream is bounded; a slow subscriber is told how much it missed.
    ///
    /// ```
    /// use tower_breaker::{Registry, registry::EntryChange};
    ///
    /// let hosts = Registry::by_key("hosts").build()?;
    /// let mut events = hosts.subscribe();
    /// hosts.circuit("search.internal");
    /// let event = events.try_next().unwrap()?;                       // or `next().await`
    /// assert_eq!((event.key.as_str(), event.what), ("search.internal", EntryChange::Added));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Events<RegistryEvent<K>> {
        self.0.news.outbox.subscribe()
    }
}
