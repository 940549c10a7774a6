//! Observers and subscribers: in order, under no lock, and unable to harm the circuit.

use std::{
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use tower_breaker::{
    Circuit, Instant, Mode, Outcome, State,
    circuit::Events,
    clock::{Clock, ManualClock, Sleep},
    machine::{Event, Reason},
};

use crate::support::{SECOND, THREE, acquire, manual, record, trip};

/// No test waits that long; a deadlock is a failure, not the end of the test run.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened, in short.
fn short(event: &Event) -> String {
    match event {
        Event::ModeChanged { from, to, .. } => format!("mode {from} to {to}"),
        Event::Transition(transition) => format!("{} to {}", transition.from, transition.to),
        other => panic!("unknown: {other:?}"),
    }
}

fn taken(events: &mut Events) -> Vec<String> {
    std::iter::from_fn(|| events.try_next()).map(|event| short(&event.expect("nothing is missed"))).collect()
}

/// A circuit, and what its observer has noted; `on_event` runs after the note.
fn observed(
    on_event: impl Fn(&Circuit, &Event) + Send + Sync + 'static,
) -> (Circuit, ManualClock, Arc<Mutex<Vec<String>>>) {
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let (clock, noted) = (ManualClock::new(), Arc::clone(&notes));
    let place: Arc<OnceLock<Circuit>> = Arc::default();
    let own = Arc::clone(&place);
    let circuit = Circuit::builder("test")
        .config(THREE)
        .clock(clock.clone())
        .observe(move |event: &Event| {
            noted.lock().expect("no panic under the lock").push(short(event));
            if let Some(circuit) = own.get() {
                on_event(circuit, event);
            }
        })
        .build()
        .expect("the settings are within bounds");
    place.set(circuit.clone()).expect("set once");
    (circuit, clock, notes)
}

#[test]
fn an_outage_is_told_in_order_with_its_reasons() {
    let (circuit, clock) = manual(THREE);
    let mut events = circuit.subscribe();
    clock.advance(5 * SECOND);
    record(&circuit, Outcome::failure(), 3);
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::failure());
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::Success);
    let mut told = Vec::new();
    while let Some(Ok(Event::Transition(transition))) = events.try_next() {
        told.push((
            transition.to,
            transition.reason.as_str(),
            transition.epoch,
            transition.at.as_nanos() / 1_000_000_000,
        ));
    }
    let expected = [
        (State::Open, "consecutive_failures", 2, 5),
        (State::HalfOpen, "wait_over", 3, 6),
        (State::Open, "probe_failed", 4, 6),
        (State::HalfOpen, "wait_over", 5, 7),
        (State::Closed, "probes_succeeded", 6, 7),
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_opening_says_when_the_first_probe_may_go() {
    let (circuit, _clock) = manual(THREE);
    let mut events = circuit.subscribe();
    trip(&circuit);
    let Some(Ok(Event::Transition(opened))) = events.try_next() else { panic!("no transition") };
    assert_eq!((opened.retry_after, opened.reason), (Some(SECOND), Reason::Demanded));
}

#[test]
fn a_subscriber_hears_what_happens_from_now_on() {
    let (circuit, _clock) = manual(THREE);
    circuit.force_open();
    let mut events = circuit.subscribe();
    circuit.auto();
    assert_eq!(taken(&mut events), ["mode forced_open to auto"]);
}

#[test]
fn a_mode_that_is_set_again_is_no_event() {
    let (circuit, _clock) = manual(THREE);
    let mut events = circuit.subscribe();
    circuit.auto();
    circuit.force_open();
    circuit.force_open();
    assert_eq!(taken(&mut events), ["mode auto to forced_open"]);
}

#[test]
fn the_end_of_a_mode_is_told_when_it_is_noticed() {
    let (circuit, clock) = manual(THREE);
    circuit.set_mode(Mode::ForcedOpen, Some(SECOND));
    let mut events = circuit.subscribe();
    clock.advance(SECOND);
    assert_eq!(circuit.mode(), Mode::Auto);
    assert!(taken(&mut events).is_empty(), "there is no task that could notice by itself");
    drop(acquire(&circuit));
    assert_eq!(taken(&mut events), ["mode forced_open to auto"]);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_missed_and_goes_on() {
    let (circuit, _clock) = manual(THREE);
    let mut events = circuit.subscribe();
    for _ in 0..50 {
        circuit.force_open();
        circuit.auto();
    }
    let missed = events.next().await.expect("the circuit is there").unwrap_err();
    assert_eq!(missed.to_string(), "missed 36 events", "64 are kept");
    assert_eq!(taken(&mut events).len(), 64);
}

#[tokio::test]
async fn a_subscriber_is_woken_by_an_event_and_by_the_end_of_the_circuit() {
    let (circuit, _clock) = manual(THREE);
    let mut events = circuit.subscribe();
    let heard = tokio::spawn(async move {
        let mut heard = 0;
        while events.next().await.is_some() {
            heard += 1;
        }
        heard
    });
    tokio::task::yield_now().await;
    circuit.force_open();
    tokio::task::yield_now().await;
    drop(circuit);
    let heard = tokio::time::timeout(PATIENCE, heard).await.expect("the stream ends with the circuit");
    assert_eq!(heard.unwrap(), 1);
}

#[test]
fn an_observer_that_panics_harms_nobody() {
    let (told, hears) = mpsc::channel();
    let circuit = Circuit::builder("test")
        .config(THREE)
        .clock(ManualClock::new())
        .observe(|_: &Event| panic!("as it was told"))
        .observe(move |event: &Event| drop(told.send(short(event))))
        .build()
        .unwrap();
    let mut events = circuit.subscribe();
    trip(&circuit);
    circuit.reset();
    let expected = ["closed to open", "open to closed"];
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), expected, "the observer after it");
    assert_eq!(taken(&mut events), expected, "a subscriber");
    assert!(circuit.try_acquire().is_ok());
}

