//! The log lines that a circuit writes, and what it says to the span of a call.
#![cfg(feature = "tracing")]

use std::{
    io,
    sync::{Arc, Mutex},
};

#[cfg(feature = "test-util")]
use tower_breaker::config::Probing;
use tower_breaker::{Circuit, Config, Failure, Outcome, config::Consecutive};
use tracing::Level;
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
    log_at(Level::INFO, work)
}

fn log_at(level: Level, work: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(lines.clone());
    let subscriber = subscriber.with_ansi(false).without_time().finish();
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
        tenants.circuit("acme").try_acquire().unwrap().record(Failure::new().tripping());
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
    let expected = "WARN tower_breaker: several circuits have one name, and each counts for itself";
    let [line] = &log[..] else { panic!("one line, not {log:#?}") };
    assert!(line.trim_start().starts_with(expected) && line.contains("circuit.name=\"payments\""), "{line}");
}

#[cfg(feature = "keyed")]
#[test]
fn to_insert_a_circuit_whose_name_another_has_is_a_warning() {
    use tower_breaker::Registry;

    let circuits = Registry::by_name().build().unwrap();
    let log = log_of(|| {
        circuits.circuit("payments");
        circuits.insert("search".to_owned(), Circuit::builder("search").build().unwrap());
        circuits.insert("pay".to_owned(), Circuit::builder("payments").build().unwrap());
    });
    let [warning] = &log[..] else { panic!("one line, not {log:#?}") };
    for word in ["WARN tower_breaker: several circuits", "circuit.name=\"payments\"", "circuits=2"] {
        assert!(warning.contains(word), "{word} is not in {warning}");
    }
}

#[cfg(feature = "test-util")]
#[test]
fn a_rejection_is_logged_once_a_second_and_says_how_many_were_left_out() {
    let clock = tower_breaker::clock::ManualClock::new();
    let ms = std::time::Duration::from_millis;
    let log = log_at(Level::DEBUG, || {
        let config = Config::classic().probing(Probing::fixed(ms(5_000)));
        let circuit = Circuit::builder("payments").config(config).clock(clock.clone()).build().unwrap();
        let rejected = |times| (0..times).for_each(|_| assert!(circuit.try_acquire().is_err()));
        circuit.try_acquire().unwrap().record(Failure::new().tripping());
        rejected(5);
        clock.advance(ms(999));
        rejected(3);
        clock.advance(ms(1));
        rejected(2);
        clock.advance(ms(1_500));
        // Who only looks is not rejected.
        assert!(circuit.check().is_err());
        clock.advance(ms(1_500));
        circuit.force_open();
        rejected(1);
    });
    let lines: Vec<&str> = log.iter().map(|line| line.trim_start()).filter(|line| line.starts_with("DEBUG")).collect();
    let [first, second, third] = &lines[..] else { panic!("three lines, not {log:#?}") };
    let line = |reason, wait, left_out| {
        format!(
            "DEBUG tower_breaker: a call has been rejected circuit.name=\"payments\" circuit.state=\"open\" \
             circuit.reason=\"{reason}\"{wait} circuit.left_out={left_out}"
        )
    };
    assert_eq!(**first, line("open", " circuit.retry_after_ms=5000", 0));
    assert_eq!(**second, line("open", " circuit.retry_after_ms=4000", 7), "four of the first five, and three");
    assert_eq!(**third, line("forced", "", 1));
}

/// In a release build without `test-util` that clock would let rejections take a shorter way.
#[test]
fn the_clock_of_the_system_keeps_no_rejection_from_the_log() {
    let log = log_at(Level::DEBUG, || {
        let circuit = Circuit::builder("payments").build().unwrap();
        circuit.try_acquire().unwrap().record(Failure::new().tripping());
        (0..3).for_each(|_| assert!(circuit.try_acquire().is_err()));
    });
    assert_eq!(log.iter().filter(|line| line.contains("a call has been rejected")).count(), 1, "{log:#?}");
}

#[cfg(all(feature = "keyed", feature = "test-util"))]
#[test]
fn a_rejection_of_one_of_many_circuits_is_logged_with_its_key_and_each_has_its_own_second() {
    let log = log_at(Level::DEBUG, || {
        let clock = tower_breaker::clock::ManualClock::new();
        let tenants = tower_breaker::Registry::by_key("tenants").clock(clock).build().unwrap();
        for tenant in ["acme", "umbrella"] {
            tenants.circuit(tenant).force_open();
            assert!(tenants.circuit(tenant).try_acquire().is_err() && tenants.circuit(tenant).try_acquire().is_err());
        }
    });
    let keys: Vec<bool> = ["acme", "umbrella"]
        .iter()
        .map(|key| {
            log.iter().filter(|line| line.contains("DEBUG") && line.contains(&format!("circuit.key=\"{key}\""))).count()
                == 1
        })
        .collect();
    assert_eq!(keys, [true, true], "{log:#?}");
}

