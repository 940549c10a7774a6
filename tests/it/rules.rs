//! Rules of one's own: when they are asked, and that they cannot harm the circuit.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tower_breaker::{Circuit, Config, Outcome, State, clock::ManualClock, machine::WindowSnapshot};

use crate::support::{acquire, record};

#[test]
fn a_rule_that_panics_leaves_the_circuit_closed_and_the_next_one_asked() {
    let circuit = Circuit::builder("test")
        .config(Config::without_rules())
        .clock(ManualClock::new())
        .rule(|_: &WindowSnapshot| -> Option<String> { panic!("as it was told") })
        .rule(|window: &WindowSnapshot| (window.failures >= 2.0).then(|| "two is enough".into()))
        .build()
        .unwrap();
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Closed);
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.snapshot().reason.unwrap().to_string(), "two is enough");
}

#[test]
fn a_rule_is_asked_after_failures_and_never_after_a_success() {
    let circuit = Circuit::builder("test")
        .config(Config::without_rules())
        .clock(ManualClock::new())
        .rule(|_: &WindowSnapshot| Some("always".into()))
        .build()
        .unwrap();
    record(&circuit, Outcome::Success, 10);
    record(&circuit, Outcome::Ignored, 10);
    assert_eq!(circuit.state(), State::Closed, "a success has opened it");
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_rule_is_not_asked_about_a_call_that_counts_no_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let circuit = Circuit::builder("test")
        .config(Config::without_rules())
        .clock(ManualClock::new())
        .rule(move |_: &WindowSnapshot| {
            counter.fetch_add(1, Ordering::Relaxed);
            None
        })
        .build()
        .unwrap();
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let late = acquire(&circuit);
    circuit.reset();
    late.record(Outcome::failure());
    circuit.disable();
    record(&circuit, Outcome::failure(), 1);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_rule_may_call_the_circuit() {
    let place: Arc<OnceLock<Circuit>> = Arc::default();
    let own = Arc::clone(&place);
    let circuit = Circuit::builder("test")
        .config(Config::without_rules())
        .clock(ManualClock::new())
        .rule(move |window: &WindowSnapshot| {
            let seen = own.get().expect("set before").snapshot().ledger.failed;
            (window.run >= 3.0).then(|| format!("{seen} failures, said the ledger"))
        })
        .build()
        .unwrap();
    assert!(place.set(circuit.clone()).is_ok());
    record(&circuit, Outcome::failure(), 3);
    assert_eq!(circuit.snapshot().reason.unwrap().to_string(), "3 failures, said the ledger");
}
