//! The closed state: successes that pass by the lock, and what ends it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tower_breaker::{
    Config, Outcome, State,
    config::{FailureRate, Window},
};

use crate::support::{SECOND, World, at_once, bounded, failure, in_full, run_of, steps, tripping};

/// Peers: A14. Property P5.
#[test]
fn two_that_trip_make_one_transition_and_one_event() {
    in_full(|| {
        let world = World::new(run_of(2));
        world.record(failure(), 1);
        let (a, b) = (world.acquire(), world.acquire());
        at_once([steps(|| a.record(failure())), steps(|| b.record(failure()))]);
        assert_eq!(world.went_to(), [State::Open]);
        assert_eq!(world.circuit.snapshot().times_opened, 1);
        let ledger = world.ledger_of(3);
        assert_eq!((ledger.failed, ledger.late), (2, 1), "the second came after the phase");
    });
}

#[test]
fn three_that_trip_make_one_transition_and_one_event() {
    bounded(|| {
        let world = World::new(run_of(2));
        let permits = [(); 3].map(|()| world.acquire());
        at_once(permits.map(|permit| steps(move || permit.record(failure()))));
        assert_eq!(world.went_to(), [State::Open]);
        let ledger = world.ledger_of(3);
        assert_eq!((ledger.failed, ledger.late), (2, 1));
    });
}

/// Property P7.
#[test]
fn a_result_that_races_a_trip_counts_once_or_is_late() {
    for outcome in [Some(Outcome::Success), Some(Outcome::Ignored), Some(failure()), None] {
        in_full(move || {
            let world = World::new(run_of(1));
            let (racing, trips) = (world.acquire(), world.acquire());
            at_once([
                steps(move || match outcome {
                    Some(outcome) => racing.record(outcome),
                    None => drop(racing),
                }),
                steps(|| trips.record(tripping())),
            ]);
            assert_eq!(world.went_to(), [State::Open]);
            world.ledger_of(2);
        });
    }
}

/// The success passes at the gate, or is told behind the lock that it is late; never both.
#[test]
fn a_success_that_races_the_last_failure_of_a_run_ends_it_or_comes_too_late() {
    in_full(|| {
        let world = World::new(run_of(2));
        world.record(failure(), 1);
        let (success, fails) = (world.acquire(), world.acquire());
        at_once([steps(|| success.record(Outcome::Success)), steps(|| fails.record(failure()))]);
        let ledger = world.ledger_of(3);
        // One that comes too late to end the run may still come early enough for the ledger.
        assert_eq!(ledger.succeeded + ledger.late, 1, "{ledger:?}");
        if world.went_to().is_empty() {
            assert_eq!(ledger.succeeded, 1, "{ledger:?}");
        }
    });
}

#[test]
fn successes_of_two_threads_at_one_gate_all_count() {
    bounded(|| {
        let world = World::new(run_of(2));
        let (a, b) = (world.acquire(), world.acquire());
        let reader = world.clone();
        at_once([
            steps(|| a.record(Outcome::Success)),
            steps(|| b.record(Outcome::Success)),
            // Folds while they count.
            steps(move || assert!(reader.circuit.snapshot().ledger.succeeded <= 2)),
        ]);
        assert_eq!(world.ledger_of(2).succeeded, 2);
    });
}

/// What only the ledger counts is taken away by whoever reads it.
#[test]
fn a_call_that_says_nothing_is_not_lost_to_a_reader() {
    for ignored in [true, false] {
        in_full(move || {
            let world = World::new(run_of(1));
            let (call, reader) = (world.acquire(), world.clone());
            at_once([
                steps(move || if ignored { call.record(Outcome::Ignored) } else { drop(call) }),
                steps(move || assert!(reader.circuit.snapshot().ledger.ended() <= 1)),
            ]);
            let ledger = world.ledger_of(1);
            assert_eq!((ledger.ignored, ledger.cancelled), (u64::from(ignored), u64::from(!ignored)));
        });
    }
}

/// A stripe is added under the lock, so that it cannot miss the closing of the gates.
#[test]
fn a_thread_that_is_new_while_the_circuit_trips_leaves_no_gate_open() {
    in_full(|| {
        let world = World::new(run_of(1));
        let trips = world.acquire();
        let (new, open) = (world.clone(), Arc::new(loom::sync::atomic::AtomicBool::new(false)));
        let admitted = Arc::new(AtomicU64::new(1));
        let (opened, count) = (Arc::clone(&open), Arc::clone(&admitted));
        at_once([
            steps(move || {
                count.fetch_add(new.call(Outcome::Success), Ordering::Relaxed);
                if open.load(Ordering::Acquire) {
                    assert!(new.circuit.try_acquire().is_err(), "the trip came before this call");
                }
            }),
            steps(move || {
                trips.record(failure());
                opened.store(true, Ordering::Release);
            }),
        ]);
        assert_eq!(world.went_to(), [State::Open]);
        world.ledger_of(admitted.load(Ordering::Relaxed));
    });
}

