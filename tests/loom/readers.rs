//! Those who look, and those who are told: no torn picture, nobody held up.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tower_breaker::{Circuit, Outcome, State, machine::Event};

use crate::support::{SECOND, Time, World, at_once, bounded, failure, in_full, run_of, steps};

/// Property P63.
#[test]
fn a_snapshot_is_of_one_instant() {
    bounded(|| {
        let world = World::new(run_of(2));
        world.record(failure(), 1);
        let (success, fails, reader) = (world.acquire(), world.acquire(), world.clone());
        let seen = Arc::new(Mutex::new(None));
        let sees = Arc::clone(&seen);
        at_once([
            steps(|| success.record(Outcome::Success)),
            steps(|| fails.record(failure())),
            steps(move || *sees.lock().expect("no panic under it") = Some(reader.circuit.snapshot())),
        ]);
        let seen = seen.lock().expect("no panic under it").take().expect("it looked");
        let open = seen.state == State::Open;
        assert!(open || seen.state == State::Closed);
        assert_eq!(seen.epoch, 1 + u64::from(open), "{seen:?}");
        assert_eq!(seen.times_opened, u64::from(open), "{seen:?}");
        assert_eq!(seen.reason.is_some(), open, "{seen:?}");
        assert_eq!(seen.retry_after, open.then_some(SECOND), "{seen:?}");
        assert_eq!(seen.outage.is_some(), open, "{seen:?}");
        assert!(!open || seen.ledger.failed == 2, "{seen:?}");
        if !open {
            let ended_run = seen.ledger.succeeded == 1;
            let least = if ended_run { 0.0 } else { seen.ledger.failed as f64 };
            assert!(seen.window.run >= least && seen.window.run <= 2.0 - f64::from(u8::from(ended_run)), "{seen:?}");
        }
    });
}

/// The numbers of a later snapshot are never smaller.
#[test]
fn two_looks_of_one_reader_never_go_back() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (success, fails, reader) = (world.acquire(), world.acquire(), world.clone());
        at_once([
            steps(|| {
                success.record(Outcome::Success);
                fails.record(failure());
            }),
            steps(move || {
                let (first, second) = (reader.circuit.snapshot(), reader.circuit.snapshot());
                assert!(second.epoch >= first.epoch);
                assert!(second.ledger.ended() >= first.ledger.ended());
                assert!(second.ledger.failed == 0 || second.ledger.succeeded == 1, "in the order of the calls");
            }),
        ]);
    });
}

#[test]
fn a_check_agrees_with_the_state_before_or_after_a_trip() {
    in_full(|| {
        let world = World::new(run_of(1));
        let (fails, looks) = (world.acquire(), world.clone());
        at_once([
            steps(|| fails.record(failure())),
            steps(move || {
                if let Err(rejected) = looks.circuit.check() {
                    assert_eq!(rejected.retry_after(), Some(SECOND), "the time goes with the state");
                    assert_eq!(looks.circuit.state(), State::Open);
                }
            }),
        ]);
        assert!(world.circuit.check().is_err());
        assert_eq!(world.circuit.snapshot().ledger.rejected, 0, "a look is no call");
    });
}

/// A circuit that is observed by what its own handle can be given to.
fn observed(observer: impl Fn(&Circuit, &Event) + Send + Sync + 'static) -> Circuit {
    let place: Arc<OnceLock<Circuit>> = Arc::default();
    let handle = Arc::clone(&place);
    let builder = Circuit::builder("model").config(run_of(1)).seed(7).clock(Time::default());
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
