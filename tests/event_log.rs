//! The last events of a circuit, kept for who asks later.

use std::{sync::Arc, thread};

use tower_breaker::{
    Circuit, Config, Failure, Mode,
    machine::{Event, Reason},
    observe::EventLog,
};

fn circuit(name: &str, log: &EventLog) -> Circuit {
    Circuit::builder(name).config(Config::without_rules()).observe(log.clone()).build().expect("within bounds")
}

/// The words of each event, such as `payments open` or `payments forced_open`.
fn words(log: &EventLog) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Transition(transition) => format!("{} {}", transition.circuit, transition.to),
        Event::ModeChanged { circuit, to, .. } => format!("{circuit} {to}"),
        _ => panic!("there are two kinds"),
    };
    log.events().iter().map(word).collect()
}

#[test]
fn the_last_events_are_kept_in_order_and_the_others_counted() {
    let log = EventLog::new(3);
    let payments = circuit("payments", &log);
    payments.force_open();
    assert_eq!((words(&log), log.dropped()), (vec!["payments forced_open".to_owned()], 0));
    payments.auto();
    payments.try_acquire().unwrap().record(Failure::new().tripping());
    payments.reset();
    payments.metrics_only();
    assert_eq!(words(&log), ["payments open", "payments closed", "payments metrics_only"]);
    assert_eq!(log.dropped(), 2);
    let Event::Transition(opened) = &log.events()[0] else { panic!("a transition") };
    assert_eq!((&opened.reason, opened.epoch), (&Reason::Demanded, 2), "with its reason and numbers");
}

#[test]
fn one_log_takes_the_events_of_many_circuits() {
    let log = EventLog::new(100);
    for name in ["a", "b"] {
        circuit(name, &log).disable();
    }
    assert_eq!(words(&log), ["a disabled", "b disabled"]);
}

#[test]
fn a_log_without_room_keeps_nothing() {
    let log = EventLog::new(0);
    circuit("payments", &log).force_open();
    assert_eq!((log.events().len(), log.dropped()), (0, 1));
}

#[test]
fn a_log_can_be_read_while_events_come() {
    let log = EventLog::new(8);
    let payments = Arc::new(circuit("payments", &log));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    payments.set_mode(Mode::ForcedOpen, None);
                    payments.auto();
                }
            });
        }
        for _ in 0..1_000 {
            assert!(log.events().len() <= 8);
        }
    });
    // Two threads that set the same mode at once make one event of it.
    assert_eq!(log.events().len(), 8);
    assert!(log.dropped() > 100, "{}", log.dropped());
}
