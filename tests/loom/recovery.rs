//! Traffic grows again: how it ends, once, and how many may be under way.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use tower_breaker::{
    Config, Outcome, State,
    config::{Ramp, Recovery, RecoveryWindow},
};

use crate::support::{SECOND, World, at_once, bounded, failure, in_full, run_of, steps};

fn recovering(recovery: Recovery) -> Config {
    run_of(1).recovery(recovery).initial_state(State::Recovering)
}

/// Half of the calls pass for three seconds; so many net failures end it.
fn ramp(tolerance: u32) -> Config {
    recovering(Recovery::Ramp(Ramp::new().shares([0.5, 0.5, 0.5, 1.0]).step(SECOND).tolerance(tolerance)))
}

fn window(tolerance: u32) -> Config {
    recovering(Recovery::Window(RecoveryWindow::new().tolerance(tolerance)))
}

#[test]
fn two_failures_end_a_ramp_once() {
    for tolerance in [1, 2] {
        in_full(move || {
            let world = World::new(ramp(tolerance));
            let a = world.acquire();
            assert!(world.circuit.try_acquire().is_err(), "every second call passes");
            let b = world.acquire();
            at_once([steps(|| a.record(failure())), steps(|| b.record(failure()))]);
            assert_eq!(world.went_to(), [State::Open]);
            let ledger = world.ledger_of(2);
            assert_eq!((ledger.failed, ledger.late), (u64::from(tolerance), u64::from(2 - tolerance)));
        });
    }
}

#[test]
fn a_failure_that_races_the_end_of_a_ramp_opens_it_or_is_late() {
    in_full(|| {
        let world = World::new(ramp(1));
        let (fails, comes) = (world.acquire(), world.clone());
        let late_comer = Arc::new(Mutex::new(None));
        let keeps = Arc::clone(&late_comer);
        at_once([
            steps(|| fails.record(failure())),
            steps(move || {
                comes.time.advance(4 * SECOND);
                *keeps.lock().expect("no panic under it") = comes.circuit.try_acquire().ok();
            }),
        ]);
        let passed = late_comer.lock().expect("no panic under it").take();
        let late = world.circuit.snapshot().ledger.late;
        match world.went_to()[..] {
            [State::Closed] => assert!(late == 1 && passed.is_some_and(|permit| !permit.is_probe())),
            [State::Open] => assert!(late == 0 && passed.is_none()),
            // The failure came before the time moved, and the wait was over with it.
            [State::Open, State::HalfOpen] => assert!(late == 0 && passed.is_some_and(|permit| permit.is_probe())),
            ref other => panic!("{other:?}"),
        }
    });
}

#[test]
fn two_failures_end_a_recovery_window_once() {
    for tolerance in [1, 2] {
        in_full(move || {
            let world = World::new(window(tolerance));
            let (a, b) = (world.acquire(), world.acquire());
            at_once([steps(|| a.record(failure())), steps(|| b.record(failure()))]);
            assert_eq!(world.went_to(), [State::Open]);
            let ledger = world.ledger_of(2);
            assert_eq!((ledger.failed, ledger.late), (u64::from(tolerance), u64::from(2 - tolerance)));
        });
    }
}

#[test]
fn a_failure_in_a_recovery_window_shrinks_it_whatever_comes_and_goes_meanwhile() {
    bounded(|| {
        let world = World::new(window(5));
        let (fails, drops, comes) = (world.acquire(), world.acquire(), world.clone());
        let (kept, refused) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU32::new(0)));
        let (keeps, counts) = (Arc::clone(&kept), Arc::clone(&refused));
        at_once([
            steps(|| fails.record(failure())),
            steps(|| drop(drops)),
            steps(move || match comes.circuit.try_acquire() {
                Ok(permit) => *keeps.lock().expect("no panic under it") = Some(permit),
                Err(_) => _ = counts.fetch_add(1, Ordering::Relaxed),
            }),
        ]);
        let kept = kept.lock().expect("no panic under it").take();
        assert_eq!(u32::from(kept.is_some()) + refused.load(Ordering::Relaxed), 1);
        assert_eq!(world.circuit.snapshot().in_flight, u32::from(kept.is_some()));
        assert_eq!(world.circuit.try_acquire().is_ok(), kept.is_none(), "one is left of two places");
        drop(kept);
        assert!(world.circuit.try_acquire().is_ok());
        assert_eq!(world.circuit.snapshot().in_flight, 0);
    });
}

#[test]
fn of_three_that_come_two_pass_a_new_recovery_window() {
    bounded(|| {
        let world = World::new(window(5));
        let permits = Arc::new(Mutex::new(Vec::new()));
        let comes = || {
            let (world, permits) = (world.clone(), Arc::clone(&permits));
            steps(move || {
                let permit = world.circuit.try_acquire();
                permits.lock().expect("no panic under it").extend(permit);
            })
        };
        at_once([comes(), comes(), comes()]);
        assert_eq!(permits.lock().expect("no panic under it").len(), 2);
        let permits = std::mem::take(&mut *permits.lock().expect("no panic under it"));
        permits.into_iter().for_each(|permit| permit.record(Outcome::Success));
        assert_eq!(world.ledger_of(2).rejected, 1);
    });
}
