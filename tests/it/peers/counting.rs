//! What is counted, and when it opens.

use std::time::Duration;

use tower_breaker::{
    Config, Failure, Outcome, State, Weight,
    config::{Consecutive, FailureCount, FailureRate, SlowCalls, Window},
};

use crate::support::{SECOND, THREE, acquire, manual, record};

const HALF: FailureRate = FailureRate::new(0.5);

/// Peers: d01.
#[test]
fn a_long_healthy_past_does_not_delay_the_opening() {
    let window = Window::count(10);
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(10).window(window)));
    record(&circuit, Outcome::Success, 10_000);
    record(&circuit, Outcome::failure(), 4);
    assert_eq!(circuit.state(), State::Closed, "4 of the last 10");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "5 of the last 10, whatever was before");
}

/// Peers: d01. The other way round: what has slid out does not open.
#[test]
fn failures_that_have_slid_out_of_the_window_are_forgotten() {
    let window = Window::count(10);
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(10).window(window)));
    for _ in 0..100 {
        record(&circuit, Outcome::failure(), 4);
        record(&circuit, Outcome::Success, 10);
    }
    assert_eq!(circuit.state(), State::Closed);
}

/// Peers: d09, r07.
#[test]
fn the_minimum_of_calls_opens_and_not_one_more() {
    for window in [Window::count(100), Window::DEFAULT] {
        let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(5).window(window)));
        record(&circuit, Outcome::failure(), 4);
        assert_eq!(circuit.state(), State::Closed, "{window:?}");
        record(&circuit, Outcome::failure(), 1);
        assert_eq!(circuit.state(), State::Open, "{window:?}: 5 failures of 5 calls");
    }
}

/// Peers: r07.
#[test]
fn exactly_as_many_failures_in_a_row_as_asked_for_open_it() {
    for needed in [1, 2, 10] {
        let (circuit, _clock) = manual(THREE.consecutive_failures(Consecutive::new(needed)));
        record(&circuit, Outcome::failure(), needed as usize - 1);
        assert_eq!(circuit.state(), State::Closed, "{needed}");
        record(&circuit, Outcome::failure(), 1);
        assert_eq!(circuit.state(), State::Open, "{needed}");
    }
}

/// Peers: d02, f08.
#[test]
fn a_reset_of_a_closed_circuit_forgets_its_failures() {
    let rules = Config::new()
        .consecutive_failures(Consecutive::new(10))
        .failure_rate(HALF.minimum_calls(10))
        .burst(HALF.minimum_calls(10).window(Window::time(SECOND)))
        .failure_count(FailureCount::new(10, SECOND));
    // Evidence needs but a few failures; here they are to be told apart.
    let (circuit, _clock) = manual(rules.without_evidence());
    for _ in 0..5 {
        record(&circuit, Outcome::failure(), 9);
        circuit.reset();
        let window = circuit.snapshot().window;
        assert_eq!((window.calls, window.run.to_bits()), (0, 0.0f64.to_bits()));
    }
    assert_eq!(circuit.state(), State::Closed, "45 failures, but never 10 since the last reset");
}

/// Peers: d02.
#[test]
fn a_reset_closes_in_every_state_and_late_results_do_not_outlive_it() {
    for state in State::ALL {
        let (circuit, _clock) = manual(Config::classic().initial_state(state));
        let before = circuit.try_acquire();
        circuit.reset();
        assert_eq!(circuit.state(), State::Closed, "{state}");
        if let Ok(permit) = before {
            permit.record(Outcome::failure());
            let snapshot = circuit.snapshot();
            assert_eq!((snapshot.ledger.late, snapshot.window.calls), (1, 0), "{state}");
        }
    }
}

/// Peers: f02.
#[test]
fn failures_at_one_instant_count_in_full() {
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(1_000)));
    record(&circuit, Outcome::failure(), 999);
    assert_eq!(circuit.state(), State::Closed);
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "a total outage at full speed");
}

