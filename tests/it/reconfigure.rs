//! Other settings while running: what goes on, what is refused, what must not come back.

use std::time::Duration;

use tower_breaker::{
    Config, Outcome, State,
    config::{Consecutive, Evidence, FailureRate, HalfOpen, Probing, Recovery, RecoveryWindow, Window},
};

use crate::support::{SECOND, THREE, acquire, manual, record, trip};

const HALF_OF_TEN: FailureRate = FailureRate::new(0.5).minimum_calls(10).window(Window::count(10));

#[test]
fn calls_that_were_counted_go_on_counting() {
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF_OF_TEN));
    record(&circuit, Outcome::failure(), 5);
    record(&circuit, Outcome::Success, 4);
    circuit.reconfigure(Config::without_rules().failure_rate(HALF_OF_TEN).probing(Probing::fixed(SECOND))).unwrap();
    assert_eq!(circuit.snapshot().window.calls, 9, "the window has been emptied");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn calls_under_way_are_counted_by_the_new_rules() {
    let (circuit, _clock) = manual(THREE);
    let permits = [acquire(&circuit), acquire(&circuit)];
    circuit.reconfigure(THREE.consecutive_failures(Consecutive::new(2))).unwrap();
    for permit in permits {
        permit.record(Outcome::failure());
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.late), (State::Open, 0));
}

#[test]
fn an_open_circuit_stays_open_and_keeps_its_wait() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    clock.advance(SECOND / 2);
    let epoch = circuit.snapshot().epoch;
    circuit.reconfigure(THREE.probing(Probing::fixed(60 * SECOND))).unwrap();
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.epoch, snapshot.retry_after), (State::Open, epoch, Some(SECOND / 2)));
    clock.advance(SECOND / 2);
    acquire(&circuit).record(Outcome::failure());
    assert_eq!(circuit.snapshot().retry_after, Some(60 * SECOND), "the next wait is drawn by the new settings");
}

#[test]
fn a_half_open_circuit_judges_its_probes_by_the_new_settings() {
    let (circuit, _clock) =
        manual(THREE.half_open(HalfOpen::new().success_threshold(3)).initial_state(State::HalfOpen));
    acquire(&circuit).record(Outcome::Success);
    circuit.reconfigure(THREE.half_open(HalfOpen::new().success_threshold(2))).unwrap();
    assert_eq!(circuit.state(), State::HalfOpen);
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_recovery_that_has_begun_goes_on() {
    let window = Recovery::Window(RecoveryWindow::new());
    let (circuit, clock) = manual(THREE.recovery(window));
    trip(&circuit);
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::Success);
    circuit.reconfigure(THREE).unwrap();
    assert_eq!(circuit.state(), State::Recovering);
    clock.advance(2 * SECOND);
    acquire(&circuit).record(Outcome::Success);
    clock.advance(2 * SECOND);
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn the_new_settings_are_those_that_are_told() {
    let (circuit, _clock) = manual(THREE);
    circuit.reconfigure(Config::classic()).unwrap();
    assert_eq!(circuit.config(), Config::classic());
}

#[test]
fn bad_settings_are_refused_with_all_their_faults_and_change_nothing() {
    let (circuit, _clock) = manual(THREE);
    record(&circuit, Outcome::failure(), 2);
    let before = circuit.snapshot();
    let mut events = circuit.subscribe();
    let bad =
        THREE.failure_rate(FailureRate::new(f64::NAN).minimum_calls(0)).half_open(HalfOpen::new().success_threshold(0));
    let error = circuit.reconfigure(bad).unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(tower_breaker::config::Fault::field).collect();
    assert_eq!(fields, ["failure_rate.threshold", "failure_rate.minimum_calls", "half_open.verdict.successes"]);
    assert_eq!((circuit.snapshot(), circuit.config()), (before, THREE));
    assert!(events.try_next().is_none());
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "the run of two goes on");
}

/// A hundred successes have come between while nobody counted.
#[test]
fn a_run_of_failures_does_not_outlive_the_rule_that_counts_it() {
    let (circuit, _clock) = manual(THREE);
    record(&circuit, Outcome::failure(), 2);
    circuit.reconfigure(Config::without_rules()).unwrap();
    record(&circuit, Outcome::Success, 100);
    circuit.reconfigure(THREE).unwrap();
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Closed, "{}", circuit.explain());
}

