//! What operators see: over a real scrape, in a recorder that comes late, for one circuit and for ten thousand keys, and on
//! the dashboard.

mod counts;
mod keys;
mod otel;
mod papers;
mod saved;
mod scrape;
mod seen;

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Failure, Outcome,
    circuit::Builder,
    clock::ManualClock,
    config::{Consecutive, Probing, Recovery},
};

const SECOND: Duration = Duration::from_secs(1);

/// Three failures in a row open it for ten seconds; then one good probe closes it.
const THREE: Config = Config::without_rules()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(Duration::from_secs(10)))
    .recovery(Recovery::Probes);

/// A circuit whose clock is moved by hand.
fn circuit(name: &str, config: Config, more: impl FnOnce(Builder) -> Builder) -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let builder = Circuit::builder(name).config(config).clock(clock.clone()).seed(1);
    (more(builder).build().expect("the settings are within bounds"), clock)
}

fn call(circuit: &Circuit, outcome: impl Into<Outcome>) {
    circuit.try_acquire().expect("the circuit lets a call pass").record(outcome);
}

fn trip(circuit: &Circuit) {
    call(circuit, Failure::new().tripping());
}