/// Peers: f05.
#[test]
fn an_observer_may_call_the_circuit_and_its_events_come_after_this_one() {
    let (circuit, _clock, notes) = observed(|circuit, event| {
        if matches!(event, Event::Transition(transition) if transition.to == State::Open) {
            circuit.force_open();
            circuit.reset();
            assert!(circuit.try_acquire().is_err() && circuit.snapshot().mode == Mode::ForcedOpen);
        }
    });
    let mut events = circuit.subscribe();
    trip(&circuit);
    let expected = ["closed to open", "mode auto to forced_open", "open to closed"];
    assert_eq!(*notes.lock().unwrap(), expected);
    assert_eq!(taken(&mut events), expected, "a subscriber hears the same order");
}

#[test]
fn all_observers_hear_the_same_order_even_if_the_first_one_acts() {
    let place: Arc<OnceLock<Circuit>> = Arc::default();
    let own = Arc::clone(&place);
    let (told, hears) = mpsc::channel();
    let circuit = Circuit::builder("test")
        .clock(ManualClock::new())
        .observe(move |event: &Event| {
            if matches!(event, Event::Transition(_)) {
                own.get().expect("set before").force_closed();
            }
        })
        .observe(move |event: &Event| drop(told.send(short(event))))
        .build()
        .unwrap();
    assert!(place.set(circuit.clone()).is_ok());
    trip(&circuit);
    let heard: Vec<_> = hears.try_iter().collect();
    assert_eq!(heard, ["closed to open", "mode auto to forced_closed", "open to closed"]);
}

