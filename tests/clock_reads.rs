//! How often a call looks at the clock: once at the most while all is well, and not at all where no rule asks for the time.
#![cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_breaker::{
    Circuit, Config, Failure, Instant, Outcome,
    clock::{Clock, Sleep},
    config::{Consecutive, FailureRate, Probing, Recovery, Window},
};

const CALLS: u64 = 12_800;

/// Stands still and counts the looks at it.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicU64>);

impl Clock for Counting {
    fn now(&self) -> Instant {
        self.0.fetch_add(1, Ordering::Relaxed);
        Instant::ZERO
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

/// The looks of so many calls, after some that warm up.
fn looks(config: Config, mut call: impl FnMut(&Circuit)) -> u64 {
    let clock = Counting::default();
    let circuit = Circuit::builder("it").config(config).clock(clock.clone()).build().expect("within bounds");
    (0..CALLS).for_each(|_| call(&circuit));
    let before = clock.0.load(Ordering::Relaxed);
    (0..CALLS).for_each(|_| call(&circuit));
    clock.0.load(Ordering::Relaxed) - before
}

fn success(circuit: &Circuit) {
    circuit.try_acquire().expect("closed").record(Outcome::Success);
}

/// Settings in which nothing but the rules may ask for the time.
fn bare() -> Config {
    Config::without_rules().probing(Probing::fixed(Duration::from_secs(1))).recovery(Recovery::Probes)
}

#[test]
fn a_healthy_call_reads_the_clock_once_at_the_most() {
    let looks = looks(Config::new(), success);
    // One call in 128 is timed, which takes two looks more.
    let samples = 2 * CALLS / 128;
    assert!(looks <= CALLS + samples && looks >= CALLS, "{looks} looks in {CALLS} calls");
}

#[test]
fn the_evidence_alone_reads_it_for_samples_only() {
    let looks = looks(Config::new().without_failure_rate(), success);
    assert_eq!(looks, 2 * CALLS / 128);
}

#[test]
fn where_no_rule_asks_for_the_time_nobody_looks() {
    let rate = FailureRate::new(0.5).window(Window::count(100));
    for config in [bare().failure_rate(rate), bare().consecutive_failures(Consecutive::new(5))] {
        assert_eq!(looks(config, success), 0, "{config:?}");
        assert_eq!(looks(config, |circuit| drop(circuit.try_acquire())), 0, "a call that is dropped");
    }
}

#[test]
fn a_rejection_reads_it_once() {
    let tripped = |circuit: &Circuit| match circuit.try_acquire() {
        Ok(permit) => permit.record(Failure::new().tripping()),
        Err(rejected) => assert!(rejected.retry_after().is_some()),
    };
    assert_eq!(looks(bare(), tripped), CALLS);
}
