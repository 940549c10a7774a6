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

/// The number of this thread, counted from the first that asked.
#[inline]
pub(crate) fn thread_number() -> usize {
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let number = NUMBER.get();
    if number != usize::MAX {
        return number;
    }
    static NEXT: atomic::AtomicUsize = atomic::AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, atomic::Ordering::Relaxed);
    NUMBER.set(number);
    number
}
