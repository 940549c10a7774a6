//! Many threads at one circuit: one transition, no probe too many, and a ledger that adds up.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use tower::{Service, ServiceExt};
use tower_breaker::{
    Circuit, Config, Outcome, State,
    clock::ManualClock,
    config::{Consecutive, FailureRate, HalfOpen, Probing, Recovery, RecoveryWindow, Window},
    machine::Event,
};

use crate::support::{
    SECOND, THREE, acquire, circuit,
    fake::{Answer, guarded},
    manual, trip,
};

const THREADS: usize = 8;

/// Lets all threads run at once.
fn at_once(run: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, run) = (&start, &run);
            scope.spawn(move || {
                start.wait();
                run(number);
            });
        }
    });
}

/// How often the circuit has changed its state since the subscription.
fn transitions(events: &mut tower_breaker::circuit::Events) -> usize {
    std::iter::from_fn(|| events.try_next()).filter(|event| matches!(event, Ok(Event::Transition(_)))).count()
}

#[test]
fn many_threads_that_fail_at_once_open_it_once() {
    let rate = FailureRate::new(0.5).minimum_calls(100);
    let count = FailureRate::new(0.5).minimum_calls(100).window(Window::count(100));
    let rules = [
        Config::without_rules().consecutive_failures(Consecutive::new(100)),
        Config::without_rules().failure_rate(rate),
        Config::without_rules().failure_rate(count),
        Config::new(),
    ];
    for config in rules {
        for _ in 0..20 {
            let (circuit, _clock) = manual(config);
            let mut events = circuit.subscribe();
            let admitted = AtomicU64::new(0);
            at_once(|_| {
                while let Ok(permit) = circuit.try_acquire() {
                    admitted.fetch_add(1, Ordering::Relaxed);
                    permit.record(Outcome::failure());
                }
            });
            assert_eq!(transitions(&mut events), 1, "one outage, one event");
            let snapshot = circuit.snapshot();
            assert_eq!((snapshot.state, snapshot.times_opened), (State::Open, 1));
            assert_eq!(snapshot.ledger.ended(), admitted.into_inner(), "{:?}", snapshot.ledger);
            assert_eq!(snapshot.ledger.rejected, THREADS as u64);
        }
    }
}

#[test]
fn successes_of_many_threads_are_all_counted() {
    const EACH: u64 = 5_000;
    let all = EACH * THREADS as u64;
    for window in [Window::DEFAULT, Window::count(100_000)] {
        let rate = FailureRate::new(0.5).window(window);
        let (circuit, _clock) = manual(Config::without_rules().failure_rate(rate));
        at_once(|_| (0..EACH).for_each(|_| acquire(&circuit).record(Outcome::Success)));
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.window.calls, snapshot.ledger.succeeded), (all, all), "{window:?}");
    }
}

#[test]
fn one_failure_among_many_successes_is_not_lost() {
    for _ in 0..50 {
        let rate = FailureRate::new(0.01).minimum_calls(20).window(Window::count(1_000));
        let (circuit, _clock) = manual(Config::without_rules().failure_rate(rate));
        at_once(|number| {
            for i in 0..50 {
                let outcome = if number == 3 && i == 49 { Outcome::failure() } else { Outcome::Success };
                if let Ok(permit) = circuit.try_acquire() {
                    permit.record(outcome);
                }
            }
        });
        let failures = circuit.snapshot().window.failures;
        assert!((failures - 1.0).abs() < 1e-9, "{failures} failures in the window");
    }
}

