//! The dashboard over real sockets: every route, every refusal, and the live stream while a back end dies and comes back.
#![cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]

mod back_end;
mod control;
mod health;
mod ids;
mod kept;
mod live;
mod many;
mod places;
mod routes;
mod support;

use tower_breaker::{
    Circuit, Config, Failure,
    clock::ManualClock,
    config::{Consecutive, Probing, Recovery},
    dashboard::Dashboard,
};

/// Three failures in a row open it for ten seconds; then one good probe closes it.
const THREE: Config = Config::new()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(std::time::Duration::from_secs(10)))
    .recovery(Recovery::Probes);

/// A circuit on a dashboard. Its clock stands still, so that two looks see the same.
fn circuit(name: &str, dashboard: &Dashboard) -> Circuit {
    let builder = Circuit::builder(name).config(THREE).clock(ManualClock::new()).seed(1);
    let circuit = builder.observe(dashboard.observer()).build().expect("the settings are within bounds");
    dashboard.add(circuit.clone());
    circuit
}

fn trip(circuit: &Circuit) {
    circuit.try_acquire().expect("it is closed").record(Failure::new().tripping());
}
