//! Who listens to a registry is told which circuits come and go.

use std::sync::{Arc, Mutex, OnceLock};

use tower_breaker::{Circuit, Outcome, Registry, circuit::Events, registry::RegistryEvent};

use super::{IDLE, SECOND, THREE, call, registry};

fn own() -> Circuit {
    Circuit::builder("own").build().expect("the settings are good")
}

fn said(events: &mut Events<RegistryEvent>) -> Vec<String> {
    let next = || events.try_next();
    std::iter::from_fn(next).map(|event| event.expect("nothing is missed").to_string()).collect()
}

#[test]
fn what_comes_and_goes_is_told_in_order() {
    let (tenants, clock) = registry(THREE, |builder| builder);
    let mut events = tenants.subscribe();
    call(&tenants, "a", Outcome::Success);
    call(&tenants, "a", Outcome::Success);
    tenants.insert("b".to_owned(), own());
    tenants.insert("b".to_owned(), own());
    tenants.remove("b");
    tenants.remove("b");
    let expected =
        [r#""a" has been added"#, r#""b" has been added"#, r#""b" has been replaced"#, r#""b" has been removed"#];
    assert_eq!(said(&mut events), expected);

    // Each new key looks at those that are idle.
    for (key, wait) in [("c", IDLE), ("d", IDLE + SECOND), ("e", IDLE + SECOND)] {
        clock.advance(wait);
        call(&tenants, key, Outcome::Success);
    }
    let told = said(&mut events);
    assert!(told.iter().any(|event| event == r#""a" has been forgotten"#), "{told:?}");
    let forgotten = told.iter().filter(|event| event.ends_with("forgotten")).count();
    assert_eq!(forgotten as u64, tenants.forgotten().circuits, "those called `own` are not counted there");
}

#[test]
fn one_that_is_pushed_out_is_told_as_forgotten() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(1));
    let mut events = tenants.subscribe();
    call(&tenants, "a", Outcome::Success);
    call(&tenants, "b", Outcome::Success);
    assert_eq!(said(&mut events), [r#""a" has been added"#, r#""a" has been forgotten"#, r#""b" has been added"#]);
}

#[test]
fn a_slow_subscriber_is_told_how_much_it_missed() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let mut events = tenants.subscribe();
    for i in 0..100 {
        tenants.circuit(&i.to_string());
    }
    let missed = events.try_next().expect("there is something").expect_err("too slow");
    assert_eq!((missed.events(), said(&mut events).len()), (36, 64));
    drop(tenants);
    assert!(events.try_next().is_none(), "the registry is gone");
}

/// A listener holds no circuit, so those that nobody asks for are forgotten all the same.
#[test]
fn to_be_told_keeps_no_circuit_alive() {
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(1));
    let _events = tenants.subscribe();
    for i in 0..10 {
        call(&tenants, &i.to_string(), Outcome::Success);
    }
    assert_eq!((tenants.len(), tenants.overflow().snapshot().ledger.succeeded), (1, 0), "there was always room");
}

#[test]
fn an_observer_may_use_the_registry_and_one_that_panics_harms_nobody() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let registry: Arc<OnceLock<Registry>> = Arc::default();
    let (inside, log) = (Arc::clone(&registry), Arc::clone(&heard));
    let circuits = Registry::by_name()
        .observe(|event: &RegistryEvent| assert!(*event.key == *"never", "a test panics on purpose"))
        .observe(move |event: &RegistryEvent| {
            if *event.key == *"first" {
                inside.get().expect("it has been set").circuit("second");
            }
            log.lock().unwrap().push(event.to_string());
        })
        .build()
        .unwrap();
    assert!(registry.set(circuits.clone()).is_ok());
    circuits.circuit("first");
    circuits.circuit("third");
    let expected = [r#""first" has been added"#, r#""second" has been added"#, r#""third" has been added"#];
    assert_eq!((heard.lock().unwrap().as_slice(), circuits.len()), (&expected.map(String::from)[..], 3));
}

#[test]
fn among_threads_each_circuit_is_told_as_added_once() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&told);
    let observer = move |event: &RegistryEvent| log.lock().unwrap().push(String::clone(&event.key));
    let (tenants, _clock) = registry(THREE, |builder| builder.observe(observer));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|i| drop(tenants.circuit(&i.to_string()))));
        }
    });
    let mut told = told.lock().unwrap().clone();
    told.sort();
    let mut expected: Vec<_> = (0..50).map(|i| i.to_string()).collect();
    expected.sort();
    assert_eq!(told, expected);
}
