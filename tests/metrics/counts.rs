//! What the numbers are, for circuits and lists.

use tower_breaker::{
    Failure, Mode, Outcome, Registry,
    config::{FailureRate, SlowCalls},
    machine::Snapshot,
    metrics::{METRICS, Reporter, Source, Sums},
};

use super::{SECOND, THREE, call, circuit, seen::publish, trip};

#[test]
fn each_line_of_the_ledger_is_a_counter() {
    let reporter = Reporter::new();
    let config = THREE.slow_calls(SlowCalls::new(2 * SECOND));
    let (payments, clock) = circuit("payments", config, |circuit| circuit);
    reporter.add(payments.clone());
    call(&payments, Outcome::Success);
    call(&payments, Outcome::Success);
    call(&payments, Outcome::Ignored);
    drop(payments.try_acquire().unwrap());
    let slow = payments.try_acquire().unwrap();
    clock.advance(3 * SECOND);
    slow.record(Outcome::Success);
    let late = payments.try_acquire().unwrap();
    trip(&payments);
    late.record(Outcome::Success);
    assert!(payments.try_acquire().is_err() && payments.try_acquire().is_err());
    payments.force_open();
    assert!(payments.try_acquire().is_err());
    payments.metrics_only();
    call(&payments, Outcome::Success);

    let seen = publish(&reporter);
    seen.assert(&[
        ("calls_total payments success", 4.0),
        ("calls_total payments failure", 1.0),
        ("calls_total payments ignored", 1.0),
        ("calls_total payments cancelled", 1.0),
        ("slow_calls_total payments", 1.0),
        ("late_results_total payments", 1.0),
        ("rejected_total payments open", 2.0),
        ("rejected_total payments forced", 1.0),
        ("rejected_total payments half_open", 0.0),
        ("would_reject_total payments", 1.0),
        ("opened_total payments", 1.0),
    ]);
    let Snapshot { ledger, .. } = payments.snapshot();
    assert_eq!((ledger.ended(), ledger.rejected), (8, 3), "the books are those of the circuit");
}

#[test]
fn a_recorder_that_is_installed_late_sees_all() {
    let reporter = Reporter::new();
    let (payments, _clock) = circuit("payments", THREE, |circuit| circuit.observe(reporter.observer()));
    reporter.add(payments.clone());
    trip(&payments);
    payments.reset();
    // Nobody listens yet.
    reporter.publish();
    let first = publish(&reporter);
    call(&payments, Outcome::Success);
    let second = publish(&reporter);
    for seen in [first, second] {
        seen.assert(&[
            ("calls_total payments failure", 1.0),
            ("transitions_total payments closed open demanded", 1.0),
            ("transitions_total payments open closed reset", 1.0),
        ]);
    }
}

#[test]
fn just_one_state_and_one_mode_are_one() {
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit);
    reporter.add(payments.clone());
    let look = |what: &str| {
        let seen = publish(&reporter);
        let one = seen.values.into_iter().filter(|(series, value)| series.starts_with(what) && *value > 0.0);
        one.map(|(series, _)| series).collect::<Vec<_>>()
    };
    assert_eq!(look("state "), ["state payments closed"]);
    trip(&payments);
    assert_eq!(look("state "), ["state payments open"]);
    clock.advance(10 * SECOND);
    let probe = payments.try_acquire().unwrap();
    assert_eq!(look("state "), ["state payments half_open"]);
    publish(&reporter).assert(&[("probes_in_flight payments", 1.0)]);
    probe.record(Outcome::Success);
    publish(&reporter).assert(&[("probes_in_flight payments", 0.0)]);
    for mode in [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly] {
        payments.set_mode(mode, None);
        assert_eq!(look("mode "), [format!("mode payments {mode}")]);
    }
}

#[test]
fn seconds_are_counted_for_each_state_and_for_the_outage() {
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit);
    reporter.add(payments.clone());
    clock.advance(7 * SECOND);
    trip(&payments);
    clock.advance(12 * SECOND);
    let probe = payments.try_acquire().unwrap();
    clock.advance(3 * SECOND);
    publish(&reporter).assert(&[
        ("state_seconds_total payments closed", 7.0),
        ("state_seconds_total payments open", 12.0),
        ("state_seconds_total payments half_open", 3.0),
        ("outage_seconds payments", 15.0),
    ]);
    probe.record(Outcome::Success);
    publish(&reporter).assert(&[("outage_seconds payments", 0.0)]);
}

