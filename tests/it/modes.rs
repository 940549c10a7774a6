//! What an operator can ask for, for how long, and how a circuit explains itself in each mode.

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Instant, Mode, Outcome, State,
    clock::{Clock, ManualClock},
    config::{Recovery, RecoveryWindow},
    machine::RejectReason,
};

use crate::support::{SECOND, THREE, acquire, manual, record, trip};

const MODES: [Mode; 5] = [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly];

/// A circuit in each state, by the way that leads there.
fn in_state(state: State) -> (Circuit, ManualClock) {
    let recovery = Recovery::Window(RecoveryWindow::new());
    let (circuit, clock) = manual(THREE.recovery(recovery));
    if state == State::Closed {
        return (circuit, clock);
    }
    trip(&circuit);
    if state == State::Open {
        return (circuit, clock);
    }
    clock.advance(SECOND);
    let probe = acquire(&circuit);
    match state {
        State::HalfOpen => drop(probe),
        _ => probe.record(Outcome::Success),
    }
    assert_eq!(circuit.state(), state);
    (circuit, clock)
}

#[test]
fn forced_open_rejects_in_every_state_until_it_is_taken_away() {
    for state in State::ALL {
        let (circuit, clock) = in_state(state);
        circuit.force_open();
        clock.advance(50 * SECOND);
        let rejected = circuit.try_acquire().unwrap_err();
        assert_eq!((rejected.reason(), rejected.retry_after()), (RejectReason::Forced, None), "{state}");
        circuit.auto();
        assert!(circuit.try_acquire().is_ok(), "{state}: its own wait is over");
    }
}

#[test]
fn forced_open_leaves_what_was_measured_as_it_is() {
    for state in State::ALL {
        let (circuit, _clock) = in_state(state);
        circuit.force_open();
        assert!(circuit.try_acquire().is_err());
        assert_eq!(circuit.state(), state);
        circuit.auto();
        assert_eq!(circuit.state(), state, "it goes on from there");
    }
}

#[test]
fn forced_closed_closes_and_counts_but_never_trips() {
    for state in State::ALL {
        let (circuit, _clock) = in_state(state);
        circuit.force_closed();
        let before = circuit.snapshot().ledger.failed;
        record(&circuit, Outcome::failure(), 50);
        trip(&circuit);
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.state, snapshot.ledger.failed - before), (State::Closed, 51), "{state}");
    }
}

