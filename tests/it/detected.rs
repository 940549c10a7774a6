//! When the trouble began: how long an outage had been going on when the circuit opened, whatever rule saw it.

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Failure, Mode, Outcome, State,
    circuit::Events,
    config::{Evidence, FailureCount, FailureRate, SlowCalls, Window},
    machine::{Event, Transition, WindowSnapshot},
};

use crate::support::{SECOND, THREE, acquire, manual, record, trip};

const PLAIN: Config = Config::without_rules();
const GOOD: Outcome = Outcome::Success;

/// The next transition.
fn next(events: &mut Events) -> Transition {
    loop {
        if let Event::Transition(transition) = events.try_next().expect("there is an event").expect("none is missed") {
            return transition;
        }
    }
}

#[test]
fn each_rule_tells_when_the_trouble_began() {
    let bad = Outcome::failure();
    let rate = |threshold, calls, window| FailureRate::new(threshold).minimum_calls(calls).window(window);
    let minute = Window::time(60 * SECOND);
    // A call a second, in this pattern until it opens; the number is that of the call with which the trouble began.
    let cases: [(&str, Config, &[Outcome], u64); 8] = [
        ("evidence", PLAIN.evidence(Evidence::new()), &[bad, bad, bad, GOOD], 0),
        ("failure_rate", PLAIN.failure_rate(rate(0.5, 20, minute)), &[bad, bad, GOOD], 0),
        ("failure_rate", PLAIN.failure_rate(rate(0.1, 40, Window::count(40))), &[bad, GOOD, GOOD, GOOD, GOOD], 0),
        ("failure_rate", PLAIN.failure_rate(rate(0.5, 20, minute)), &[bad, GOOD, bad], 2),
        ("burst", PLAIN.burst(rate(0.9, 10, Window::time(10 * SECOND))), &[bad], 0),
        ("failure_count", PLAIN.failure_count(FailureCount::new(8, 60 * SECOND)), &[bad, bad, GOOD], 0),
        ("consecutive_failures", THREE, &[bad, bad, GOOD, bad, bad, bad], 3),
        ("demanded", THREE, &[bad, bad, Failure::new().tripping().into()], 0),
    ];
    for (reason, config, pattern, began) in cases {
        let (circuit, clock) = manual(config);
        let mut events = circuit.subscribe();
        // Before it a failure now and then, which good calls make up for.
        record(&circuit, bad, 1);
        record(&circuit, GOOD, 30);
        clock.advance(120 * SECOND);
        let mut calls = 0;
        while circuit.state() == State::Closed {
            assert!(calls < 1_000, "{reason} has not opened it: {}", circuit.explain());
            acquire(&circuit).record(pattern[calls % pattern.len()]);
            calls += 1;
            clock.advance(SECOND);
        }
        let opened = next(&mut events);
        let last = u64::try_from(calls).unwrap() - 1;
        assert_eq!(
            (opened.reason.as_str(), opened.detected_after),
            (reason, Some(Duration::from_secs(last - began))),
            "{calls} calls"
        );
    }
}

#[test]
fn slow_calls_are_trouble_where_a_rule_says_so() {
    let slow = SlowCalls::new(SECOND).threshold(0.5).minimum_calls(10).window(Window::time(60 * SECOND));
    let (circuit, clock) = manual(PLAIN.slow_calls(slow));
    let mut events = circuit.subscribe();
    record(&circuit, GOOD, 3);
    while circuit.state() == State::Closed {
        let permit = acquire(&circuit);
        clock.advance(2 * SECOND);
        permit.record(GOOD);
    }
    let opened = next(&mut events);
    assert_eq!(opened.reason.as_str(), "slow_call_rate");
    assert_eq!(opened.detected_after, Some(12 * SECOND), "seven slow calls of ten, from the end of the first");
}

#[test]
fn a_rule_of_ones_own_tells_it_too() {
    let two = |window: &WindowSnapshot| (window.failures >= 2.0).then(|| "two is enough".into());
    let clock = tower_breaker::clock::ManualClock::new();
    let circuit = Circuit::builder("test").config(PLAIN).clock(clock.clone()).rule(two).build().unwrap();
    let mut events = circuit.subscribe();
    record(&circuit, Outcome::failure(), 1);
    clock.advance(3 * SECOND);
    record(&circuit, Outcome::failure(), 1);
    let opened = next(&mut events);
    assert_eq!((opened.reason.to_string().as_str(), opened.detected_after), ("two is enough", Some(3 * SECOND)));
}

#[test]
fn only_a_closed_circuit_that_opens_has_detected_anything() {
    let (circuit, clock) = manual(THREE);
    let mut events = circuit.subscribe();
    trip(&circuit);
    clock.advance(SECOND);
    record(&circuit, Outcome::failure(), 1);
    clock.advance(SECOND);
    record(&circuit, GOOD, 1);
    record(&circuit, Outcome::failure(), 2);
    circuit.reset();
    clock.advance(SECOND);
    trip(&circuit);
    circuit.set_mode(Mode::ForcedClosed, None);
    let told: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event.expect("none is missed") {
            Event::Transition(it) => Some((it.to, it.reason.as_str(), it.detected_after)),
            _ => None,
        })
        .collect();
    let expected = [
        (State::Open, "demanded", Some(Duration::ZERO)),
        (State::HalfOpen, "wait_over", None),
        (State::Open, "probe_failed", None),
        (State::HalfOpen, "wait_over", None),
        (State::Closed, "probes_succeeded", None),
        (State::Closed, "reset", None),
        // The failures before the reset are forgotten.
        (State::Open, "demanded", Some(Duration::ZERO)),
        (State::Closed, "forced", None),
    ];
    assert_eq!(told, expected);
}