#[cfg(feature = "test-util")]
mod spans {
    //! `circuit.state` on the span of a call, through a layer of a real subscriber.

    use std::time::Duration;

    use futures_util::FutureExt;
    use tower::{Layer as _, Service, service_fn};
    use tower_breaker::{
        CircuitBreakerLayer,
        classify::ErrorsAsFailures,
        clock::ManualClock,
        config::{HalfOpen, Ramp, Recovery},
    };
    use tracing::{Span, Subscriber, field, info_span, span};
    use tracing_subscriber::{Layer, Registry, layer::Context, prelude::*, registry::LookupSpan};

    use super::*;

    /// What is recorded on spans after they were made, each as `span.field=value`.
    #[derive(Clone, Default)]
    struct Recorded(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorded {
        fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
            let span = context.span(id).expect("it is there").name();
            values.record(&mut |field: &field::Field, value: &dyn std::fmt::Debug| {
                self.0.lock().expect("nobody panics here").push(format!("{span}.{field}={value:?}"));
            });
        }
    }

    impl Recorded {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().expect("nobody panics here"))
        }
    }

    /// Panics whenever something is recorded.
    struct Panics;

    impl<S: Subscriber> Layer<S> for Panics {
        fn on_record(&self, _: &span::Id, _: &span::Record<'_>, _: Context<'_, S>) {
            panic!("of a subscriber");
        }
    }

    #[test]
    fn a_subscriber_that_panics_takes_neither_a_call_nor_the_slot_of_a_probe() {
        let clock = ManualClock::new();
        let config = Config::classic().probing(Probing::fixed(Duration::from_secs(1)));
        let circuit = Circuit::builder("payments").config(config).clock(clock.clone()).build().unwrap();
        circuit.try_acquire().unwrap().record(Failure::new().tripping());
        tracing::subscriber::with_default(Registry::default().with(Panics), || {
            info_span!("request", circuit.state = field::Empty).in_scope(|| {
                assert!(circuit.try_acquire().is_err());
                clock.advance(Duration::from_secs(1));
                for _ in 0..3 {
                    circuit.try_acquire().unwrap().record(Outcome::Success);
                }
            });
        });
        assert_eq!(circuit.state(), tower_breaker::State::Closed);
    }

    #[test]
    fn the_state_is_recorded_on_the_span_of_a_call_that_no_closed_circuit_has_let_pass() {
        let (recorded, clock) = (Recorded::default(), ManualClock::new());
        let config = Config::without_rules()
            .probing(Probing::fixed(Duration::from_secs(1)))
            .half_open(HalfOpen::new().success_threshold(1))
            .recovery(Recovery::Ramp(Ramp::new()));
        let circuit = Circuit::builder("payments").config(config).clock(clock.clone()).build().unwrap();
        let inner = service_fn(|answer: Result<(), &'static str>| async move { answer });
        let mut service = CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()).layer(inner);
        let mut call = |span: Span| span.in_scope(|| service.call(Ok(())).now_or_never().expect("at once").is_ok());
        tracing::subscriber::with_default(Registry::default().with(recorded.clone()), || {
            let has_place = || info_span!("request", circuit.state = field::Empty);
            assert!(call(has_place()));
            assert!(recorded.take().is_empty(), "a healthy call says nothing");

            circuit.try_acquire().unwrap().record(Failure::new().tripping());
            assert!(!call(has_place()));
            assert_eq!(recorded.take(), ["request.circuit.state=\"open\""]);
            assert!(!call(info_span!("request", other = field::Empty)) && !call(Span::none()));
            assert!(recorded.take().is_empty(), "there is no such field");

            clock.advance(Duration::from_secs(1));
            assert!(call(has_place()));
            assert_eq!(recorded.take(), ["request.circuit.state=\"half_open\""]);
            // The first calls of a ramp: some pass, some do not.
            let passed = (0..40).filter(|_| call(has_place())).count();
            assert!((1..40).contains(&passed), "{passed} of 40 pass");
            assert_eq!(recorded.take(), vec!["request.circuit.state=\"recovering\""; 40]);

            circuit.reset();
            circuit.try_acquire().unwrap().record(Failure::new().tripping());
            circuit.metrics_only();
            assert!(call(has_place()));
            assert_eq!(recorded.take(), ["request.circuit.state=\"open\""], "it would have been rejected");
        });
    }
}
