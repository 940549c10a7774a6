//! Settings that other breakers accept and choke on, and what a circuit leaves behind.

use std::{sync::Arc, thread, time::Duration};

use tower::{Layer, Service};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Outcome, State,
    classify::ErrorsAsFailures,
    clock::ManualClock,
    config::{CancelledAfter, Consecutive, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Window},
    machine::Event,
};

use crate::support::{PRESETS, SECOND, THREE, acquire, fake::Fake, manual, record, trip};

fn is_refused(config: Config, field: &str) {
    let error = Circuit::builder("test").config(config).build().expect_err(field);
    let fields: Vec<_> = error.faults().iter().map(tower_breaker::config::Fault::field).collect();
    assert_eq!(fields, [field], "{error}");
}

/// Peers: d04, r02.
#[test]
fn nothing_where_something_is_needed_is_refused() {
    let rate = |window| THREE.failure_rate(FailureRate::new(0.5).minimum_calls(1).window(window));
    is_refused(THREE.half_open(HalfOpen::new().success_threshold(0)), "half_open.verdict.successes");
    is_refused(THREE.half_open(HalfOpen::new().failure_rate(0, 0.5)), "half_open.verdict.probes");
    is_refused(THREE.half_open(HalfOpen::new().max_concurrent_probes(0)), "half_open.max_concurrent_probes");
    is_refused(rate(Window::count(0)), "failure_rate.window");
    is_refused(rate(Window::time(Duration::ZERO)), "failure_rate.window");
    is_refused(rate(Window::DEFAULT.buckets(0)), "failure_rate.window");
    is_refused(THREE.consecutive_failures(Consecutive::new(0)), "consecutive_failures.failures");
    is_refused(THREE.failure_count(FailureCount::new(0, SECOND)), "failure_count.failures");
    is_refused(THREE.probing(Probing::fixed(Duration::ZERO)), "probing.wait");
}

/// Peers: d04, f03, f07.
#[test]
fn more_than_there_can_be_is_refused_and_does_not_panic() {
    let window = |window| THREE.failure_rate(FailureRate::new(0.5).window(window));
    is_refused(THREE.half_open(HalfOpen::new().success_threshold(u32::MAX)), "half_open.verdict.successes");
    is_refused(THREE.half_open(HalfOpen::new().max_concurrent_probes(u32::MAX)), "half_open.max_concurrent_probes");
    is_refused(THREE.consecutive_failures(Consecutive::new(u32::MAX)), "consecutive_failures.failures");
    is_refused(window(Window::count(u32::MAX)), "failure_rate.window");
    is_refused(window(Window::time(Duration::MAX)), "failure_rate.window");
    is_refused(window(Window::time(Duration::from_millis(4))), "failure_rate.window");
    is_refused(THREE.probing(Probing::fixed(Duration::MAX)), "probing.wait");
    is_refused(THREE.max_retry_after(Duration::MAX), "max_retry_after");
    is_refused(THREE.cancelled_after(CancelledAfter::After(Duration::MAX)), "cancelled_after");
}

/// Peers: r04.
#[test]
fn a_share_that_is_none_is_refused() {
    for share in [0.0, -0.5, 1.1, f64::NAN, f64::INFINITY] {
        is_refused(THREE.failure_rate(FailureRate::new(share)), "failure_rate.threshold");
        is_refused(THREE.half_open(HalfOpen::new().failure_rate(10, share)), "half_open.verdict.threshold");
    }
    is_refused(THREE.probing(Probing::Fixed { wait: SECOND, jitter: Jitter::Spread(f64::NAN) }), "probing.jitter");
}

