//! What the tests share: circuits that are quick to trip, and services that obey.

pub(crate) mod fake;
#[cfg(all(feature = "http", feature = "test-util"))]
pub(crate) mod net;

use std::time::Duration;

#[cfg(feature = "test-util")]
use tower_breaker::clock::ManualClock;
use tower_breaker::{
    Circuit, Config, Failure, Outcome, Permit,
    config::{Consecutive, Probing, Recovery},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Three failures in a row open it for a second; then one good probe closes it.
pub(crate) const THREE: Config = Config::without_rules()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(SECOND))
    .recovery(Recovery::Probes);

/// A circuit whose clock is tokio's.
pub(crate) fn circuit(config: Config) -> Circuit {
    Circuit::builder("test").config(config).seed(7).build().expect("the settings are within bounds")
}

/// A circuit whose clock is moved by hand, however long the test takes.
#[cfg(feature = "test-util")]
pub(crate) fn manual(config: Config) -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let builder = Circuit::builder("test").config(config).seed(7).clock(clock.clone());
    (builder.build().expect("the settings are within bounds"), clock)
}

/// Takes a permit where one must be there.
pub(crate) fn acquire(circuit: &Circuit) -> Permit {
    circuit.try_acquire().expect("the circuit lets a call pass")
}

/// Makes as many calls with this outcome, one after the other.
pub(crate) fn record(circuit: &Circuit, outcome: Outcome, times: usize) {
    for _ in 0..times {
        acquire(circuit).record(outcome);
    }
}

/// Opens a circuit by one failure.
pub(crate) fn trip(circuit: &Circuit) {
    acquire(circuit).record(Failure::new().tripping());
}

/// All settings that the crate ships.
#[cfg(feature = "test-util")]
pub(crate) const PRESETS: [Config; 9] = [
    Config::new(),
    Config::classic(),
    Config::resilience4j(),
    Config::hystrix(),
    Config::polly(),
    Config::opossum(),
    Config::envoy(),
    Config::gobreaker(),
    Config::failsafe(),
];
