//! What a thread that stands still with the lock does not hold up, and counts too large to be reached by calls.

use std::{sync::mpsc, thread};

use super::*;
use crate::{
    circuit::Circuit,
    clock::{Clock, Sleep},
    config::{FailureRate, Window},
    outcome::Failure,
    sync::atomic::{AtomicU64, Ordering},
};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Time(AtomicU64);

impl Clock for Arc<Time> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// Runs `calls` while another thread stands still with the lock in its hand.
fn while_locked(circuit: &Circuit, calls: impl FnOnce()) {
    let ((locked, is_locked), (done, is_done)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let holder = scope.spawn(move || {
            let _guard = circuit.0.shared.inner.lock();
            locked.send(()).expect("it is waited for");
            // Lets go in the end, so that a call that waits for it fails and does not hang.
            is_done.recv_timeout(10 * SECOND)
        });
        is_locked.recv().expect("it is sent");
        calls();
        // The holder may have given up.
        let _ = done.send(());
        holder.join().expect("it does not panic").expect("the calls did not wait for the lock");
    });
}

#[test]
fn a_thread_that_stops_with_the_lock_stops_no_healthy_call() {
    let time = Arc::new(Time::default());
    let rate = FailureRate::new(0.5).window(Window::time(10 * SECOND));
    let builder = Circuit::builder("test").config(Config::without_rules().failure_rate(rate));
    let circuit = builder.clock(Arc::clone(&time)).build().expect("within bounds");
    let acquire = || circuit.try_acquire().expect("closed");
    // The first call of a thread takes the lock, for its stripe and as a sample of the latency.
    acquire().record(Outcome::Success);
    while_locked(&circuit, || {
        acquire().record(Outcome::Success);
        acquire().record(Outcome::Ignored);
        drop(acquire());
        circuit.check().expect("closed");
        // A new bucket begins, and waits for the lock to be free.
        time.0.store(5_000_000_000, Ordering::Relaxed);
        acquire().record(Outcome::Success);
        assert!(format!("{circuit:?}").contains("test"));
    });
    assert_eq!(circuit.snapshot().ledger.ended(), 5);
}

#[test]
fn a_thread_that_stops_with_the_lock_stops_no_rejection() {
    let circuit = Circuit::builder("test").clock(Arc::<Time>::default()).build().expect("within bounds");
    circuit.try_acquire().expect("closed").record(Failure::new().tripping());
    while_locked(&circuit, || {
        circuit.try_acquire().expect_err("open");
        circuit.check().expect_err("open");
    });
    circuit.disable();
    while_locked(&circuit, || circuit.try_acquire().expect("disabled").record(Outcome::failure()));
}

/// A gate has room for few, and its upper half is the phase.
#[test]
fn a_phase_begins_after_more_successes_than_a_gate_can_count() {
    let circuit = Circuit::builder("test").clock(Arc::<Time>::default()).build().expect("within bounds");
    let before = (5 << 32) + 3;
    circuit.0.shared.inner.lock().machine.successes(before);
    circuit.force_open();
    circuit.auto();
    for _ in 0..3 {
        circuit.try_acquire().expect("closed").record(Outcome::Success);
    }
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.succeeded, ledger.late), (before + 3, 0));
}