/// Peers: f07. The longest that is allowed saturates and does not overflow.
#[test]
fn the_longest_durations_do_not_overflow() {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let half_open = HalfOpen::new().probe_timeout(year).max_wait(year);
    let (circuit, clock) =
        manual(THREE.probing(Probing::backoff(year, year)).half_open(half_open).max_retry_after(year));
    // The last year that there is: the end of the wait is beyond it.
    clock.advance(584 * year);
    trip(&circuit);
    assert!(circuit.try_acquire().is_err(), "the wait has wrapped around");
    circuit.force_open();
    circuit.auto();
    circuit.reset();
    assert!(circuit.try_acquire().is_ok());
}

/// Peers: f04.
#[test]
fn waits_below_a_second_are_what_they_say() {
    let (circuit, clock) = manual(THREE.probing(Probing::fixed(Duration::from_millis(50))));
    trip(&circuit);
    clock.advance(Duration::from_millis(49));
    assert!(circuit.try_acquire().is_err());
    clock.advance(Duration::from_millis(1));
    assert!(circuit.try_acquire().is_ok());
}

/// Peers: f04.
#[test]
fn jitter_is_spread_evenly_and_not_rounded() {
    let probing = Probing::Fixed { wait: SECOND, jitter: Jitter::Full };
    let mut quarters = [0; 4];
    for seed in 0..400 {
        let clock = ManualClock::new();
        let circuit = Circuit::builder("test").config(THREE.probing(probing)).seed(seed).clock(clock).build().unwrap();
        trip(&circuit);
        let wait = circuit.snapshot().retry_after.map_or(0.0, |wait| wait.as_secs_f64());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
        let quarter = (wait * 4.0) as usize;
        quarters[quarter.min(3)] += 1;
    }
    assert!(quarters.iter().all(|count| (60..140).contains(count)), "{quarters:?} of 400");
}

/// Without a seed of one's own two circuits do not come back in step.
#[test]
fn circuits_draw_different_waits_by_default() {
    let wait = || {
        let circuit = Circuit::builder("test").clock(ManualClock::new()).build().expect("the default settings");
        trip(&circuit);
        circuit.snapshot().retry_after
    };
    let first = wait();
    assert!((0..10).any(|_| wait() != first), "eleven circuits wait alike: {first:?}");
}

/// Peers: f11.
#[test]
fn a_clock_that_is_moved_on_one_thread_has_moved_on_all() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    thread::scope(|scope| {
        scope.spawn(|| clock.advance(SECOND)).join().expect("no panic");
        let probe = scope.spawn(|| circuit.try_acquire().is_ok()).join();
        assert!(probe.expect("no panic"), "another thread sees another time");
    });
}

/// Peers: r01.
#[test]
fn a_circuit_that_is_dropped_takes_everything_with_it() {
    let sentinel = Arc::new(());
    let held = Arc::clone(&sentinel);
    let circuit = Circuit::builder("test")
        .config(THREE)
        .clock(ManualClock::new())
        .observe(move |_: &Event| drop(Arc::clone(&held)))
        .build()
        .unwrap();
    let mut service =
        CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()).layer(Fake::new().0);
    let mut events = circuit.subscribe();
    for _ in 0..100 {
        circuit.reconfigure(Config::new()).unwrap();
        trip(&circuit);
        circuit.reset();
    }
    drop(service.call(()));
    let permit = acquire(&circuit);
    drop((circuit, service));
    assert_eq!(Arc::strong_count(&sentinel), 2, "a permit keeps the circuit alive");
    drop(permit);
    assert_eq!(Arc::strong_count(&sentinel), 1, "somebody still holds the circuit");
    let rest = std::iter::from_fn(|| events.try_next()).count();
    assert!(rest <= 65, "a stream keeps what it had and not the circuit");
}

/// The shipped settings are within their own bounds, and open on what they say.
#[test]
fn all_shipped_settings_build_and_open_on_a_total_outage() {
    for config in PRESETS {
        let (circuit, clock) = manual(config);
        let mut failures = 0;
        while circuit.state() == State::Closed {
            record(&circuit, Outcome::failure(), 1);
            clock.advance(SECOND / 20);
            failures += 1;
            assert!(failures <= 200, "{config:?}");
        }
    }
}