#[test]
fn a_rate_is_absent_until_there_are_enough_calls_and_later_no_number() {
    let reporter = Reporter::new();
    let config = THREE.failure_rate(FailureRate::new(0.9).minimum_calls(10));
    let (payments, clock) = circuit("payments", config, |circuit| circuit);
    reporter.add(payments.clone());
    for n in 0..10 {
        let seen = publish(&reporter);
        let rates = ["failure_rate payments", "slow_rate payments"].map(|series| seen.values.get(series));
        assert_eq!(rates, [None, None], "after {n} calls");
        seen.assert(&[("window_calls payments", f64::from(n))]);
        call(&payments, if n % 5 == 0 { Outcome::from(Failure::new()) } else { Outcome::Success });
    }
    publish(&reporter).assert(&[("failure_rate payments", 0.2), ("window_calls payments", 10.0)]);
    clock.advance(60 * SECOND);
    let seen = publish(&reporter);
    assert!(seen.value("failure_rate payments").is_nan() && seen.value("slow_rate payments").is_nan());
}

#[test]
fn the_time_to_detect_and_to_recover_is_that_of_each_outage() {
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit.observe(reporter.observer()));
    let outage = || {
        for _ in 0..3 {
            call(&payments, Outcome::failure());
            clock.advance(2 * SECOND);
        }
        clock.advance(20 * SECOND);
    };
    outage();
    // A probe that fails is the same outage.
    call(&payments, Outcome::failure());
    clock.advance(10 * SECOND);
    call(&payments, Outcome::Success);
    outage();
    call(&payments, Outcome::Success);
    outage();
    // What an operator ends says nothing of the dependency.
    payments.reset();
    publish(&reporter).assert(&[
        ("detections_total payments", 3.0),
        ("detection_seconds_total payments", 12.0),
        ("recoveries_total payments", 2.0),
        ("recovery_seconds_total payments", 22.0 + 10.0 + 22.0),
        ("transitions_total payments closed open consecutive_failures", 3.0),
        ("transitions_total payments half_open open probe_failed", 1.0),
    ]);
}

#[test]
fn circuits_of_one_name_are_added_up_and_a_list_is_as_good_as_its_circuits() {
    struct Mine(Vec<tower_breaker::Circuit>);
    impl Source for Mine {
        fn report(&self, sums: &mut Sums) {
            self.0.report(sums);
        }
    }
    let config = THREE.failure_rate(FailureRate::new(0.9).minimum_calls(4));
    let circuits: Vec<_> = ["a", "b", "b"].map(|name| circuit(name, config, |circuit| circuit).0).into();
    for (circuit, (failures, calls)) in circuits.iter().zip([(1, 4), (1, 4), (2, 8)]) {
        for n in 0..calls {
            call(circuit, if n < failures { Outcome::failure() } else { Outcome::Success });
        }
    }
    call(&circuits[2], Outcome::failure());
    call(&circuits[2], Outcome::failure());
    trip(&circuits[0]);
    let (list, mine) = (Reporter::new(), Reporter::new());
    list.add(circuits.clone());
    mine.add(Mine(circuits));
    for reporter in [list, mine] {
        publish(&reporter).assert(&[
            ("circuits a", 1.0),
            ("circuits b", 2.0),
            ("state a open", 1.0),
            ("state b closed", 2.0),
            ("calls_total a failure", 2.0),
            ("calls_total b failure", 5.0),
            ("failure_rate b", 5.0 / 14.0),
        ]);
    }
}

#[test]
fn what_is_not_reported_any_more_keeps_its_last_values() {
    let circuits = Registry::by_name().config(THREE).build().unwrap();
    let reporter = Reporter::new();
    reporter.add(circuits.clone());
    for _ in 0..3 {
        call(&circuits.circuit("search"), Outcome::Success);
    }
    publish(&reporter);
    circuits.remove("search");
    for (calls, counted) in [(2, 3.0), (2, 4.0)] {
        for _ in 0..calls {
            call(&circuits.circuit("search"), Outcome::Success);
        }
        publish(&reporter).assert(&[("calls_total search success", counted)]);
    }
}

#[test]
fn each_metric_is_told_with_its_kind_unit_and_meaning() {
    let reporter = Reporter::new();
    let config = THREE.failure_rate(FailureRate::new(0.9).minimum_calls(1));
    let (payments, clock) = circuit("payments", config, |circuit| circuit.observe(reporter.observer()));
    reporter.add(payments.clone());
    call(&payments, Outcome::Success);
    trip(&payments);
    clock.advance(10 * SECOND);
    trip(&payments);
    clock.advance(10 * SECOND);
    // The probe closes it, and the next one is judged.
    call(&payments, Outcome::Success);
    call(&payments, Outcome::Success);
    let seen = publish(&reporter);
    for metric in METRICS {
        let (unit, text) = seen.told.get(metric.name).unwrap_or_else(|| panic!("no {}", metric.name));
        assert_eq!((*unit, text.as_deref()), (Some(metric.unit), Some(metric.description)), "{}", metric.name);
        assert_eq!(format!("{:?}", seen.kinds[metric.name]), format!("{:?}", metric.kind));
        assert_eq!(seen.labels[metric.name], metric.labels, "{}", metric.name);
    }
    assert_eq!(seen.told.len(), METRICS.len(), "and no others: {:?}", seen.told.keys());
}