/// Peers: f02. With the default settings, whatever the rate of calls.
#[test]
fn a_total_outage_opens_the_default_circuit_at_any_rate_of_calls() {
    for gap in [Duration::ZERO, Duration::from_micros(10), Duration::from_millis(10), SECOND] {
        let (circuit, clock) = manual(Config::new());
        for _ in 0..1_000 {
            record(&circuit, Outcome::Success, 1);
            clock.advance(gap);
        }
        let mut failures = 0;
        while circuit.state() == State::Closed {
            record(&circuit, Outcome::failure(), 1);
            clock.advance(gap);
            failures += 1;
            assert!(failures <= 20_000, "still closed at a gap of {gap:?}");
        }
    }
}

/// Peers: f03.
#[test]
fn a_window_below_a_second_remembers_all_of_its_calls() {
    let window = Window::time(Duration::from_millis(900));
    let (circuit, clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(1).window(window)));
    record(&circuit, Outcome::Success, 50);
    clock.advance(Duration::from_millis(500));
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Closed, "one of 51");
    assert_eq!(circuit.snapshot().window.calls, 51);
    clock.advance(Duration::from_millis(500));
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "the 50 are over: 2 of 2");
}

/// Peers: r04, and recloser's PR 10.
#[test]
fn a_success_never_opens() {
    // Nine failures below the minimum of ten; the tenth call is a success and makes it 90 %.
    let (circuit, _clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(10)));
    record(&circuit, Outcome::failure(), 9);
    record(&circuit, Outcome::Success, 1);
    assert_eq!(circuit.state(), State::Closed, "a success has opened it");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_slow_success_opens_only_by_the_rule_for_slow_calls() {
    let slow = SlowCalls::new(SECOND).minimum_calls(4);
    let (circuit, clock) = manual(Config::without_rules().failure_rate(HALF.minimum_calls(1)).slow_calls(slow));
    for made in 1..=4 {
        assert_eq!(circuit.state(), State::Closed, "{made}");
        let permit = acquire(&circuit);
        clock.advance(2 * SECOND);
        permit.record(Outcome::Success);
    }
    assert_eq!(circuit.snapshot().reason.unwrap().as_str(), "slow_call_rate");
}

#[test]
fn ignored_calls_enter_no_rate_and_no_run() {
    let (circuit, _clock) = manual(THREE.failure_rate(HALF.minimum_calls(2)));
    record(&circuit, Outcome::Ignored, 100);
    record(&circuit, Outcome::Success, 3);
    record(&circuit, Outcome::failure(), 2);
    record(&circuit, Outcome::Ignored, 100);
    assert_eq!((circuit.state(), circuit.snapshot().window.calls), (State::Closed, 5));
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "three failures in a row, whatever was ignored between");
}

#[test]
fn rate_limited_answers_neither_lengthen_nor_end_a_run() {
    let (circuit, _clock) = manual(THREE);
    for _ in 0..2 {
        record(&circuit, Outcome::failure(), 1);
        record(&circuit, Failure::new().rate_limited().into(), 10);
    }
    assert_eq!(circuit.state(), State::Closed, "two failures in a row");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open, "three");
}

#[test]
fn a_light_failure_counts_for_less_than_one() {
    let (circuit, _clock) = manual(THREE);
    let light = Failure::new().weight(Weight::new(0.5).unwrap());
    record(&circuit, light.into(), 5);
    assert_eq!(circuit.state(), State::Closed);
    record(&circuit, light.into(), 1);
    assert_eq!(circuit.state(), State::Open);
}

/// A clock that steps back (recloser's read fault) loses no call and opens as it should.
#[test]
fn a_clock_that_steps_back_does_no_harm() {
    let (circuit, clock) = manual(Config::classic());
    clock.advance(3_600 * SECOND);
    record(&circuit, Outcome::Success, 10);
    clock.set(tower_breaker::Instant::ZERO.after(10 * SECOND));
    record(&circuit, Outcome::failure(), 10);
    assert_eq!(circuit.state(), State::Open, "half of 20");
    let wait = circuit.snapshot().retry_after.unwrap();
    assert!(wait <= 5 * SECOND, "{wait:?} by the clock as it is now");
}
