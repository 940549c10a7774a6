//! Half-open: never more probes than allowed, no slot lost, none given back twice.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tower_breaker::{Config, Outcome, Permit, State, config::HalfOpen};

use crate::support::{SECOND, World, at_once, bounded, failure, in_full, run_of, steps};

/// Half-open with so many probes at once; it takes more successes than a model makes to close it.
fn probing(probes: u32) -> Config {
    run_of(1).half_open(HalfOpen::new().max_concurrent_probes(probes).success_threshold(100).ignored_as_alive(0))
}

/// A circuit whose wait is over, so that the next call is the first probe.
fn before_the_probe(config: Config) -> World {
    let world = World::new(config);
    world.trip();
    world.time.advance(SECOND);
    world
}

/// How many probes are under way, and the most that there were.
#[derive(Default)]
struct Live(AtomicU32, AtomicU32);

impl Live {
    fn probe(&self, world: &World, end: impl FnOnce(Permit)) {
        let Ok(permit) = world.circuit.try_acquire() else { return };
        assert!(permit.is_probe());
        self.1.fetch_max(self.0.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        // Plain atomics, which loom does not see: it changes threads at the lock that comes next.
        self.0.fetch_sub(1, Ordering::Relaxed);
        end(permit);
    }

    fn most(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }
}

/// Peers: f01, r03. Property P9.
#[test]
fn of_three_that_come_when_the_wait_is_over_no_more_pass_than_allowed() {
    for allowed in [1, 2] {
        bounded(move || {
            let world = before_the_probe(probing(allowed));
            let (live, kept) = (Arc::new(Live::default()), Arc::new(std::sync::Mutex::new(Vec::new())));
            let comes = || {
                let (world, live, kept) = (world.clone(), Arc::clone(&live), Arc::clone(&kept));
                steps(move || live.probe(&world, |permit| kept.lock().expect("no panic under it").push(permit)))
            };
            at_once([comes(), comes(), comes()]);
            let probes = std::mem::take(&mut *kept.lock().expect("no panic under it"));
            assert_eq!(probes.len(), allowed as usize);
            assert_eq!(world.circuit.snapshot().in_flight, allowed);
            drop(probes);
            assert_eq!((world.circuit.snapshot().in_flight, world.circuit.state()), (0, State::HalfOpen));
            assert_eq!(world.went_to(), [State::Open, State::HalfOpen]);
            assert_eq!(world.circuit.snapshot().ledger.rejected, u64::from(3 - allowed));
        });
    }
}

/// They give their slots back at once, by each way in which a probe can end without a verdict.
#[test]
fn probes_that_come_and_go_are_never_more_at_once_than_allowed() {
    for allowed in [1, 2] {
        bounded(move || {
            let world = before_the_probe(probing(allowed));
            let live = Arc::new(Live::default());
            let comes = |end: fn(Permit)| {
                let (world, live) = (world.clone(), Arc::clone(&live));
                steps(move || live.probe(&world, end))
            };
            at_once([
                comes(drop),
                comes(|probe| probe.record(Outcome::Ignored)),
                comes(|p| p.record(Outcome::Success)),
            ]);
            assert!((1..=allowed).contains(&live.most()));
            let probes: Vec<_> = (0..5).filter_map(|_| world.circuit.try_acquire().ok()).collect();
            assert_eq!(probes.len(), allowed as usize, "each slot is there once");
        });
    }
}

#[test]
fn a_dropped_probe_frees_its_slot_for_whoever_asks_meanwhile_or_next() {
    in_full(|| {
        let world = before_the_probe(probing(1));
        let (probe, asks) = (world.acquire(), world.clone());
        let got = Arc::new(std::sync::Mutex::new(None));
        let gets = Arc::clone(&got);
        at_once([
            steps(|| drop(probe)),
            steps(move || *gets.lock().expect("no panic under it") = asks.circuit.try_acquire().ok()),
        ]);
        let mut got = got.lock().expect("no panic under it").take();
        assert_eq!(world.circuit.try_acquire().is_ok(), got.is_none(), "there is one slot, and it is there");
        drop(got.take());
        assert!(world.circuit.try_acquire().is_ok());
        let ledger = world.ledger_of(4);
        assert_eq!((ledger.cancelled, ledger.rejected), (3, 1));
    });
}

/// Property P8.
#[test]
fn a_probe_of_an_earlier_half_open_that_is_dropped_frees_no_slot_of_this_one() {
    in_full(|| {
        let world = before_the_probe(probing(2));
        let (old, fails) = (world.acquire(), world.acquire());
        fails.record(failure());
        world.time.advance(SECOND);
        let (a, b) = (world.acquire(), world.acquire());
        let (asks, refused) = (world.clone(), Arc::new(AtomicU32::new(0)));
        let counts = Arc::clone(&refused);
        at_once([
            steps(|| drop(old)),
            steps(move || _ = counts.fetch_add(u32::from(asks.circuit.try_acquire().is_err()), Ordering::Relaxed)),
        ]);
        assert_eq!(refused.load(Ordering::Relaxed), 1, "both slots are lent");
        drop((a, b));
        assert_eq!(world.circuit.snapshot().in_flight, 0);
        assert_eq!(world.ledger_of(5).late, 1);
    });
}

#[test]
fn a_result_that_races_the_end_of_its_lease_decides_or_leaves_its_slot_to_the_next() {
    for outcome in [Outcome::Success, failure()] {
        in_full(move || {
            let lease = HalfOpen::new().probe_timeout(SECOND);
            let world = before_the_probe(run_of(1).half_open(lease));
            let (probe, asks) = (world.acquire(), world.clone());
            let kept = Arc::new(std::sync::Mutex::new(None));
            let keeps = Arc::clone(&kept);
            at_once([
                steps(move || probe.record(outcome)),
                steps(move || {
                    asks.time.advance(SECOND);
                    *keeps.lock().expect("no panic under it") = asks.circuit.try_acquire().ok();
                }),
            ]);
            let next = kept.lock().expect("no panic under it").take();
            let snapshot = world.circuit.snapshot();
            let is_probe = next.as_ref().map(Permit::is_probe);
            if snapshot.ledger.late == 1 {
                assert_eq!((snapshot.state, is_probe), (State::HalfOpen, Some(true)), "it decided nothing");
                assert_eq!(snapshot.in_flight, 1);
            } else if outcome == Outcome::Success {
                assert_eq!((snapshot.state, is_probe, snapshot.in_flight), (State::Closed, Some(false), 0));
            } else {
                // Whoever asks is rejected, or came when the next wait was over too.
                assert_eq!(snapshot.ledger.failed, 2);
                assert!(matches!((snapshot.state, is_probe), (State::Open, None) | (State::HalfOpen, Some(true))));
            }
            drop(next);
            world.went_to();
            assert_eq!(world.circuit.snapshot().in_flight, 0);
        });
    }
}

#[test]
fn two_probes_that_end_at_once_make_one_verdict() {
    for (a, b) in [(Outcome::Success, Outcome::Success), (Outcome::Success, failure()), (failure(), failure())] {
        in_full(move || {
            let half_open = HalfOpen::new().max_concurrent_probes(2).success_threshold(2);
            let world = before_the_probe(run_of(1).half_open(half_open));
            let (first, second) = (world.acquire(), world.acquire());
            at_once([steps(move || first.record(a)), steps(move || second.record(b))]);
            let end = if a == b && a == Outcome::Success { State::Closed } else { State::Open };
            assert_eq!(world.went_to(), [State::Open, State::HalfOpen, end]);
            world.ledger_of(3);
        });
    }
}

/// Peers: A13. Property P7.
#[test]
fn a_failure_of_the_closed_era_says_nothing_about_a_probe() {
    in_full(|| {
        let world = World::new(run_of(1));
        let old = world.acquire();
        world.trip();
        world.time.advance(SECOND);
        let probes = world.clone();
        at_once([steps(|| old.record(failure())), steps(move || probes.acquire().record(Outcome::Success))]);
        assert_eq!(world.went_to(), [State::Open, State::HalfOpen, State::Closed]);
        let ledger = world.ledger_of(3);
        assert_eq!((ledger.late, ledger.failed, ledger.succeeded), (1, 1, 1));
    });
}
