//! The one place that names locks and atomics, so that a model checker can stand in for them.

pub(crate) use std::sync::{Arc, MutexGuard, OnceLock, Weak, atomic};
use std::{
    cell::Cell,
    num::NonZero,
    sync::{PoisonError, TryLockError},
};

/// A lock without poisoning: no user code runs under it, so what it guards is whole even after a panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
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

/// How many threads can run at once, as a power of two: at most 32, since more stripes of a circuit cost more memory than
/// they save time.
pub(crate) fn threads() -> usize {
    // Asked once: the answer takes some reads of files.
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get).next_power_of_two().min(32))
}

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of this thread, from one to [`threads`]; zero if it has none yet.
#[inline]
pub(crate) fn thread_number() -> usize {
    NUMBER.get()
}

/// Gives this thread a number, if it has none; those beyond [`threads`] share.
pub(crate) fn number_thread() -> usize {
    static NEXT: atomic::AtomicUsize = atomic::AtomicUsize::new(0);
    if NUMBER.get() == 0 {
        NUMBER.set(NEXT.fetch_add(1, atomic::Ordering::Relaxed) % threads() + 1);
    }
    NUMBER.get()
}
