//! Many threads that make circuits at once, and what they leave behind.

use std::{sync::Barrier, thread};

use super::{THREE, registry, strangers};

const CAPACITY: usize = 100;

/// What is forgotten is dropped some at a time, of each thread its own; that must not be taken for a lack of room.
#[test]
fn what_a_stampede_leaves_behind_sends_nobody_to_the_overflow_afterwards() {
    const THREADS: usize = 64;
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(CAPACITY));
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (start, tenants) = (&start, &tenants);
            scope.spawn(move || {
                start.wait();
                strangers(tenants, &thread.to_string(), 500);
            });
        }
    });
    let before = tenants.overflow().snapshot().ledger.ended();
    strangers(&tenants, "late", 1_000);
    assert_eq!(tenants.overflow().snapshot().ledger.ended() - before, 0, "{before} before");
    assert!(tenants.len() <= CAPACITY);
}
