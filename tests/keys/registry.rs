//! What a registry finds, makes, takes in and gives back.

use std::{collections::BTreeSet, sync::Arc};

use tower_breaker::{
    Circuit, Config, KeyedCircuitBreaker, KeyedCircuitBreakerLayer, Mode, Outcome, Registry, State,
    classify::HttpClassifier,
    config::{Consecutive, FailureRate},
    registry::RegistryBuilder,
    service::{ByHeader, ByHost, Fail, KeyFn, KeyRefFn, Keyed, Single},
};

use super::{SECOND, THREE, call, registry, trip};

fn keys(registry: &Registry) -> BTreeSet<String> {
    registry.circuits().into_iter().map(|(key, _)| String::clone(&key)).collect()
}

#[test]
fn each_key_has_a_circuit_of_its_own_and_the_same_one_each_time() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    assert!(tenants.is_empty() && tenants.find("a").is_none());
    assert_eq!(trip(&tenants, "a").state(), State::Open);
    assert_eq!(tenants.circuit("b").state(), State::Closed);
    assert_eq!(tenants.circuit("a").state(), State::Open);
    assert_eq!(tenants.clone().find("a").expect("it is there").state(), State::Open, "a clone is the same registry");
    assert_eq!((keys(&tenants), tenants.len()), (["a", "b"].map(String::from).into(), 2));
}

#[test]
fn circuits_by_key_bear_the_name_of_the_registry() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    let rejected = trip(&tenants, "acme").try_acquire().unwrap_err();
    assert_eq!(rejected.circuit(), "keys");
    assert_eq!((tenants.name(), tenants.overflow().name()), ("keys", "keys: overflow"));
}

#[test]
fn circuits_by_name_bear_their_own_and_none_is_forgotten() {
    let circuits = Registry::by_name().capacity(3).build().unwrap();
    for name in ["payments", "search", "mail", "one too many"] {
        call(&circuits, name, Outcome::Success);
    }
    assert_eq!(keys(&circuits), ["payments", "search", "mail"].map(String::from).into());
    assert_eq!(circuits.circuit("payments").name(), "payments");
    assert_eq!(circuits.circuit("one too many").name(), circuits.overflow().name());
}

#[test]
fn a_key_may_be_of_any_type() {
    let shards = RegistryBuilder::new("shards").config(THREE).build().unwrap();
    shards.circuit(&7_u32).force_open();
    assert!(shards.circuit(&7).try_acquire().is_err() && shards.circuit(&8).try_acquire().is_ok());
    let pairs = RegistryBuilder::new("pairs").build().unwrap();
    pairs.circuit(&("eu", 1)).force_open();
    assert_eq!(pairs.find(&("eu", 1)).map(|circuit| circuit.mode()), Some(Mode::ForcedOpen));
}

#[test]
fn each_circuit_can_have_settings_of_its_own() {
    let strict = Config::new().consecutive_failures(Consecutive::new(2));
    let wrong = Config::new().failure_rate(FailureRate::new(7.0));
    let (tenants, _clock) = registry(THREE, |builder| {
        builder.each(move |key: &String, circuit| match key.as_str() {
            "strict" => circuit.config(strict),
            "watched" => circuit.mode(Mode::MetricsOnly),
            "wrong" => circuit.config(wrong).mode(Mode::ForcedOpen),
            _ => circuit,
        })
    });
    assert_eq!(tenants.circuit("strict").config(), strict);
    assert_eq!(tenants.circuit("watched").mode(), Mode::MetricsOnly);
    assert_eq!(tenants.circuit("other").config(), THREE);
    let fallen_back = tenants.circuit("wrong");
    assert_eq!((fallen_back.config(), fallen_back.mode()), (THREE, Mode::Auto), "the common settings");
}

#[test]
fn each_circuit_can_have_tags_of_its_own() {
    let (tenants, _clock) = registry(THREE, |builder| {
        builder.each(|key: &String, circuit| circuit.tag("plan", if key == "acme" { "gold" } else { "free" }))
    });
    assert_eq!(tenants.circuit("acme").tags().get("plan"), Some("gold"));
    assert_eq!(tenants.circuit("other").tags().iter().collect::<Vec<_>>(), [("plan", "free")]);
    assert!(tenants.overflow().tags().is_empty() && tenants.overflow().tags().get("plan").is_none());
}

#[test]
fn the_common_settings_are_checked_when_the_registry_is_made() {
    let wrong = Config::new().failure_rate(FailureRate::new(7.0));
    let error = Registry::by_key("keys").config(wrong).build().unwrap_err();
    assert_eq!(error.faults()[0].field(), "failure_rate.threshold");
}

#[test]
fn a_circuit_of_ones_own_takes_the_place_of_another() {
    let (tenants, clock) = registry(THREE, |builder| builder.capacity(1));
    let old = trip(&tenants, "a");
    let permit = tenants.circuit("b").try_acquire().unwrap();
    let own = Circuit::builder("own").config(THREE).clock(clock).build().unwrap();
    let was = tenants.insert("a".into(), own.clone()).expect("there was one");
    assert_eq!((was.state(), old.state(), tenants.len()), (State::Open, State::Open, 1));
    call(&tenants, "a", Outcome::failure());
    assert_eq!(own.snapshot().ledger.failed, 1);
    assert!(
        tenants.insert("c".into(), Circuit::builder("c").build().unwrap()).is_none(),
        "whether there is room or not"
    );
    assert_eq!(tenants.len(), 2);
    drop(permit);
}

#[test]
fn a_circuit_that_is_removed_is_made_anew() {
    let (tenants, _clock) = registry(THREE, |builder| builder);
    trip(&tenants, "a");
    let removed = tenants.remove("a").expect("it was there");
    assert_eq!((removed.state(), tenants.len()), (State::Open, 0));
    assert!(tenants.remove("a").is_none());
    assert_eq!(tenants.circuit("a").state(), State::Closed);
}

#[test]
fn what_was_inserted_is_kept_until_it_is_removed() {
    let (tenants, clock) = registry(THREE, |builder| builder.capacity(2));
    tenants.insert("own".into(), Circuit::builder("own").build().unwrap());
    for n in 0..100 {
        call(&tenants, &format!("{n}"), Outcome::Success);
        clock.advance(1_000 * SECOND);
    }
    assert!(tenants.find("own").is_some());
    assert_eq!(tenants.len(), 2);
}

#[test]
fn types_are_send_sync_and_debug() {
    fn plain<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    plain::<Registry<u8>>();
    plain::<KeyedCircuitBreakerLayer<Keyed<String, ByHost, Single<HttpClassifier, Fail>>>>();
    plain::<KeyedCircuitBreaker<(), Keyed<String, ByHeader, Single<HttpClassifier, Fail>>>>();
    plain::<(KeyFn<fn(), u8>, KeyRefFn<fn(), str>)>();
    let (tenants, _clock) = registry(THREE, |builder| builder.each(|_, circuit| circuit));
    assert!(format!("{tenants:?}").starts_with("Registry { recipe: Recipe { name: \"keys\""));
    assert!(format!("{:?}", Registry::by_name()).starts_with("RegistryBuilder"));
    let (key, circuit): (Arc<String>, Circuit) = {
        call(&tenants, "a", Outcome::Success);
        tenants.circuits().remove(0)
    };
    assert_eq!((key.as_str(), circuit.snapshot().ledger.succeeded), ("a", 1));
}
