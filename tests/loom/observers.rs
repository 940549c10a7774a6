//! Those who are told: in order, after it can be seen, and holding up nobody.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tower_breaker::{
    Circuit, Config, Mode, Outcome, State,
    config::{Recovery, RecoveryWindow},
    machine::Event,
};

use crate::support::{SECOND, Time, at_once, bounded, failure, in_full, run_of, steps, tripping};

/// A circuit that is observed by what its own handle can be given to.
fn observed(observer: impl Fn(&Circuit, &Event) + Send + Sync + 'static) -> Circuit {
    observed_at(Time::default(), observer)
}

fn observed_at(time: Time, observer: impl Fn(&Circuit, &Event) + Send + Sync + 'static) -> Circuit {
    let place: Arc<OnceLock<Circuit>> = Arc::default();
    let handle = Arc::clone(&place);
    let builder = Circuit::builder("model")
        .config(run_of(1).recovery(Recovery::Window(RecoveryWindow::new())))
        .seed(7)
        .clock(time);
    let builder = builder.observe(move |event: &Event| observer(handle.get().expect("it is there by now"), event));
    let circuit = builder.build().expect("the settings are within bounds");
    place.set(circuit.clone()).expect("nobody else");
    circuit
}

/// Property P6. An observer that looks finds the phase that it is told of, or a later one.
#[test]
fn an_event_is_told_after_it_can_be_seen_and_in_order() {
    in_full(|| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let circuit = observed(move |circuit, event| {
            if let Event::Transition(transition) = event {
                let seen = circuit.snapshot().epoch;
                tells.lock().expect("no panic under it").push((transition.epoch, seen));
            }
        });
        let (fails, resets) = (circuit.try_acquire().expect("closed"), circuit.clone());
        at_once([steps(|| fails.record(failure())), steps(move || resets.reset())]);
        let told = told.lock().expect("no panic under it");
        assert!(told.iter().all(|(epoch, seen)| seen >= epoch), "{told:?}");
        assert!(told.iter().map(|(epoch, _)| *epoch).eq(2..2 + told.len() as u64), "{told:?}");
        assert_eq!(told.len() as u64, circuit.snapshot().epoch - 1, "each is told once: {told:?}");
        drop(told);
    });
}

loom::thread_local! {
    /// Whether an observer blocks that this thread calls.
    static BLOCKS: Cell<bool> = Cell::new(false);
}

/// Properties P61 and P64: the observer blocks until another thread has done all that can be done with a circuit.
#[test]
fn an_observer_that_blocks_holds_up_nobody() {
    bounded(|| {
        let (go, told) = (Arc::new(loom::sync::Notify::new()), Arc::new(AtomicU64::new(0)));
        let (waits, counts) = (Arc::clone(&go), Arc::clone(&told));
        let circuit = observed(move |_, _| {
            counts.fetch_add(1, Ordering::Relaxed);
            if BLOCKS.with(|blocks| blocks.replace(false)) {
                waits.wait();
            }
        });
        let [success, fails, trips] = [(); 3].map(|()| circuit.try_acquire().expect("closed"));
        let works = circuit.clone();
        at_once([
            steps(|| {
                BLOCKS.with(|blocks| blocks.set(true));
                trips.record(failure());
            }),
            steps(move || {
                success.record(Outcome::Success);
                fails.record(failure());
                drop(works.try_acquire());
                let _ = (works.snapshot(), works.check());
                works.reset();
                works.force_open();
                works.auto();
                works.try_acquire().expect("it was reset").record(Outcome::Success);
                go.notify();
            }),
        ]);
        assert_eq!(told.load(Ordering::Relaxed), 4, "what happened meanwhile is told in the end");
    });
}

#[test]
fn an_observer_may_change_the_circuit_that_others_use() {
    in_full(|| {
        let circuit = observed(|circuit, event| {
            if matches!(event, Event::Transition(transition) if transition.to == State::Open) {
                circuit.reset();
                drop(circuit.try_acquire());
            }
        });
        let (a, b) = (circuit.try_acquire().expect("closed"), circuit.try_acquire().expect("closed"));
        at_once([steps(|| a.record(failure())), steps(|| b.record(failure()))]);
        assert_eq!(circuit.state(), State::Closed);
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.epoch, snapshot.times_opened), (3, 1), "one opening and its reset");
    });
}

/// All that can be done with a circuit.
const METHODS: [fn(&Circuit); 14] = [
    |circuit| drop(circuit.try_acquire()),
    |circuit| _ = circuit.try_acquire().map(|permit| permit.record(Outcome::Success)),
    |circuit| _ = circuit.try_acquire().map(|permit| permit.record(failure())),
    |circuit| _ = circuit.check(),
    |circuit| _ = (circuit.name().len(), circuit.state(), circuit.mode(), circuit.config()),
    |circuit| _ = (circuit.snapshot(), circuit.explain(), format!("{circuit:?}")),
    |circuit| drop(circuit.subscribe()),
    |circuit| _ = circuit.call_sync(|| Err::<(), _>("no")),
    |circuit| circuit.set_mode(Mode::ForcedOpen, Some(SECOND)),
    |circuit| circuit.set_mode(Mode::ForcedClosed, Some(SECOND)),
    |circuit| circuit.set_mode(Mode::MetricsOnly, Some(SECOND)),
    |circuit| circuit.auto(),
    Circuit::reset,
    |circuit| circuit.reconfigure(Config::new()).expect("within bounds"),
];

/// Property P61: if the observer were called under a lock, loom would find that nothing can go on.
#[test]
fn an_observer_may_call_every_method_at_every_event() {
    for method in METHODS {
        for turn in 0..6 {
            in_full(move || {
                let told = AtomicU64::new(0);
                let time = Time::default();
                let circuit = observed_at(time.clone(), move |circuit, _| {
                    if told.fetch_add(1, Ordering::Relaxed) == turn {
                        method(circuit);
                    }
                });
                // Open, half-open, recovering, forced, closed, and back to automatic.
                let call = |outcome: Outcome| drop(circuit.try_acquire().map(|permit| permit.record(outcome)));
                call(tripping());
                time.advance(SECOND);
                call(Outcome::Success);
                circuit.force_closed();
                circuit.auto();
                circuit.reset();
            });
        }
    }
}