#[test]
fn two_threads_that_are_new_while_the_circuit_trips_count_once_each() {
    bounded(|| {
        let world = World::new(run_of(1));
        let trips = world.acquire();
        let admitted = Arc::new(AtomicU64::new(1));
        let new = || {
            let (world, admitted) = (world.clone(), Arc::clone(&admitted));
            steps(move || _ = admitted.fetch_add(world.call(Outcome::Success), Ordering::Relaxed))
        };
        at_once([new(), new(), steps(|| trips.record(failure()))]);
        assert_eq!(world.went_to(), [State::Open]);
        world.ledger_of(admitted.load(Ordering::Relaxed));
    });
}

/// Under loom a gate is full after 256 successes and is folded back from 128 on.
#[test]
fn a_full_gate_loses_no_success_and_leaves_its_phase_alone() {
    in_full(|| {
        let world = World::new(run_of(2));
        world.record(Outcome::Success, 254);
        let [a, b, c] = [(); 3].map(|()| world.acquire());
        at_once([
            steps(|| {
                a.record(Outcome::Success);
                b.record(Outcome::Success);
            }),
            steps(|| c.record(Outcome::Success)),
        ]);
        assert_eq!(world.ledger_of(257).succeeded, 257);
        assert_eq!((world.went_to(), world.circuit.snapshot().epoch), (vec![], 1));
        world.record(Outcome::Success, 1);
        world.ledger_of(258);
    });
}

#[test]
fn a_fold_of_a_half_full_gate_races_a_success() {
    in_full(|| {
        let world = World::new(run_of(3));
        world.record(Outcome::Success, 140);
        let (success, fails) = (world.acquire(), world.acquire());
        at_once([steps(|| success.record(Outcome::Success)), steps(|| fails.record(failure()))]);
        let ledger = world.ledger_of(142);
        assert_eq!((ledger.succeeded, ledger.failed), (141, 1));
    });
}

/// Two calls in ten seconds, of which half failed.
const TIMED: Config = Config::without_rules()
    .failure_rate(FailureRate::new(0.5).minimum_calls(100).window(Window::time(SECOND.saturating_mul(10))));

/// A world whose next call of any thread begins a new bucket.
fn before_a_turn() -> World {
    let world = World::new(TIMED);
    // The first is a sample and takes the lock.
    world.record(Outcome::Success, 1);
    world
}

#[test]
fn two_successes_that_begin_a_bucket_both_count() {
    in_full(|| {
        let world = before_a_turn();
        let (a, b) = (world.acquire(), world.acquire());
        world.time.advance(2 * SECOND);
        at_once([steps(|| a.record(Outcome::Success)), steps(|| b.record(Outcome::Success))]);
        assert_eq!(world.ledger_of(3).succeeded, 3);
        assert_eq!(world.circuit.snapshot().window.calls, 3);
    });
}

#[test]
fn a_success_that_begins_a_bucket_and_a_failure_both_count() {
    in_full(|| {
        let world = before_a_turn();
        let (a, b) = (world.acquire(), world.acquire());
        world.time.advance(2 * SECOND);
        at_once([steps(|| a.record(Outcome::Success)), steps(|| b.record(failure()))]);
        let (ledger, window) = (world.ledger_of(3), world.circuit.snapshot().window);
        assert_eq!((ledger.succeeded, ledger.failed, ledger.late), (2, 1, 0));
        assert_eq!((window.calls, window.failures), (3, 1.0));
    });
}

/// The bucket turns while the circuit trips: the gate that a turn opens must be that of the phase, if any.
#[test]
fn a_bucket_that_begins_while_the_circuit_trips_leaves_it_open() {
    in_full(|| {
        let world = before_a_turn();
        let (a, b) = (world.acquire(), world.acquire());
        world.time.advance(2 * SECOND);
        at_once([steps(|| a.record(Outcome::Success)), steps(|| b.record(tripping()))]);
        assert_eq!(world.went_to(), [State::Open]);
        world.ledger_of(3);
        assert!(world.circuit.try_acquire().is_err());
    });
}

/// The bit that asks for a sample stands in the word that counts.
#[test]
fn a_call_that_takes_the_sample_loses_no_success_of_another() {
    in_full(|| {
        let world = before_a_turn();
        let (a, b) = (world.acquire(), world.acquire());
        world.time.advance(2 * SECOND);
        // A new bucket asks for a sample.
        b.record(Outcome::Success);
        let takes = world.clone();
        at_once([
            steps(|| a.record(Outcome::Success)),
            // On the thread whose gate it is.
            steps(move || takes.acquire().record(Outcome::Success)),
        ]);
        assert_eq!(world.ledger_of(4).succeeded, 4);
    });
}

/// What has left the window does not come back with a late fold.
#[test]
fn a_success_of_an_old_bucket_leaves_with_it() {
    in_full(|| {
        let world = before_a_turn();
        let permits = [(); 2].map(|()| world.acquire());
        world.time.advance(2 * SECOND);
        at_once(permits.map(|permit| steps(move || permit.record(Outcome::Success))));
        world.time.advance(20 * SECOND);
        world.record(Outcome::Success, 1);
        assert_eq!(world.ledger_of(4).succeeded, 4);
        assert_eq!(world.circuit.snapshot().window.calls, 1);
    });
}
