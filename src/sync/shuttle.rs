//! Those of shuttle, which tries random orders of the steps of many threads; for `tests/shuttle.rs`.

pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

/// Fewer than a test has threads, so that some share a stripe.
pub(crate) fn threads() -> usize {
    4
}

/// The number of this thread in this run of the test.
pub(crate) fn thread_number() -> usize {
    usize::from(shuttle::current::me()) % threads() + 1
}

pub(crate) use self::thread_number as number_thread;
