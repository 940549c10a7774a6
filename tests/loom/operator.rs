//! What an operator does wins over what happens meanwhile, and loses no call.

use tower_breaker::{
    Circuit, Config, Mode, Outcome, State,
    config::{Consecutive, FailureRate, SlowCalls, Window},
};

use crate::support::{SECOND, World, at_once, bounded, failure, in_full, run_of, steps};

type Set = fn(&Circuit);

const MODES: [(Mode, Set); 4] = [
    (Mode::ForcedOpen, Circuit::force_open),
    (Mode::ForcedClosed, Circuit::force_closed),
    (Mode::Disabled, Circuit::disable),
    (Mode::MetricsOnly, Circuit::metrics_only),
];

/// The mode holds, and calls are answered by it, whatever has been measured.
fn assert_obeyed(world: &World, mode: Mode) {
    let snapshot = world.circuit.snapshot();
    assert_eq!(snapshot.mode, mode);
    assert_eq!(world.circuit.try_acquire().is_ok(), mode != Mode::ForcedOpen, "{snapshot:?}");
    if mode == Mode::ForcedClosed {
        assert_eq!(snapshot.state, State::Closed);
    }
    assert_eq!(snapshot.reason.is_some(), snapshot.state == State::Open);
}

/// Property P18.
#[test]
fn a_mode_that_is_set_while_the_circuit_trips_holds() {
    for (mode, set) in MODES {
        in_full(move || {
            let world = World::new(run_of(1));
            let (fails, operator) = (world.acquire(), world.clone());
            at_once([steps(|| fails.record(failure())), steps(move || set(&operator.circuit))]);
            let went_to = world.went_to();
            match mode {
                Mode::ForcedClosed => assert!(matches!(went_to[..], [] | [State::Open, State::Closed])),
                Mode::Disabled => assert!(matches!(went_to[..], [] | [State::Open])),
                // It is still measured.
                _ => assert_eq!(went_to, [State::Open]),
            }
            world.ledger_of(1);
            assert_obeyed(&world, mode);
        });
    }
}

#[test]
fn a_mode_that_is_set_while_two_trip_holds() {
    for (mode, set) in MODES {
        bounded(move || {
            let world = World::new(run_of(2));
            let (a, b, operator) = (world.acquire(), world.acquire(), world.clone());
            at_once([
                steps(|| a.record(failure())),
                steps(|| b.record(failure())),
                steps(move || set(&operator.circuit)),
            ]);
            world.went_to();
            world.ledger_of(2);
            assert_obeyed(&world, mode);
        });
    }
}

#[test]
fn a_mode_that_is_set_while_a_probe_succeeds_holds() {
    for (mode, set) in MODES {
        in_full(move || {
            let world = World::new(run_of(1));
            world.trip();
            world.time.advance(SECOND);
            let (probe, operator) = (world.acquire(), world.clone());
            at_once([steps(|| probe.record(Outcome::Success)), steps(move || set(&operator.circuit))]);
            world.went_to();
            let snapshot = world.circuit.snapshot();
            assert_eq!(snapshot.in_flight, 0, "the slot is free in any mode");
            assert_eq!((snapshot.mode, world.ledger_of(2).failed), (mode, 1));
            assert_eq!(world.circuit.try_acquire().is_ok(), mode != Mode::ForcedOpen);
        });
    }
}

/// The gates are closed for one and opened for the other.
#[test]
fn of_two_modes_that_are_set_at_once_one_holds() {
    for (number, (a, set_a)) in MODES.into_iter().enumerate() {
        for (b, set_b) in MODES.into_iter().skip(number + 1) {
            in_full(move || {
                let world = World::new(run_of(1));
                let (first, second) = (world.clone(), world.clone());
                at_once([steps(move || set_a(&first.circuit)), steps(move || set_b(&second.circuit))]);
                let mode = world.circuit.mode();
                assert!(mode == a || mode == b);
                assert_obeyed(&world, mode);
            });
        }
    }
}

#[test]
fn a_success_that_races_a_disabling_counts_once() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (success, operator) = (world.acquire(), world.clone());
        at_once([steps(|| success.record(Outcome::Success)), steps(move || operator.circuit.disable())]);
        let ledger = world.ledger_of(1);
        assert_eq!(ledger.succeeded + ledger.late, 1);
        world.record(failure(), 3);
        world.ledger_of(1);
        world.circuit.auto();
        world.record(Outcome::Success, 1);
        world.ledger_of(2);
    });
}

const RATE: FailureRate = FailureRate::new(0.5).minimum_calls(5).window(Window::count(10));

#[test]
fn a_success_that_races_a_reset_counts_once() {
    in_full(|| {
        let world = World::new(run_of(1).failure_rate(RATE));
        let (success, operator) = (world.acquire(), world.clone());
        at_once([steps(|| success.record(Outcome::Success)), steps(move || operator.circuit.reset())]);
        assert_eq!(world.went_to(), [State::Closed]);
        let ledger = world.ledger_of(1);
        assert_eq!(ledger.succeeded + ledger.late, 1);
        assert_eq!(world.circuit.snapshot().window.calls, 0, "the new phase begins with nothing of the old one");
    });
}