/// Peers: d14.
#[test]
fn an_observer_that_is_slow_keeps_nobody_waiting() {
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = Mutex::new(may_leave);
    let (circuit, _clock, notes) = observed(move |_, _| {
        let _ = entered.send(());
        let _ = may_leave.lock().expect("one observer").recv_timeout(PATIENCE);
    });
    let slow = thread::spawn({
        let circuit = circuit.clone();
        move || trip(&circuit)
    });
    is_entered.recv_timeout(PATIENCE).unwrap();
    let (done, is_done) = mpsc::channel();
    let other = circuit.clone();
    thread::spawn(move || {
        assert!(other.try_acquire().is_err());
        other.reset();
        acquire(&other).record(Outcome::Success);
        let _ = done.send(other.snapshot().state);
    });
    assert_eq!(is_done.recv_timeout(PATIENCE / 2), Ok(State::Closed), "another thread waits for the observer");
    assert_eq!(notes.lock().unwrap().len(), 1, "the second event waits for its turn");
    drop(leave);
    slow.join().unwrap();
    assert_eq!(*notes.lock().unwrap(), ["closed to open", "open to closed"]);
}

#[test]
fn events_of_many_threads_come_in_the_order_of_the_phases() {
    let epochs: Arc<Mutex<Vec<u64>>> = Arc::default();
    let noted = Arc::clone(&epochs);
    let circuit = Circuit::builder("test")
        .clock(ManualClock::new())
        .observe(move |event: &Event| {
            if let Event::Transition(transition) = event {
                noted.lock().expect("no panic under the lock").push(transition.epoch);
            }
        })
        .build()
        .unwrap();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..500 {
                    circuit.reset();
                }
            });
        }
    });
    let epochs = epochs.lock().unwrap();
    assert_eq!(epochs.len(), 2_000, "one event for each transition");
    assert!(epochs.windows(2).all(|pair| pair[1] == pair[0] + 1), "out of order: {epochs:?}");
}

#[test]
fn the_stream_of_a_living_circuit_does_not_end() {
    let (circuit, _clock) = manual(THREE);
    let mut events = circuit.subscribe();
    assert!(events.next().now_or_never().is_none(), "nothing has happened yet");
    circuit.force_open();
    assert!(matches!(events.next().now_or_never(), Some(Some(Ok(Event::ModeChanged { .. })))));
}

/// A clock is code of the user too: this one looks at the circuit each time it is read.
#[derive(Debug, Default)]
struct Curious {
    circuit: OnceLock<Circuit>,
    looking: AtomicBool,
}

#[derive(Debug)]
struct Shared(Arc<Curious>);

impl Clock for Shared {
    fn now(&self) -> Instant {
        // Looking reads the clock again.
        if !self.0.looking.swap(true, Ordering::SeqCst) {
            let _ = self.0.circuit.get().map(Circuit::state);
            self.0.looking.store(false, Ordering::SeqCst);
        }
        Instant::ZERO.after(SECOND)
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn the_clock_is_read_under_no_lock() {
    type Use = fn(&Circuit);
    let uses: [(&str, Use); 9] = [
        ("a call", |circuit| record(circuit, Outcome::Success, 1)),
        ("a trip", trip),
        ("a rejection", |circuit| {
            trip(circuit);
            assert!(circuit.try_acquire().is_err() && circuit.check().is_err());
        }),
        ("the mode", |circuit| assert_eq!(circuit.mode(), Mode::Auto)),
        ("a force", Circuit::force_open),
        ("a reset", Circuit::reset),
        ("other settings", |circuit| drop(circuit.reconfigure(THREE))),
        ("a wait", |circuit| {
            trip(circuit);
            assert!(circuit.until_ready().now_or_never().is_none());
        }),
        ("a snapshot", |circuit| drop(circuit.snapshot())),
    ];
    for (name, with) in uses {
        let curious = Arc::new(Curious::default());
        let clock = Shared(Arc::clone(&curious));
        let circuit = Circuit::builder("test").config(THREE).clock(clock).build().unwrap();
        assert!(curious.circuit.set(circuit.clone()).is_ok());
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            with(&circuit);
            let _ = done.send(());
        });
        assert!(is_done.recv_timeout(PATIENCE / 2).is_ok(), "a deadlock in {name}");
    }
}
