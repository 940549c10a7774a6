//! Those who look see one instant.

use std::sync::{Arc, Mutex};

use tower_breaker::{Outcome, State};

use crate::support::{SECOND, World, at_once, bounded, failure, in_full, run_of, steps};

/// Property P63.
#[test]
fn a_snapshot_is_of_one_instant() {
    bounded(|| {
        let world = World::new(run_of(2));
        world.record(failure(), 1);
        let (success, fails, reader) = (world.acquire(), world.acquire(), world.clone());
        let seen = Arc::new(Mutex::new(None));
        let sees = Arc::clone(&seen);
        at_once([
            steps(|| success.record(Outcome::Success)),
            steps(|| fails.record(failure())),
            steps(move || *sees.lock().expect("no panic under it") = Some(reader.circuit.snapshot())),
        ]);
        let seen = seen.lock().expect("no panic under it").take().expect("it looked");
        let open = seen.state == State::Open;
        assert!(open || seen.state == State::Closed);
        assert_eq!(seen.epoch, 1 + u64::from(open), "{seen:?}");
        assert_eq!(seen.times_opened, u64::from(open), "{seen:?}");
        assert_eq!(seen.reason.is_some(), open, "{seen:?}");
        assert_eq!(seen.retry_after, open.then_some(SECOND), "{seen:?}");
        assert_eq!(seen.outage.is_some(), open, "{seen:?}");
        assert!(!open || seen.ledger.failed == 2, "{seen:?}");
        if !open {
            let ended_run = seen.ledger.succeeded == 1;
            let least = if ended_run { 0.0 } else { seen.ledger.failed as f64 };
            assert!(seen.window.run >= least && seen.window.run <= 2.0 - f64::from(u8::from(ended_run)), "{seen:?}");
        }
    });
}

/// The numbers of a later snapshot are never smaller.
#[test]
fn two_looks_of_one_reader_never_go_back() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (success, fails, reader) = (world.acquire(), world.acquire(), world.clone());
        at_once([
            steps(|| {
                success.record(Outcome::Success);
                fails.record(failure());
            }),
            steps(move || {
                let (first, second) = (reader.circuit.snapshot(), reader.circuit.snapshot());
                assert!(second.epoch >= first.epoch);
                assert!(second.ledger.ended() >= first.ledger.ended());
                assert!(second.ledger.failed == 0 || second.ledger.succeeded == 1, "in the order of the calls");
            }),
        ]);
    });
}

#[test]
fn a_check_agrees_with_the_state_before_or_after_a_trip() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (fails, looks) = (world.acquire(), world.clone());
        at_once([
            steps(|| fails.record(failure())),
            steps(move || {
                if let Err(rejected) = looks.circuit.check() {
                    assert_eq!(rejected.retry_after(), Some(SECOND), "the time goes with the state");
                    assert_eq!(looks.circuit.state(), State::Open);
                }
            }),
        ]);
        assert!(world.circuit.check().is_err());
        assert_eq!(world.circuit.snapshot().ledger.rejected, 0, "a look is no call");
    });
}