#[test]
fn what_was_counted_while_forced_closed_counts_afterwards() {
    let (circuit, _clock) = manual(THREE);
    circuit.force_closed();
    record(&circuit, Outcome::failure(), 10);
    circuit.auto();
    assert_eq!(circuit.state(), State::Closed, "no call, no trip");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn disabled_lets_everything_pass_and_counts_nothing() {
    for state in State::ALL {
        let (circuit, _clock) = in_state(state);
        circuit.disable();
        let before = circuit.snapshot();
        record(&circuit, Outcome::failure(), 50);
        trip(&circuit);
        assert_eq!(circuit.snapshot(), before, "{state}");
    }
}

/// "Nothing is counted": not even what had begun before.
#[test]
fn a_call_that_ends_while_the_circuit_is_disabled_opens_nothing() {
    let (circuit, _clock) = manual(THREE);
    let permits = [acquire(&circuit), acquire(&circuit), acquire(&circuit)];
    circuit.disable();
    for permit in permits {
        permit.record(Outcome::failure());
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn metrics_only_changes_state_but_rejects_nobody() {
    let (circuit, clock) = manual(THREE);
    circuit.metrics_only();
    record(&circuit, Outcome::failure(), 10);
    let snapshot = circuit.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!((snapshot.ledger.would_reject, snapshot.ledger.rejected, snapshot.ledger.failed), (7, 0, 10));
    assert!(circuit.check().is_ok());
    clock.advance(SECOND);
    record(&circuit, Outcome::Success, 1);
    assert_eq!(circuit.state(), State::Closed, "the first call after the wait is its probe");
}

#[test]
fn every_mode_ends_by_itself_if_it_was_set_for_a_time() {
    for mode in MODES.into_iter().filter(|mode| *mode != Mode::Auto) {
        let (circuit, clock) = in_state(State::Open);
        circuit.set_mode(mode, Some(60 * SECOND));
        assert_eq!(circuit.snapshot().mode_ends_in, Some(60 * SECOND));
        clock.advance(60 * SECOND - Duration::from_nanos(1));
        assert_eq!(circuit.mode(), mode, "one nanosecond is left");
        clock.advance(Duration::from_nanos(1));
        assert_eq!((circuit.mode(), circuit.snapshot().mode_ends_in), (Mode::Auto, None), "{mode}");
        // Forced closed closed it; all others left an open circuit whose wait is over.
        assert_eq!(acquire(&circuit).is_probe(), mode != Mode::ForcedClosed, "{mode}");
    }
}

#[test]
fn a_closed_circuit_trips_again_when_forced_closed_is_over() {
    let (circuit, clock) = manual(THREE);
    circuit.set_mode(Mode::ForcedClosed, Some(SECOND));
    record(&circuit, Outcome::failure(), 5);
    clock.advance(SECOND);
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_rejection_says_when_the_force_ends() {
    let (circuit, clock) = manual(THREE);
    circuit.set_mode(Mode::ForcedOpen, Some(60 * SECOND));
    clock.advance(20 * SECOND);
    let rejected = circuit.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_after(), Some(40 * SECOND));
    assert_eq!(rejected.to_string(), "circuit `test` is forced open, retry after 40.0s");
}

/// Peers: d12, f07. However long, and set again.
#[test]
fn a_time_limit_is_that_which_was_set_last_and_may_be_as_long_as_there_is() {
    let (circuit, clock) = manual(THREE);
    circuit.set_mode(Mode::ForcedOpen, Some(SECOND));
    clock.advance(SECOND / 2);
    circuit.set_mode(Mode::ForcedOpen, Some(Duration::MAX));
    clock.advance(1_000_000_000 * SECOND);
    assert_eq!(circuit.mode(), Mode::ForcedOpen);
    circuit.force_open();
    assert_eq!(circuit.snapshot().mode_ends_in, None);
}

#[test]
fn a_circuit_can_be_built_in_every_mode() {
    for mode in MODES {
        let circuit = Circuit::builder("test").mode(mode).clock(ManualClock::new()).build().unwrap();
        assert_eq!((circuit.mode(), circuit.state()), (mode, State::Closed));
        assert_eq!(circuit.try_acquire().is_ok(), mode != Mode::ForcedOpen);
    }
}

#[test]
fn each_state_explains_itself() {
    let expected = [
        "closed: no calls seen",
        "open: one failure asked for it; the next probe may go in 1.0s",
        "half-open: 0 probes under way; it had opened because: one failure asked for it",
        "recovering: growing traffic passes; it had opened because: one failure asked for it",
    ];
    for (state, expected) in State::ALL.into_iter().zip(expected) {
        assert_eq!(in_state(state).0.explain(), expected);
    }
}

#[test]
fn an_open_circuit_says_that_the_next_call_is_a_probe_once_it_is() {
    let (circuit, clock) = in_state(State::Open);
    clock.advance(SECOND);
    assert_eq!(circuit.explain(), "open: one failure asked for it; the next call is a probe");
    let _probe = acquire(&circuit);
    assert_eq!(circuit.explain(), "half-open: 1 probe under way; it had opened because: one failure asked for it");
}

#[test]
fn a_closed_circuit_says_what_it_has_seen_and_what_it_needs() {
    let (circuit, _clock) = manual(Config::new());
    record(&circuit, Outcome::failure(), 1);
    record(&circuit, Outcome::Success, 3);
    assert_eq!(circuit.explain(), "closed: 4 of 20 calls seen, 25 % failed, needs 20 to decide");
    record(&circuit, Outcome::Success, 16);
    assert_eq!(circuit.explain(), "closed: 20 calls seen, 5 % failed");
}

#[test]
fn a_closed_circuit_without_a_window_says_how_many_failed_in_a_row() {
    let (circuit, _clock) = manual(THREE);
    assert_eq!(circuit.explain(), "closed: no calls seen");
    record(&circuit, Outcome::failure(), 2);
    assert_eq!(circuit.explain(), "closed: 2 failures in a row");
}

#[test]
fn each_mode_says_that_it_is_on() {
    let expected = [
        "",
        "forced open, every call is rejected; measured: ",
        "forced closed, every call passes; measured: ",
        "disabled, nothing is counted; last measured: ",
        "metrics only, every call passes; measured: ",
    ];
    for state in State::ALL {
        for (mode, expected) in MODES.into_iter().zip(expected) {
            let (circuit, _clock) = in_state(state);
            circuit.set_mode(mode, None);
            let state = if mode == Mode::ForcedClosed { State::Closed } else { state };
            let said = format!("{expected}{}", state.as_str().replace('_', "-"));
            let text = circuit.explain();
            assert!(text.starts_with(&said), "{text:?} does not begin with {said:?}");
        }
    }
}

/// With a second of its wait left, and with an operator's force over it.
#[test]
fn no_mode_promises_a_probe_that_will_not_go() {
    for mode in [Mode::ForcedOpen, Mode::Disabled, Mode::MetricsOnly] {
        let (circuit, _clock) = in_state(State::Open);
        circuit.set_mode(mode, None);
        let text = circuit.explain();
        assert!(!text.contains("the next call is a probe"), "in {mode} it says: {text}");
    }
}

#[test]
fn a_snapshot_holds_together_in_every_state_and_mode() {
    for before in State::ALL {
        for mode in MODES {
            let (circuit, clock) = in_state(before);
            circuit.set_mode(mode, None);
            clock.advance(SECOND / 4);
            let snapshot = circuit.snapshot();
            let state = if mode == Mode::ForcedClosed { State::Closed } else { before };
            assert_eq!((snapshot.state, snapshot.mode, &*snapshot.name), (state, mode, "test"));
            assert_eq!(snapshot.reason.is_some(), state != State::Closed, "{state} {mode}: a reason iff not closed");
            assert_eq!(snapshot.outage.is_some(), state != State::Closed, "{state} {mode}: an outage iff not closed");
            let age = clock.now().since(Instant::ZERO);
            assert_eq!(snapshot.time_in.iter().sum::<Duration>(), age, "{state} {mode}: all time is in some state");
            assert!(snapshot.time_in(state) >= SECOND / 4, "{state} {mode}: the last of it in this one");
        }
    }
}

#[test]
fn the_ledger_adds_up_over_all_states_and_modes() {
    for state in State::ALL {
        for mode in MODES.into_iter().filter(|mode| *mode != Mode::Disabled) {
            let (circuit, clock) = in_state(state);
            let before = circuit.snapshot().ledger;
            circuit.set_mode(mode, None);
            let outcomes = [Some(Outcome::Success), Some(Outcome::failure()), Some(Outcome::Ignored), None];
            let (mut admitted, mut rejected) = (0, 0);
            let mut open = Vec::new();
            for i in 0..40 {
                clock.advance(SECOND / 10);
                match circuit.try_acquire() {
                    Ok(permit) => {
                        admitted += 1;
                        open.push((permit, outcomes[i % 4]));
                    }
                    Err(_) => rejected += 1,
                }
                if i % 3 == 2 {
                    for (permit, outcome) in open.drain(..) {
                        match outcome {
                            Some(outcome) => permit.record(outcome),
                            None => drop(permit),
                        }
                    }
                }
            }
            drop(open);
            let after = circuit.snapshot().ledger;
            assert_eq!(after.ended() - before.ended(), admitted, "{state} {mode}: {after:?}");
            assert_eq!(after.rejected - before.rejected, rejected, "{state} {mode}");
        }
    }
}
