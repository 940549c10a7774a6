//! Half-open: it cannot stick, and only its own probes decide.

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Outcome, State,
    clock::ManualClock,
    config::{FailureRate, HalfOpen, Jitter, Probing, Recovery, RecoveryWindow, SlowCalls, Window},
    machine::RejectReason,
};

use crate::support::{PRESETS, SECOND, THREE, acquire, manual, record, trip};

/// A circuit that has tripped and whose wait is over.
fn due(config: Config) -> (Circuit, ManualClock) {
    let (circuit, clock) = manual(config);
    trip(&circuit);
    clock.advance(SECOND);
    (circuit, clock)
}

/// Peers: d03.
#[test]
fn successful_probes_do_not_expire() {
    let rate = FailureRate::new(0.5).window(Window::time(SECOND));
    let half_open = HalfOpen::new().success_threshold(3).max_wait(3_600 * SECOND);
    let (circuit, clock) = due(THREE.failure_rate(rate).half_open(half_open));
    for probe in 1..=3 {
        assert!(circuit.state() != State::Closed, "after {} probes", probe - 1);
        acquire(&circuit).record(Outcome::Success);
        clock.advance(60 * SECOND);
    }
    assert_eq!(circuit.state(), State::Closed, "three successes, however far apart");
}

/// Peers: d05, f06, r06.
#[test]
fn a_call_that_was_admitted_while_closed_does_not_decide_half_open() {
    for outcome in [Outcome::Success, Outcome::failure()] {
        let (circuit, clock) = manual(THREE);
        let stale = acquire(&circuit);
        trip(&circuit);
        clock.advance(SECOND);
        let probe = acquire(&circuit);
        stale.record(outcome);
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.state, snapshot.in_flight), (State::HalfOpen, 1), "{outcome:?}");
        assert_eq!(snapshot.ledger.late, 1, "it is told all the same");
        probe.record(Outcome::Success);
        assert_eq!(circuit.state(), State::Closed);
    }
}

/// Peers: l02. A probe of the half-open phase before is no probe of this one.
#[test]
fn an_older_probe_is_not_taken_for_the_present_one() {
    let half_open = HalfOpen::new().max_concurrent_probes(2).success_threshold(2);
    let (circuit, clock) = due(THREE.half_open(half_open));
    let old = acquire(&circuit);
    acquire(&circuit).record(Outcome::failure());
    clock.advance(SECOND);
    let present = acquire(&circuit);
    old.record(Outcome::Success);
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.ledger.late), (1, 1), "the present probe is still under way");
    present.record(Outcome::Success);
    assert_eq!(circuit.state(), State::HalfOpen, "one success of its own, not two");
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: d05. As above for a circuit that is closed again.
#[test]
fn a_call_of_the_outage_before_does_not_count_after_the_recovery() {
    let (circuit, clock) = manual(THREE);
    let stale: Vec<_> = (0..10).map(|_| acquire(&circuit)).collect();
    trip(&circuit);
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::Success);
    stale.into_iter().for_each(|permit| permit.record(Outcome::failure()));
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.late), (State::Closed, 10));
}

/// Peers: d10.
#[test]
fn a_slow_probe_opens_again() {
    let (circuit, clock) = due(THREE.slow_calls(SlowCalls::new(Duration::from_millis(100))));
    let probe = acquire(&circuit);
    clock.advance(Duration::from_millis(101));
    probe.record(Outcome::Success);
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.reason.unwrap().as_str()), (State::Open, "probe_slow"));
}

