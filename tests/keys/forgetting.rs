//! Which circuits are forgotten, and which never are.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tower_breaker::{
    Config, Mode, Outcome, Registry, State,
    config::{FailureCount, FailureRate, Probing, Window},
    machine::Event,
};

use super::{IDLE, MINUTE, SECOND, THREE, call, registry, strangers, trip};

/// Lets the time pass after which a circuit is idle, and new keys come, so that the books are looked at.
fn long_after(registry: &Registry, clock: &tower_breaker::clock::ManualClock) {
    strangers(registry, "before", 10);
    clock.advance(IDLE);
    strangers(registry, "after", 10);
}

#[test]
fn a_circuit_that_nobody_asks_for_is_forgotten() {
    let (tenants, clock) = registry(THREE, |builder| builder);
    call(&tenants, "once", Outcome::Success);
    (0..5).for_each(|_| call(&tenants, "often", Outcome::Success));
    strangers(&tenants, "before", 10);
    clock.advance(IDLE - SECOND);
    strangers(&tenants, "meanwhile", 10);
    assert!(tenants.find("once").is_some(), "the last question that this test asks");
    for n in 0..2 {
        clock.advance(IDLE);
        strangers(&tenants, &format!("after {n}"), 20);
    }
    assert!(tenants.find("often").is_none());
    assert!(tenants.len() <= 40, "{}", tenants.len());
}

#[test]
fn a_circuit_that_is_asked_for_now_and_then_is_kept() {
    let (tenants, clock) = registry(THREE, |builder| builder);
    for n in 0..20 {
        call(&tenants, "live", Outcome::Success);
        strangers(&tenants, &n.to_string(), 20);
        clock.advance(IDLE - SECOND);
    }
    assert_eq!(tenants.find("live").expect("it is kept").snapshot().ledger.succeeded, 20);
}

#[test]
fn an_open_circuit_is_kept_until_its_probe_is_due_and_nobody_comes() {
    let (tenants, clock) = registry(THREE, |builder| builder.forget_after(SECOND));
    let open = Config::without_rules().probing(Probing::fixed(MINUTE));
    tenants.circuit("bad").reconfigure(open).unwrap();
    trip(&tenants, "bad");
    clock.advance(30 * SECOND);
    strangers(&tenants, "before", 50);
    clock.advance(29 * SECOND);
    strangers(&tenants, "a", 50);
    assert!(tenants.circuits().iter().any(|(key, _)| **key == "bad"), "its probe is not due");
    clock.advance(2 * SECOND);
    strangers(&tenants, "b", 50);
    assert!(tenants.circuits().iter().all(|(key, _)| **key != "bad"));
}

#[test]
fn half_open_and_recovering_circuits_are_kept_while_calls_come() {
    let (tenants, clock) = registry(Config::new(), |builder| builder);
    for (key, state) in [("half-open", State::HalfOpen), ("recovering", State::Recovering)] {
        let circuit = tenants.circuit(key);
        trip(&tenants, key);
        clock.advance(MINUTE);
        let probe = circuit.try_acquire().unwrap();
        if state == State::Recovering {
            probe.record(Outcome::Success);
        } else {
            drop(probe);
        }
        assert_eq!(circuit.state(), state);
    }
    strangers(&tenants, "before", 10);
    clock.advance(IDLE - SECOND);
    strangers(&tenants, "after", 10);
    let states: Vec<_> = ["half-open", "recovering"].map(|key| tenants.find(key).map(|found| found.state())).into();
    assert_eq!(states, [Some(State::HalfOpen), Some(State::Recovering)]);
}

#[test]
fn a_circuit_with_a_call_under_way_is_kept() {
    let (tenants, clock) = registry(THREE, |builder| builder.capacity(5));
    let permit = tenants.circuit("busy").try_acquire().unwrap();
    long_after(&tenants, &clock);
    permit.record(Outcome::failure());
    assert_eq!(tenants.find("busy").expect("it is kept").snapshot().ledger.failed, 1);
}

#[test]
fn a_circuit_that_somebody_holds_or_waits_for_is_kept() {
    let (tenants, clock) = registry(THREE, |builder| builder.capacity(5));
    let held = tenants.circuit("held");
    long_after(&tenants, &clock);
    assert!(tenants.find("held").is_some());
    trip(&tenants, "waited for");
    let circuit = tenants.circuit("waited for");
    let mut waits = Box::pin(async move { circuit.until_ready().await });
    assert!(waits.as_mut().now_or_never().is_none());
    long_after(&tenants, &clock);
    assert!(tenants.find("waited for").is_some());
    drop((held, waits));
    long_after(&tenants, &clock);
    long_after(&tenants, &clock);
    assert!(tenants.find("held").is_none(), "let go of, it goes");
}

#[test]
fn a_circuit_in_a_mode_is_kept() {
    for mode in [Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly] {
        let (tenants, clock) = registry(THREE, |builder| builder.capacity(5));
        tenants.circuit("key").set_mode(mode, None);
        long_after(&tenants, &clock);
        long_after(&tenants, &clock);
        assert_eq!(tenants.find("key").map(|circuit| circuit.mode()), Some(mode));
        tenants.circuit("key").set_mode(mode, Some(MINUTE));
        long_after(&tenants, &clock);
        long_after(&tenants, &clock);
        assert!(tenants.find("key").is_none(), "the mode is over");
    }
}

