//! Two circuits with one name are told.

use tower_breaker::{Circuit, Registry};

fn named(name: &str) -> Circuit {
    Circuit::builder(name).build().expect("the settings are good")
}

/// Name, keys, and how many are elsewhere.
fn told(registry: &Registry) -> Vec<(String, Vec<String>, usize)> {
    let tell = |duplicate: tower_breaker::registry::Duplicate| {
        let mut keys: Vec<String> = duplicate.keys.iter().map(|key| String::clone(key)).collect();
        keys.sort();
        (duplicate.name.to_string(), keys, duplicate.elsewhere)
    };
    registry.duplicates().into_iter().map(tell).collect()
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn two_circuits_under_two_keys_with_one_name_are_told() {
    let circuits = Registry::by_name().build().unwrap();
    circuits.circuit("payments");
    circuits.circuit("search");
    assert_eq!(told(&circuits), []);
    circuits.insert("pay".to_owned(), named("payments"));
    assert_eq!(told(&circuits), [("payments".to_owned(), keys(&["pay", "payments"]), 0)]);
}

#[test]
fn one_circuit_under_two_keys_is_one() {
    let circuits = Registry::by_name().build().unwrap();
    circuits.insert("pay".to_owned(), circuits.circuit("payments"));
    assert_eq!(told(&circuits), []);
}

#[test]
fn one_that_was_replaced_or_removed_is_told_for_as_long_as_somebody_has_it() {
    let circuits = Registry::by_name().build().unwrap();
    let first = circuits.circuit("payments");
    let second = named("payments");
    drop(circuits.insert("payments".to_owned(), second.clone()));
    assert_eq!(told(&circuits), [("payments".to_owned(), keys(&["payments"]), 1)]);
    drop(circuits.remove("payments"));
    circuits.circuit("payments");
    assert_eq!(told(&circuits), [("payments".to_owned(), keys(&["payments"]), 2)]);
    drop(first);
    assert_eq!(told(&circuits), [("payments".to_owned(), keys(&["payments"]), 1)]);
    drop(second);
    assert_eq!(told(&circuits), [], "the registry itself holds none of them");
}

#[test]
fn one_that_has_come_back_is_no_other() {
    let circuits = Registry::by_name().build().unwrap();
    let payments = circuits.circuit("payments");
    for _ in 0..3 {
        circuits.remove("payments");
        circuits.insert("payments".to_owned(), payments.clone());
    }
    assert_eq!(told(&circuits), []);
}

#[test]
fn the_circuits_of_a_registry_by_key_have_its_name_by_intention() {
    let tenants = Registry::by_key("tenants").build().unwrap();
    let held = ["a", "b"].map(|tenant| tenants.circuit(tenant));
    tenants.remove("a");
    tenants.circuit("a");
    assert_eq!(told(&tenants), []);
    tenants.insert("c".to_owned(), named("own"));
    tenants.insert("d".to_owned(), named("own"));
    assert_eq!(told(&tenants), [("own".to_owned(), keys(&["c", "d"]), 0)]);
    drop(held);
}