/// Peers: d13, t05.
#[test]
fn a_probe_that_never_answers_gives_its_slot_back() {
    let (circuit, clock) = due(THREE.half_open(HalfOpen::new().probe_timeout(5 * SECOND)));
    let hung = acquire(&circuit);
    clock.advance(5 * SECOND - Duration::from_nanos(1));
    let rejected = circuit.try_acquire().unwrap_err();
    assert_eq!((rejected.reason(), rejected.retry_after()), (RejectReason::HalfOpen, Some(Duration::from_nanos(1))));
    clock.advance(Duration::from_nanos(1));
    let probe = acquire(&circuit);
    hung.record(Outcome::failure());
    assert_eq!(circuit.state(), State::HalfOpen, "whose lease is over has no say");
    probe.record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: d13. The phase as a whole is bounded too.
#[test]
fn probes_that_all_hang_open_it_again_in_the_end() {
    let half_open = HalfOpen::new().probe_timeout(5 * SECOND).max_wait(14 * SECOND + SECOND / 2);
    let (circuit, clock) = due(THREE.half_open(half_open));
    let mut hung = Vec::new();
    for _ in 0..3 {
        hung.push(acquire(&circuit));
        clock.advance(5 * SECOND);
    }
    assert_eq!(circuit.try_acquire().unwrap_err().reason(), RejectReason::Open);
    assert_eq!(circuit.snapshot().reason.unwrap().as_str(), "half_open_too_long");
    // It has been open for half a second, though nobody looked.
    clock.advance(SECOND / 2);
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: l01. Whatever becomes of the caller.
#[test]
fn a_probe_that_is_dropped_frees_its_slot() {
    let (circuit, _clock) = due(THREE);
    for _ in 0..10 {
        drop(acquire(&circuit));
        assert_eq!((circuit.state(), circuit.snapshot().in_flight), (State::HalfOpen, 0));
    }
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_probe_that_panics_is_a_failed_one() {
    let (circuit, _clock) = due(THREE);
    let call = std::panic::AssertUnwindSafe(|| circuit.call_sync(|| -> Result<(), ()> { panic!("as it was told") }));
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(circuit.state(), State::Open);
}

/// A 404 says that somebody is there, not that it works; several in a row are as good as an answer.
#[test]
fn an_ignored_probe_neither_closes_nor_opens_and_three_in_a_row_are_a_sign_of_life() {
    let (circuit, _clock) = due(THREE);
    record(&circuit, Outcome::Ignored, 2);
    assert_eq!(circuit.state(), State::HalfOpen);
    record(&circuit, Outcome::Ignored, 1);
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: p05.
#[test]
fn waits_grow_with_each_failed_probe_and_are_forgotten_after_the_recovery() {
    let probing = Probing::Backoff { base: SECOND, factor: 2.0, max: 60 * SECOND, jitter: Jitter::None };
    let (circuit, clock) = manual(THREE.probing(probing));
    for _ in 0..3 {
        trip(&circuit);
        for secs in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(circuit.snapshot().retry_after, Some(secs * SECOND));
            clock.advance(secs * SECOND);
            acquire(&circuit).record(Outcome::failure());
        }
        clock.advance(60 * SECOND);
        acquire(&circuit).record(Outcome::Success);
        assert_eq!(circuit.state(), State::Closed);
    }
}

/// A recovery that falls back has not recovered: the wait goes on growing.
#[test]
fn waits_are_not_forgotten_by_a_recovery_that_fails() {
    let probing = Probing::Backoff { base: SECOND, factor: 2.0, max: 60 * SECOND, jitter: Jitter::None };
    let recovery = Recovery::Window(RecoveryWindow::new().tolerance(1));
    let (circuit, clock) = manual(THREE.probing(probing).recovery(recovery));
    trip(&circuit);
    for secs in [1, 2, 4, 8] {
        assert_eq!(circuit.snapshot().retry_after, Some(secs * SECOND));
        clock.advance(secs * SECOND);
        acquire(&circuit).record(Outcome::Success);
        assert_eq!(circuit.state(), State::Recovering);
        acquire(&circuit).record(Outcome::failure());
    }
}

/// All shipped settings, one after the other: a dependency that is well again is always found to be.
#[test]
fn no_settings_keep_a_healthy_dependency_out_for_ever() {
    for config in PRESETS {
        for state in [State::Open, State::HalfOpen, State::Recovering] {
            let (circuit, clock) = manual(config.initial_state(state));
            let mut calls = 0;
            while circuit.state() != State::Closed {
                clock.advance(SECOND / 2);
                if let Ok(permit) = circuit.try_acquire() {
                    permit.record(Outcome::Success);
                }
                calls += 1;
                assert!(calls < 1_000, "{}", circuit.explain());
            }
        }
    }
}