/// The registry makes the next one in it, too.
#[test]
fn a_circuit_in_the_mode_that_all_are_made_in_is_forgotten_as_any_other_unless_it_is_open() {
    for mode in [Mode::MetricsOnly, Mode::Disabled] {
        let (tenants, clock) =
            registry(THREE, |builder| builder.capacity(5).each(move |_: &String, circuit| circuit.mode(mode)));
        tenants.circuit("key").try_acquire().expect("all pass").record(Outcome::Success);
        long_after(&tenants, &clock);
        long_after(&tenants, &clock);
        assert!(tenants.find("key").is_none(), "{mode:?}");
        assert_eq!(tenants.overflow().snapshot().ledger.succeeded, 0, "each newcomer found room");
    }
    for (wait, found) in [(2 * IDLE, None), (2 * IDLE + SECOND, Some(State::Open)), (9 * IDLE, Some(State::Open))] {
        let open = THREE.probing(Probing::fixed(wait));
        let (tenants, clock) = registry(open, |builder| builder.each(|_: &String, it| it.mode(Mode::MetricsOnly)));
        trip(&tenants, "open");
        long_after(&tenants, &clock);
        long_after(&tenants, &clock);
        strangers(&tenants, "at once", 100);
        assert_eq!(tenants.find("open").map(|circuit| circuit.state()), found, "would it reject? {wait:?}");
    }
}

#[test]
fn a_failure_is_remembered_as_long_as_a_rule_looks_back_on_it() {
    let hour = 60 * MINUTE;
    let rate = FailureRate::new(0.5).window(Window::time(hour));
    for config in [
        Config::without_rules().failure_rate(rate),
        Config::without_rules().burst(rate),
        Config::without_rules().failure_count(FailureCount::new(5, hour)),
    ] {
        let (tenants, clock) = registry(config, |builder| builder);
        call(&tenants, "bad", Outcome::failure());
        call(&tenants, "good", Outcome::Success);
        long_after(&tenants, &clock);
        let has = |key: &str| tenants.circuits().iter().any(|(kept, _)| **kept == key);
        assert_eq!((has("bad"), has("good")), (true, false), "{config:?}");
        clock.advance(hour);
        strangers(&tenants, "later", 40);
        assert!(!has("bad"), "{config:?}");
    }
}

#[test]
fn where_there_is_no_room_newcomers_go_and_those_who_came_back_stay() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(10));
    for _ in 0..2 {
        ["a", "b", "c"].iter().for_each(|key| call(&tenants, key, Outcome::Success));
    }
    call(&tenants, "failed once", Outcome::failure());
    strangers(&tenants, "x", 1_000);
    assert_eq!(tenants.len(), 10);
    assert_eq!(tenants.overflow().snapshot().ledger.ended(), 0, "there was always room");
    for key in ["a", "b", "c", "failed once"] {
        assert!(tenants.find(key).is_some(), "{key}");
    }
}

#[test]
fn where_nobody_may_be_forgotten_calls_pass_by_the_overflow() {
    let (tenants, clock) = registry(THREE, |builder| builder.capacity(4));
    for key in ["a", "b", "c", "d"] {
        trip(&tenants, key);
    }
    for n in 0..100 {
        call(&tenants, &format!("{n}"), Outcome::failure());
    }
    let overflow = tenants.overflow().snapshot();
    assert_eq!((overflow.ledger.failed, overflow.state), (100, State::Open), "it knows, and lets them pass");
    assert_eq!((tenants.len(), overflow.ledger.would_reject), (4, 97));
    assert!(tenants.circuit("a").try_acquire().is_err(), "those who are there notice nothing");
    clock.advance(IDLE);
    strangers(&tenants, "later", 100);
    assert!(tenants.overflow().snapshot().ledger.ended() < 110, "when there is room again, it is used");
}

#[test]
fn a_capacity_of_nothing_is_the_overflow_alone() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(0));
    strangers(&tenants, "x", 10);
    assert_eq!((tenants.len(), tenants.overflow().snapshot().ledger.succeeded), (0, 10));
}

#[test]
fn a_second_is_the_shortest_time_after_which_one_is_forgotten() {
    let (tenants, clock) = registry(THREE, |builder| builder.forget_after(Duration::ZERO));
    (0..2).for_each(|_| call(&tenants, "key", Outcome::Success));
    strangers(&tenants, "before", 20);
    clock.advance(SECOND - Duration::from_millis(1));
    strangers(&tenants, "after", 20);
    assert!(tenants.circuits().iter().any(|(key, _)| **key == "key"));
}

/// A closure or an observer may do what it likes, such as ask the registry.
#[test]
fn circuits_are_made_and_dropped_outside_the_lock() {
    static TENANTS: OnceLock<Registry> = OnceLock::new();
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Asks;
    impl Drop for Asks {
        fn drop(&mut self) {
            TENANTS
                .get()
                .expect("made")
                .insert("dropped".into(), tower_breaker::Circuit::builder("x").build().unwrap());
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (tenants, _clock) = registry(THREE, |builder| {
        builder.capacity(10).each(|key: &String, circuit| {
            if key != "inner" {
                TENANTS.get().expect("made").circuit("inner");
            }
            let asks = Arc::new(Asks);
            circuit.observe(move |_: &Event| {
                let _ = &asks;
            })
        })
    });
    let tenants = TENANTS.get_or_init(|| tenants);
    strangers(tenants, "x", 500);
    tenants.remove("inner");
    assert!(DROPPED.load(Ordering::SeqCst) > 400, "{DROPPED:?}");
}