#[test]
fn a_failure_that_races_a_reset_leaves_a_new_circuit() {
    in_full(|| {
        let world = World::new(run_of(2));
        world.record(failure(), 1);
        let (fails, operator) = (world.acquire(), world.clone());
        at_once([steps(|| fails.record(failure())), steps(move || operator.circuit.reset())]);
        assert!(matches!(world.went_to()[..], [State::Closed] | [State::Open, State::Closed]));
        world.ledger_of(2);
        world.record(failure(), 1);
        assert_eq!(world.circuit.state(), State::Closed, "the run began anew");
    });
}

/// A gate is closed and opened twice, and a success belongs to one phase or to none.
#[test]
fn two_resets_and_a_success_count_it_once() {
    bounded(|| {
        let world = World::new(run_of(1));
        let (success, operator) = (world.acquire(), world.clone());
        at_once([
            steps(|| success.record(Outcome::Success)),
            steps(move || {
                operator.circuit.reset();
                operator.circuit.reset();
            }),
        ]);
        assert_eq!(world.went_to(), [State::Closed, State::Closed]);
        let ledger = world.ledger_of(1);
        assert_eq!(ledger.succeeded + ledger.late, 1);
        assert_eq!(world.circuit.snapshot().epoch, 3);
        world.record(Outcome::Success, 1);
        world.ledger_of(2);
    });
}

#[test]
fn two_resets_at_once_are_two_phases() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (a, b) = (world.clone(), world.clone());
        at_once([steps(move || a.circuit.reset()), steps(move || b.circuit.reset())]);
        assert_eq!(world.went_to(), [State::Closed, State::Closed]);
        world.record(Outcome::Success, 1);
        world.ledger_of(1);
    });
}

/// What closes the gates twice without opening them between: a trip, and a mode that passes by them.
#[test]
fn a_trip_and_a_disabling_close_a_gate_once() {
    bounded(|| {
        let world = World::new(run_of(1));
        let (success, fails, operator) = (world.acquire(), world.acquire(), world.clone());
        at_once([
            steps(|| success.record(Outcome::Success)),
            steps(|| fails.record(failure())),
            steps(move || operator.circuit.disable()),
        ]);
        world.went_to();
        world.ledger_of(2);
        world.circuit.auto();
        world.circuit.reset();
        world.record(Outcome::Success, 2);
        world.ledger_of(4);
    });
}

/// Settings that have every call timed, so that the gates are opened anew in the same phase.
const TIMES_ALL: Config = run_of(2).slow_calls(SlowCalls::new(SECOND).minimum_calls(100));

/// Property P57.
#[test]
fn a_result_that_races_other_settings_is_not_lost_and_they_change_no_state() {
    for outcome in [Outcome::Success, failure(), Outcome::Ignored] {
        for (before, after) in [(run_of(2), TIMES_ALL), (TIMES_ALL, run_of(2))] {
            in_full(move || {
                let world = World::new(before);
                let (call, operator) = (world.acquire(), world.clone());
                at_once([
                    steps(move || call.record(outcome)),
                    steps(move || operator.circuit.reconfigure(after).expect("within bounds")),
                ]);
                assert_eq!((world.went_to(), world.circuit.snapshot().epoch), (vec![], 1));
                assert_eq!(world.ledger_of(1).late, 0);
                let run = world.circuit.snapshot().window.run;
                assert!((run > 0.5) == (outcome == failure()), "the run is kept: {run}");
            });
        }
    }
}

#[test]
fn a_lower_threshold_opens_at_the_next_failure_and_not_by_itself() {
    in_full(|| {
        let world = World::new(run_of(3));
        world.record(failure(), 1);
        let (fails, operator) = (world.acquire(), world.clone());
        let lower = run_of(3).consecutive_failures(Consecutive::new(1));
        at_once([
            steps(|| fails.record(failure())),
            steps(move || operator.circuit.reconfigure(lower).expect("within bounds")),
        ]);
        world.ledger_of(2);
        if world.went_to().is_empty() {
            world.record(failure(), 1);
        }
        assert_eq!(world.went_to(), [State::Open]);
    });
}

#[test]
fn settings_that_change_while_two_calls_end_lose_neither() {
    bounded(|| {
        let world = World::new(run_of(2));
        let (success, fails, operator) = (world.acquire(), world.acquire(), world.clone());
        at_once([
            steps(|| success.record(Outcome::Success)),
            steps(|| fails.record(failure())),
            steps(move || operator.circuit.reconfigure(TIMES_ALL).expect("within bounds")),
        ]);
        assert!(world.went_to().is_empty());
        let ledger = world.ledger_of(2);
        assert_eq!((ledger.succeeded, ledger.failed), (1, 1));
    });
}
