//! Those who wait are woken: none looks just before a change and sleeps through it.

use std::{
    convert::Infallible,
    future::{Future, Ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tower::{Layer, Service};
use tower_breaker::{Circuit, CircuitBreakerLayer, Outcome, State, classify::ErrorsAsFailures, config::HalfOpen};

use crate::support::{SECOND, World, at_once, in_full, run_of, steps, tripping};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the circuit is ready, while another thread does this. It is ready then.
fn waits_while(world: &World, change: impl FnOnce() + Send + 'static) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let circuit = world.circuit.clone();
    let mut waiting = pin!(circuit.until_ready());
    let other = loom::thread::spawn(change);
    let first = waiting.as_mut().poll(&mut Context::from_waker(&waker));
    other.join().expect("it does not panic");
    if first.is_pending() {
        assert!(woken.0.load(Ordering::Relaxed), "it sleeps, and nobody wakes it");
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
}

#[test]
fn whoever_waits_is_woken_by_an_operator() {
    for change in [Circuit::auto, Circuit::force_closed, Circuit::disable, Circuit::metrics_only] {
        in_full(move || {
            let world = World::new(run_of(1));
            world.circuit.force_open();
            let operator = world.circuit.clone();
            waits_while(&world, move || change(&operator));
        });
    }
}

#[test]
fn whoever_waits_is_woken_by_a_reset() {
    in_full(|| {
        let world = World::new(run_of(1));
        world.trip();
        let operator = world.circuit.clone();
        waits_while(&world, move || operator.reset());
    });
}

#[test]
fn whoever_waits_for_a_slot_is_woken_when_a_probe_ends() {
    for outcome in [None, Some(Outcome::Ignored), Some(Outcome::Success)] {
        in_full(move || {
            let world = World::new(run_of(1).half_open(HalfOpen::new().ignored_as_alive(0)));
            world.trip();
            world.time.advance(SECOND);
            let probe = world.acquire();
            waits_while(&world, move || match outcome {
                None => drop(probe),
                Some(outcome) => probe.record(outcome),
            });
        });
    }
}

/// Other settings are no event, and an end of a mode that had none is not either.
#[test]
fn whoever_waits_is_woken_by_what_is_no_event() {
    in_full(|| {
        let one = HalfOpen::new().success_threshold(3);
        let world = World::new(run_of(1).half_open(one));
        world.trip();
        world.time.advance(SECOND);
        let probe = world.acquire();
        let operator = world.circuit.clone();
        let two = run_of(1).half_open(one.max_concurrent_probes(2));
        waits_while(&world, move || operator.reconfigure(two).expect("within bounds"));
        drop(probe);
    });
}

/// A service that is never ready.
struct Busy;

impl Service<()> for Busy {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, (): ()) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

/// A caller that waits for a busy service is let go when the circuit opens.
#[test]
fn whoever_waits_for_a_busy_service_is_woken_by_the_opening() {
    in_full(|| {
        let world = World::new(run_of(1));
        let trips = world.acquire();
        let layer = CircuitBreakerLayer::with_classifier(world.circuit.clone(), ErrorsAsFailures::new());
        let mut service = layer.reply_with(|(), _| ()).layer(Busy);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let other = loom::thread::spawn(|| trips.record(tripping()));
        let first = service.poll_ready(&mut Context::from_waker(&waker));
        other.join().expect("it does not panic");
        assert_eq!(world.circuit.state(), State::Open);
        if first.is_pending() {
            assert!(woken.0.load(Ordering::Relaxed), "it sleeps, and nobody wakes it");
            assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_ready());
        }
    });
}

#[test]
fn one_who_gives_up_takes_nobody_elses_wake_up_away() {
    in_full(|| {
        let world = World::new(run_of(1));
        world.circuit.force_open();
        let (other, operator) = (world.clone(), world.circuit.clone());
        let waits = |world: World| {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let mut waiting = Box::pin(async move { world.circuit.until_ready().await });
            let pending = waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
            (waiting, woken, pending)
        };
        // Both wait before the change; the second gives up while it happens.
        let (first, second) = (waits(world.clone()), waits(other));
        assert!(first.2 && second.2);
        at_once([steps(move || drop(second.0)), steps(move || operator.auto())]);
        assert!(first.1.0.load(Ordering::Relaxed));
    });
}
