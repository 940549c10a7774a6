//! Locks, atomics and threads of the standard library.

pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
use std::{cell::Cell, num::NonZero, sync::OnceLock};

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
