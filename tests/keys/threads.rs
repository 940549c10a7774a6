//! Many threads at one registry: one circuit for each key, and no call lost in one that is forgotten.

use std::{
    future::{Ready, ready},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures_util::FutureExt;
use tower::{Layer, Service, service_fn};
use tower_breaker::{
    Circuit, Failure, KeyedCircuitBreakerLayer, Outcome, Registry, State, classify::classify_fn, service::key_ref_fn,
};

use super::{THREE, call, registry};

const THREADS: usize = 8;

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

/// A call by the layer; it fails so that the circuit trips if it is told so.
fn call_by_layer(registry: &Registry, key: &str, trips: bool) {
    let judge = classify_fn(|result: Result<&(), &&str>| match result {
        Ok(()) => Outcome::Success,
        Err(_) => Failure::new().tripping().into(),
    });
    let by = key_ref_fn(|(key, _): &(String, bool)| Some(key.as_str()));
    let answer = |(_, trips): (String, bool)| -> Ready<Result<(), &'static str>> {
        ready(if trips { Err("as it was told") } else { Ok(()) })
    };
    let layer = KeyedCircuitBreakerLayer::with_classifier(registry.clone(), by, judge);
    let mut service = layer.layer(service_fn(answer));
    let answer = service.call((key.to_owned(), trips)).now_or_never().expect("an answer");
    assert_eq!(answer.is_err(), trips);
}

#[test]
fn threads_that_ask_for_the_same_new_key_at_once_get_the_same_circuit() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    for round in 0..200 {
        let key = format!("{round}");
        at_once(|number| {
            if number % 2 == 0 {
                call(&tenants, &key, Outcome::Success);
            } else {
                call_by_layer(&tenants, &key, false);
            }
        });
        let ledger = tenants.find(&key).expect("it is there").snapshot().ledger;
        assert_eq!(ledger.succeeded, THREADS as u64, "all calls are in one circuit");
    }
    assert_eq!(tenants.len(), 200);
}

/// A circuit that was asked for once may go whenever room is needed: also while the second call is on its way to it.
#[test]
fn no_failure_is_lost_in_a_circuit_that_is_forgotten() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(16));
    let (made, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    at_once(|number| {
        for round in 0..4_000 {
            let key = format!("{number} {round}");
            if number % 4 != 0 {
                // New keys, so that others are forgotten.
                call_by_layer(&tenants, &key, false);
                continue;
            }
            call_by_layer(&tenants, &key, false);
            thread::yield_now();
            let before = tenants.overflow().snapshot().ledger.failed;
            call_by_layer(&tenants, &key, true);
            made.fetch_add(1, Ordering::Relaxed);
            let found = tenants.find(&key);
            match found.map(|circuit| circuit.state()) {
                Some(State::Open) => {
                    kept.fetch_add(1, Ordering::Relaxed);
                    tenants.remove(&key);
                }
                other => {
                    let overflowed = tenants.overflow().snapshot().ledger.failed > before;
                    assert!(overflowed, "the failure of {key} is nowhere: {other:?}");
                }
            }
        }
    });
    let (made, kept) = (made.into_inner(), kept.into_inner());
    assert!(kept > made / 2, "{kept} of {made}: most of them overflowed, so this test says little");
}

#[test]
fn circuits_come_and_go_while_they_are_asked_for() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(100));
    at_once(|number| {
        for round in 0..2_000 {
            let key = format!("{}", round % 50);
            match number {
                0 => drop(tenants.remove(&key)),
                1 => drop(tenants.insert(key, Circuit::builder("own").build().unwrap())),
                2 => assert!(tenants.circuits().len() <= 100),
                _ => call_by_layer(&tenants, &key, false),
            }
        }
    });
    (0..50).for_each(|key| drop(tenants.remove(&key.to_string())));
    assert!(tenants.is_empty());
}