/// As above: what nobody could make up for must not be held against the dependency.
#[test]
fn evidence_does_not_outlive_the_rule_that_weighs_it() {
    let config = Config::without_rules().evidence(Evidence::new());
    let (circuit, _clock) = manual(config);
    record(&circuit, Outcome::failure(), 4);
    circuit.reconfigure(Config::without_rules()).unwrap();
    record(&circuit, Outcome::Success, 100);
    circuit.reconfigure(config).unwrap();
    record(&circuit, Outcome::failure(), 4);
    assert_eq!(circuit.state(), State::Closed, "{}", circuit.explain());
}

#[test]
fn a_window_of_another_size_begins_empty() {
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF_OF_TEN));
    record(&circuit, Outcome::failure(), 9);
    circuit.reconfigure(Config::without_rules().failure_rate(HALF_OF_TEN.window(Window::count(20)))).unwrap();
    record(&circuit, Outcome::failure(), 9);
    assert_eq!(circuit.state(), State::Closed, "9 of 10 have been seen in the new window");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn calls_by_other_threads_survive_any_number_of_changes() {
    let (circuit, _clock) = manual(THREE);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..2).map(|_| scope.spawn(|| record(&circuit, Outcome::Success, 20_000))).collect();
        let settings = [THREE, Config::new(), Config::without_rules().failure_rate(HALF_OF_TEN)];
        for i in 0.. {
            circuit.reconfigure(settings[i % 3]).expect("the settings are within bounds");
            if callers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                break;
            }
        }
    });
    assert_eq!(circuit.snapshot().ledger.succeeded, 40_000);
}

/// "After it the circuit decides as a new one does": the new one knows no usual latency.
#[test]
fn after_a_reset_a_circuit_decides_as_a_new_one_does() {
    let config = THREE.recovery(Recovery::Window(RecoveryWindow::new()));
    let recovers = |slow_past: bool| {
        let (circuit, clock) = manual(config);
        if slow_past {
            for _ in 0..100 {
                let permit = acquire(&circuit);
                clock.advance(2 * SECOND);
                permit.record(Outcome::Success);
            }
            circuit.reset();
        }
        // Traffic, then an outage, then a dependency that answers at once.
        let permits: Vec<_> = (0..50).map(|_| acquire(&circuit)).collect();
        permits.into_iter().for_each(|permit| permit.record(Outcome::Ignored));
        record(&circuit, Outcome::failure(), 2);
        trip(&circuit);
        clock.advance(SECOND);
        let mut calls = 0;
        while circuit.state() != State::Closed && calls < 1_000 {
            clock.advance(SECOND / 10);
            if let Ok(permit) = circuit.try_acquire() {
                clock.advance(Duration::from_millis(1));
                permit.record(Outcome::Success);
            }
            calls += 1;
        }
        calls
    };
    assert_eq!(recovers(true), recovers(false), "calls until it was closed, after a reset and new");
}

/// A probe hung for too long while the circuit was disabled, and before anybody looked the limit was raised.
#[test]
fn a_phase_that_was_too_long_by_the_old_settings_ends_by_the_new_ones() {
    let limit = |limit| THREE.half_open(HalfOpen::new().success_threshold(2).probe_timeout(limit).max_wait(limit));
    let (circuit, clock) = manual(limit(10 * SECOND).initial_state(State::HalfOpen));
    let hung = acquire(&circuit);
    circuit.disable();
    clock.advance(11 * SECOND);
    drop(hung);
    circuit.reconfigure(limit(100 * SECOND)).unwrap();
    circuit.auto();
    assert_eq!(circuit.state(), State::HalfOpen, "ten seconds of a hundred");
    let _hangs = acquire(&circuit);
    clock.advance(90 * SECOND + SECOND / 2);
    let wait = circuit.check().expect_err("it has hung for a hundred seconds in all").retry_after();
    assert_eq!(wait, Some(SECOND / 2), "a second from when it was too long, not from when anybody looks");
}
