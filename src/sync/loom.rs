//! Those of loom, which tries every order of the steps of a few threads; for `tests/loom`.

use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

/// A stripe for each thread of a model: loom does not know that a place filled by another thread is safe to read.
pub(crate) fn threads() -> usize {
    loom::MAX_THREADS
}

/// The number of this thread, from one on, in the order in which they asked in this run of the model.
pub(crate) fn thread_number() -> usize {
    loom::lazy_static! {
        // An atomic of the standard library, so that counting threads adds no order to try.
        static ref NEXT: AtomicUsize = AtomicUsize::new(1);
    }
    loom::thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

pub(crate) use self::thread_number as number_thread;
