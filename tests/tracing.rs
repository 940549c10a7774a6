//! The log lines that a circuit writes.
#![cfg(feature = "tracing")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use tower_breaker::{Circuit, Config, Outcome, config::Consecutive};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn log_of(work: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).without_time().finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().expect("nobody panics here").clone();
    String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn a_trip_is_a_warning_that_says_why_with_the_numbers() {
    let log = log_of(|| {
        let config = Config::classic().consecutive_failures(Consecutive::new(2));
        let circuit = Circuit::builder("payments").config(config).seed(1).build().unwrap();
        for _ in 0..2 {
            circuit.try_acquire().unwrap().record(Outcome::failure());
        }
        circuit.reset();
    });
    let [opened, closed] = &log[..] else { panic!("two lines, not {log:#?}") };
    assert!(
        opened.trim_start().starts_with("WARN tower_breaker: the circuit has opened: 2 failures in a row"),
        "{opened}"
    );
    for field in ["circuit.name=\"payments\"", "circuit.from=\"closed\"", "circuit.to=\"open\"", "circuit.epoch=2"] {
        assert!(opened.contains(field), "{field} is not in {opened}");
    }
    assert!(opened.contains("circuit.reason=\"consecutive_failures\"") && opened.contains("circuit.retry_after_ms="));
    assert!(closed.trim_start().starts_with("INFO tower_breaker: the circuit has closed: reset"), "{closed}");
}

#[test]
fn a_mode_is_logged_and_calls_are_not() {
    let log = log_of(|| {
        let circuit = Circuit::builder("payments").build().unwrap();
        circuit.force_open();
        assert!(circuit.try_acquire().is_err());
        circuit.auto();
        circuit.try_acquire().unwrap().record(Outcome::failure());
    });
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[0].contains("circuit.mode.to=\"forced_open\"") && log[1].contains("circuit.mode.to=\"auto\""));
}

#[cfg(feature = "keyed")]
#[test]
fn a_circuit_that_is_one_of_many_is_logged_with_its_key() {
    let log = log_of(|| {
        let tenants = tower_breaker::Registry::by_key("tenants").build().unwrap();
        tenants.circuit("acme").try_acquire().unwrap().record(tower_breaker::Failure::new().tripping());
        tenants.circuit("acme").force_closed();
    });
    assert_eq!(log.len(), 4, "{log:#?}");
    assert!(log[0].contains("circuit.name=\"tenants: overflow\" circuit.mode.from"), "{log:#?}");
    for line in &log[1..] {
        assert!(line.contains("circuit.name=\"tenants\" circuit.key=\"acme\""), "{line}");
    }
}

#[test]
fn a_circuit_of_its_own_has_no_key() {
    let log = log_of(|| Circuit::builder("payments").build().unwrap().force_open());
    assert!(!log[0].contains("circuit.key"), "{log:?}");
}

#[cfg(feature = "dashboard")]
#[test]
fn circuits_of_one_name_on_a_dashboard_are_told_once() {
    let log = log_of(|| {
        let dashboard = tower_breaker::dashboard::Dashboard::new();
        for name in ["payments", "search", "payments"] {
            dashboard.add(Circuit::builder(name).build().unwrap());
        }
        assert_eq!(dashboard.circuits().len() + dashboard.circuits().len(), 6);
    });
    let expected = "WARN tower_breaker: several circuits have this name, and each counts for itself";
    let [line] = &log[..] else { panic!("one line, not {log:#?}") };
    assert!(line.trim_start().starts_with(expected) && line.contains("circuit.name=\"payments\""), "{line}");
}
