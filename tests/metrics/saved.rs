//! What a circuit has saved: rejections by reason, and the waiting they spared.

use tower_breaker::{
    Outcome,
    config::{Ramp, Recovery},
    machine::{Ledger, RejectReason},
    metrics::Reporter,
};

use super::{SECOND, THREE, circuit, seen::publish, trip};

#[test]
fn a_rejection_is_counted_under_its_reason() {
    let reporter = Reporter::new();
    let ramp = Ramp::new().shares([0.1, 0.2, 0.5, 1.0]);
    let (payments, clock) = circuit("payments", THREE.recovery(Recovery::Ramp(ramp)), |circuit| circuit);
    reporter.add(payments.clone());
    let rejected = |times| (0..times).for_each(|_| assert!(payments.try_acquire().is_err()));
    trip(&payments);
    rejected(5);
    clock.advance(10 * SECOND);
    let probe = payments.try_acquire().unwrap();
    rejected(4);
    probe.record(Outcome::Success);
    let passed = (0..100).filter(|_| payments.try_acquire().is_ok()).count();
    assert_eq!(passed, 10, "a tenth passes");
    payments.force_open();
    rejected(2);
    publish(&reporter).assert(&[
        ("rejected_total payments open", 5.0),
        ("rejected_total payments half_open", 4.0),
        ("rejected_total payments recovering", 90.0),
        ("rejected_total payments forced", 2.0),
        ("rejected_total payments not_ready", 0.0),
    ]);
    let Ledger { rejected, rejected_by, .. } = payments.snapshot().ledger;
    assert_eq!((rejected, rejected_by.all(), rejected_by.of(RejectReason::Forced)), (101, 101, 2));
}

#[test]
fn the_waiting_time_saved_is_what_the_rejected_calls_would_have_taken() {
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit);
    reporter.add(payments.clone());
    let rejected = |times| (0..times).for_each(|_| assert!(payments.try_acquire().is_err()));
    trip(&payments);
    rejected(10);
    let seen = publish(&reporter);
    assert_eq!(seen.values.get("failure_seconds payments"), None, "no failure was timed yet");
    seen.assert(&[("saved_seconds_total payments", 0.0)]);
    clock.advance(10 * SECOND);
    let probe = payments.try_acquire().unwrap();
    clock.advance(2 * SECOND);
    probe.record(Outcome::failure());
    let of = |saved, takes| [("saved_seconds_total payments", saved), ("failure_seconds payments", takes)];
    publish(&reporter).assert(&of(20.0, 2.0));
    rejected(3);
    publish(&reporter).assert(&of(26.0, 2.0));
    publish(&reporter).assert(&of(26.0, 2.0));
    assert_eq!(payments.snapshot().failure_time, Some(2 * SECOND));
    // All history is forgotten, but not what was counted.
    payments.reset();
    let seen = publish(&reporter);
    seen.assert(&[("saved_seconds_total payments", 26.0)]);
    assert!(seen.value("failure_seconds payments").is_nan());
}

#[test]
fn of_circuits_of_one_name_those_that_reject_more_say_more() {
    let reporter = Reporter::new();
    for (takes, rejections) in [(1, 99), (5, 299)] {
        let (circuit, clock) = circuit("each", THREE, |circuit| circuit);
        reporter.add(circuit.clone());
        trip(&circuit);
        clock.advance(10 * SECOND);
        let probe = circuit.try_acquire().unwrap();
        clock.advance(takes * SECOND);
        probe.record(Outcome::failure());
        (0..rejections).for_each(|_| assert!(circuit.try_acquire().is_err()));
    }
    publish(&reporter).assert(&[("failure_seconds each", 4.0), ("saved_seconds_total each", 398.0 * 4.0)]);
}
