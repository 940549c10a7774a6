//! The one place that names locks and atomics, so that a model checker can stand in for them.
//!
//! Which of the three kinds is used is decided here by a flag that only their tests set. Handles that count their owners,
//! and places that are filled once, are always the standard library's: no model checker has all of them. A place is
//! filled under a lock, and what fills it makes atomics but does not use them, so a model loses no interleaving by it.

#[cfg(tower_breaker_loom)]
mod loom;
#[cfg(tower_breaker_shuttle)]
mod shuttle;
#[cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]
mod standard;

#[cfg(tower_breaker_loom)]
use self::loom as kind;
#[cfg(tower_breaker_shuttle)]
use self::shuttle as kind;
#[cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]
use self::standard as kind;

pub(crate) use self::kind::{MutexGuard, atomic, number_thread, thread_number, threads};
pub(crate) use std::sync::{Arc, OnceLock, Weak};
use std::sync::{PoisonError, TryLockError};

/// A lock without poisoning: no user code runs under it, so what it guards is whole even after a panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(kind::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(kind::Mutex::new(value))
    }

    /// None if somebody else holds it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