/// Peers: f01, r03.
#[test]
fn never_more_probes_at_once_than_allowed() {
    let half_open = HalfOpen::new().max_concurrent_probes(3).success_threshold(10_000).ignored_as_alive(0);
    let (circuit, _clock) = manual(THREE.half_open(half_open).initial_state(State::HalfOpen));
    let (live, most, made) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    at_once(|number| {
        for _ in 0..3_000 {
            let Ok(probe) = circuit.try_acquire() else { continue };
            most.fetch_max(live.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            made.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            live.fetch_sub(1, Ordering::SeqCst);
            if number % 2 == 0 { probe.record(Outcome::Ignored) } else { drop(probe) }
        }
    });
    assert!(most.into_inner() <= 3);
    assert!(made.into_inner() > 3, "slots that are given back are lent again");
    assert_eq!(circuit.state(), State::HalfOpen);
}

#[test]
fn no_more_probes_go_than_can_be_needed() {
    for _ in 0..50 {
        let half_open = HalfOpen::new().max_concurrent_probes(100).success_threshold(5);
        let (circuit, _clock) = manual(THREE.half_open(half_open).initial_state(State::HalfOpen));
        let probes = std::sync::Mutex::new(Vec::new());
        at_once(|_| {
            for _ in 0..10 {
                if let Ok(probe) = circuit.try_acquire() {
                    probes.lock().expect("no panic under the lock").push(probe);
                }
            }
        });
        let probes = probes.into_inner().unwrap();
        assert_eq!(probes.len(), 5);
        probes.into_iter().for_each(|probe| probe.record(Outcome::Success));
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[test]
fn of_many_threads_that_come_when_the_wait_is_over_one_is_the_probe() {
    let (circuit, clock) = manual(THREE);
    for _ in 0..200 {
        trip(&circuit);
        clock.advance(SECOND);
        let probes = std::sync::Mutex::new(Vec::new());
        at_once(|_| {
            if let Ok(probe) = circuit.try_acquire() {
                probes.lock().expect("no panic under the lock").push(probe);
            }
        });
        let mut probes = probes.into_inner().unwrap();
        assert_eq!(probes.len(), 1);
        probes.pop().unwrap().record(Outcome::Success);
    }
}

#[test]
fn a_recovery_lets_no_more_threads_pass_than_its_window() {
    for _ in 0..50 {
        let recovery = Recovery::Window(RecoveryWindow::new());
        let (circuit, _clock) = manual(THREE.recovery(recovery).initial_state(State::Recovering));
        let permits = std::sync::Mutex::new(Vec::new());
        at_once(|_| {
            if let Ok(permit) = circuit.try_acquire() {
                permits.lock().expect("no panic under the lock").push(permit);
            }
        });
        assert_eq!(permits.into_inner().unwrap().len(), 2, "the window begins with two");
    }
}

/// A small generator with a fixed seed for each thread.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn end(permit: tower_breaker::Permit, how: u64) {
    match how % 8 {
        0 => drop(permit),
        1 => permit.record(Outcome::Ignored),
        2..=4 => permit.record(Outcome::failure()),
        _ => permit.record(Outcome::Success),
    }
}

fn meddle(circuit: &Circuit, clock: &ManualClock, how: u64) {
    match how % 16 {
        0 => circuit.reset(),
        1 => circuit.force_open(),
        2 => circuit.force_closed(),
        3 => circuit.metrics_only(),
        4 => circuit.reconfigure(Config::new()).expect("the settings are within bounds"),
        5 => circuit.reconfigure(THREE).expect("the settings are within bounds"),
        6..=9 => circuit.auto(),
        _ => clock.advance(SECOND / 4),
    }
}

#[test]
fn the_ledger_adds_up_at_rest_whatever_happened_before() {
    let recovery = Recovery::Window(RecoveryWindow::new());
    let (circuit, clock) = manual(THREE.recovery(recovery).probing(Probing::fixed(SECOND / 8)));
    let (admitted, rejected) = (AtomicU64::new(0), AtomicU64::new(0));
    at_once(|number| {
        let mut seed = number as u64 + 1;
        let mut under_way = Vec::new();
        for _ in 0..5_000 {
            match circuit.try_acquire() {
                Ok(permit) => {
                    admitted.fetch_add(1, Ordering::Relaxed);
                    under_way.push(permit);
                }
                Err(_) => {
                    rejected.fetch_add(1, Ordering::Relaxed);
                }
            }
            if next(&mut seed) % 4 == 0 {
                under_way.drain(..).for_each(|permit| end(permit, next(&mut seed)));
            }
            if next(&mut seed) % 64 == 0 {
                meddle(&circuit, &clock, next(&mut seed));
            }
        }
    });
    let ledger = circuit.snapshot().ledger;
    assert_eq!(ledger.ended(), admitted.into_inner(), "{ledger:?}");
    assert_eq!(ledger.rejected, rejected.into_inner());
    assert!(ledger.late > 0 && ledger.rejected > 0 && ledger.succeeded > 0, "little has happened: {ledger:?}");
}

#[test]
fn a_circuit_works_after_whatever_happened_before() {
    let (circuit, clock) = manual(THREE);
    at_once(|number| {
        let mut seed = number as u64 + 100;
        for _ in 0..2_000 {
            if let Ok(permit) = circuit.try_acquire() {
                end(permit, next(&mut seed));
            }
            if next(&mut seed) % 16 == 0 {
                meddle(&circuit, &clock, next(&mut seed));
            }
        }
    });
    circuit.auto();
    circuit.reconfigure(THREE).unwrap();
    circuit.reset();
    for _ in 0..3 {
        assert_eq!(circuit.state(), State::Closed);
        acquire(&circuit).record(Outcome::failure());
    }
    assert!(circuit.try_acquire().is_err());
    clock.advance(SECOND);
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_snapshot_never_shows_a_state_without_its_reason() {
    let (circuit, _clock) = manual(THREE);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5_000 {
                trip(&circuit);
                circuit.reset();
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let snapshot = circuit.snapshot();
            assert_eq!(snapshot.reason.is_some(), snapshot.state == State::Open, "{snapshot:?}");
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_of_a_service_on_many_tasks_share_one_circuit() {
    let circuit = circuit(THREE.probing(Probing::fixed(3_600 * SECOND)));
    let mut events = circuit.subscribe();
    let (service, hand) = guarded(&circuit);
    hand.answer(Answer::Bad);
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let mut service = service.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    service
                        .ready()
                        .await
                        .expect("never by the breaker's doing")
                        .call(())
                        .await
                        .expect_err("bad or rejected");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let ledger = circuit.snapshot().ledger;
    assert_eq!(transitions(&mut events), 1);
    assert_eq!(ledger.ended(), hand.calls() as u64);
    assert_eq!(ledger.ended() + ledger.rejected, 64 * 20);
}
