//! Registries: as many series as names, and nothing is lost with what is forgotten.

use std::{thread, time::Duration};

use tower_breaker::{Circuit, Mode, Outcome, Registry, clock::ManualClock, machine::Ledger, metrics::Reporter};

use super::{THREE, call, seen::publish, trip};

#[test]
fn ten_thousand_keys_make_as_many_series_as_one() {
    let count = |keys: usize| {
        let reporter = Reporter::new();
        let each = reporter.clone();
        let builder = Registry::by_key("tenants").config(THREE);
        let tenants = builder.each(move |_: &String, circuit| circuit.observe(each.observer())).build().unwrap();
        reporter.add(tenants.clone());
        for key in 0..keys {
            trip(&tenants.circuit(&format!("tenant {key}")));
        }
        let seen = publish(&reporter);
        #[expect(clippy::cast_precision_loss, reason = "ten thousand")]
        seen.assert(&[
            ("circuits tenants", keys as f64),
            ("state tenants open", keys as f64),
            ("calls_total tenants failure", keys as f64),
            ("transitions_total tenants closed open demanded", keys as f64),
            ("circuits tenants: overflow", 1.0),
        ]);
        let of_tenants = seen.values.keys().filter(|series| series.split(' ').nth(1) == Some("tenants"));
        (of_tenants.count(), seen.values.len())
    };
    let one = count(1);
    assert_eq!(one.0, 36, "35 series without the gauges that have no value yet, and one way from state to state");
    assert_eq!(one, count(10_000));
}

#[test]
fn what_a_registry_forgets_stays_counted() {
    let clock = ManualClock::new();
    let tenants = Registry::by_key("tenants").config(THREE).clock(clock.clone()).capacity(10).build().unwrap();
    let reporter = Reporter::new();
    reporter.add(tenants.clone());
    let mut before = 0.0;
    for key in 0..500_u32 {
        call(&tenants.circuit(&format!("tenant {key}")), Outcome::Success);
        clock.advance(Duration::from_secs(1));
        let all = publish(&reporter);
        let now = all.value("calls_total tenants success") + all.value("calls_total tenants: overflow success");
        assert!((now - f64::from(key + 1)).abs() < 1e-9, "{now} after {key}");
        let seconds = all.value("state_seconds_total tenants closed");
        assert!(seconds >= before, "a counter went from {before} to {seconds}");
        before = seconds;
    }
    let forgotten = tenants.forgotten();
    assert!(forgotten.circuits >= 400 && forgotten.ledger.succeeded == forgotten.circuits, "{forgotten:?}");
    assert!(tenants.len() <= 10);
}

#[test]
fn no_counter_goes_down_and_no_call_is_lost_while_threads_push_each_other_out() {
    const CALLS: u32 = 5_000;
    let tenants = Registry::by_key("tenants").config(THREE).capacity(50).build().unwrap();
    let reporter = Reporter::new();
    reporter.add(tenants.clone());
    let total = || {
        let seen = publish(&reporter);
        // There is none before the first key.
        let value = |name: &str| seen.values.get(&format!("calls_total {name} success")).copied();
        ["tenants", "tenants: overflow"].map(|name| value(name).unwrap_or(0.0))
    };
    thread::scope(|scope| {
        for thread in 0..2 {
            let tenants = &tenants;
            scope.spawn(move || {
                (0..CALLS).for_each(|n| call(&tenants.circuit(&format!("{thread} {n}")), Outcome::Success));
            });
        }
        let mut before = total();
        for _ in 0..200 {
            let now = total();
            assert!(now[0] >= before[0] && now[1] >= before[1], "from {before:?} to {now:?}");
            before = now;
        }
    });
    assert!(tenants.forgotten().circuits > 1_000, "{:?}", tenants.forgotten());
    let all = total();
    assert!((all[0] + all[1] - f64::from(2 * CALLS)).abs() < 1e-9, "{all:?}");
}

#[test]
fn a_circuit_that_is_removed_or_replaced_stays_counted() {
    let tenants = Registry::by_key("tenants").config(THREE).build().unwrap();
    let reporter = Reporter::new();
    reporter.add(tenants.clone());
    trip(&tenants.circuit("acme"));
    tenants.remove("acme");
    call(&tenants.circuit("acme"), Outcome::Success);
    tenants.insert("acme".into(), Circuit::builder("acme").mode(Mode::Disabled).build().unwrap());
    publish(&reporter).assert(&[
        ("calls_total tenants success", 1.0),
        ("calls_total tenants failure", 1.0),
        ("opened_total tenants", 1.0),
        ("circuits tenants", 0.0),
        ("mode acme disabled", 1.0),
    ]);
    // One of another name leaves with its numbers.
    let before = tenants.forgotten();
    call(&tenants.circuit("acme"), Outcome::Success);
    tenants.remove("acme");
    assert_eq!(tenants.forgotten(), before);
}

#[test]
fn circuits_by_name_are_reported_by_their_names() {
    let circuits = Registry::by_name().config(THREE).build().unwrap();
    let reporter = Reporter::new();
    reporter.add(circuits.clone());
    trip(&circuits.circuit("search"));
    call(&circuits.circuit("payments"), Outcome::Success);
    publish(&reporter).assert(&[
        ("state search open", 1.0),
        ("state payments closed", 1.0),
        ("calls_total payments success", 1.0),
    ]);
    assert_eq!(circuits.forgotten().ledger, Ledger::default());
}
