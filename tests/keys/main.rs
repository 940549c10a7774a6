//! One circuit for each key: who is kept, who is forgotten, among threads, on real sockets, and under attack.

mod attack;
mod duplicates;
mod events;
mod forgetting;
mod lingering;
mod net;
mod registry;
mod service;
mod threads;

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Failure, Outcome, Registry,
    clock::ManualClock,
    config::{Consecutive, Probing, Recovery},
    registry::RegistryBuilder,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// When a circuit that nobody asks for is forgotten, by default.
const IDLE: Duration = Duration::from_secs(300);

/// Three failures in a row open it for a second; then one good probe closes it.
const THREE: Config = Config::without_rules()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(SECOND))
    .recovery(Recovery::Probes);

/// A registry whose clock is moved by hand.
fn registry(
    config: Config,
    more: impl FnOnce(RegistryBuilder<String>) -> RegistryBuilder<String>,
) -> (Registry, ManualClock) {
    let clock = ManualClock::new();
    let builder = Registry::by_key("keys").config(config).clock(clock.clone());
    (more(builder).build().expect("the settings are within bounds"), clock)
}

/// Makes a call on the circuit of a key.
fn call(registry: &Registry, key: &str, outcome: Outcome) {
    registry.circuit(key).try_acquire().expect("the circuit lets a call pass").record(outcome);
}

/// Opens the circuit of a key by one failure.
fn trip(registry: &Registry, key: &str) -> Circuit {
    call(registry, key, Failure::new().tripping().into());
    registry.find(key).expect("it is open, so it is kept")
}

/// Makes calls with new keys, each once, so that the books are looked at.
fn strangers(registry: &Registry, name: &str, count: usize) {
    for n in 0..count {
        call(registry, &format!("{name} {n}"), Outcome::Success);
    }
}
