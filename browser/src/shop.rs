//! A shop in the middle of an outage: circuits in all states and modes, with traffic.

use std::time::Duration;

use tokio::task::JoinHandle;
use tower_breaker::{
    Circuit, Config, Mode, Registry, State,
    config::{Consecutive, FailureRate, Probing, Recovery, RecoveryWindow, SlowCalls, Window},
};

use crate::{Program, program::calls};

/// A program whose circuits are in each state, and stay there for longer than anybody looks.
pub struct Shop {
    /// The dashboard.
    pub program: Program,
    traffic: JoinHandle<()>,
}

impl Shop {
    /// Opens it, and waits until all that is to be seen has happened.
    pub async fn open() -> Self {
        let program = Program::new();
        // So that a minute of history takes three seconds.
        program.dashboard.every(Duration::from_millis(50));
        program.dashboard.critical("payments");
        let busy = ["catalogue", "sessions", "prices", "shipping", "reviews", "fraud check"];
        let mut driven: Vec<_> = busy.iter().map(|name| Driven::new(program.circuit(name, rates()), 0.01)).collect();

        let payments = program.circuit("payments", rates());
        calls(&payments, 12, false);
        calls(&payments, 28, true);
        driven.push(Driven::new(payments, 0.9));

        let inventory = program.circuit("inventory", rates().probing(Probing::fixed(Duration::from_millis(1))));
        calls(&inventory, 40, true);
        let search = program.circuit("search", rates().probing(Probing::fixed(Duration::from_millis(1))));
        calls(&search, 40, true);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let probe = inventory.try_acquire().expect("a probe is due");
        driven.push(Driven::new(inventory, 0.9));
        while search.state() != State::Recovering {
            calls(&search, 1, false);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        driven.push(Driven::new(search, 0.0));

        let mail = program.circuit("mail", rates());
        calls(&mail, 30, false);
        mail.set_mode(Mode::ForcedOpen, Some(Duration::from_secs(14 * 60 + 30)));
        driven.push(Driven::new(mail, 0.0));
        let recommendations = program.circuit("recommendations", rates());
        recommendations.metrics_only();
        calls(&recommendations, 40, true);
        driven.push(Driven::new(recommendations, 0.7));
        let run = Config::new().without_evidence().consecutive_failures(Consecutive::new(5));
        program.circuit("tax rates", run);
        program.circuit("cache", rates());
        program.circuit("cache", rates());

        let observed = program.dashboard.clone();
        let tenants = Registry::by_key("tenants")
            .config(rates())
            .each(move |_: &String, circuit| circuit.observe(observed.observer()))
            .build()
            .expect("the settings are good");
        program.dashboard.add(tenants.clone());
        driven.extend(["acme", "globex"].map(|key| Driven::new(tenants.circuit(key), 0.04)));

        let traffic = tokio::spawn(async move {
            let _kept_under_way = (probe, tenants);
            for turn in 0_usize.. {
                for (i, driven) in driven.iter_mut().enumerate() {
                    // Some are busier than others, and none always as busy.
                    let wave = ((turn + 17 * i) as f64 / 9.0).sin() + ((turn * (i + 3)) as f64 / 23.0).sin();
                    driven.drive((1.5 + wave).max(0.0) * (1 + i * 7 % 5) as f64);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { program, traffic }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}

/// A circuit that is called.
struct Driven {
    circuit: Circuit,
    failing: f64,
    due: f64,
    failures: f64,
}

impl Driven {
    fn new(circuit: Circuit, failing: f64) -> Self {
        Self { circuit, failing, due: 0.0, failures: 0.0 }
    }

    fn drive(&mut self, number: f64) {
        self.due += number;
        while self.due >= 1.0 {
            self.due -= 1.0;
            self.failures += self.failing;
            let failed = self.failures >= 1.0;
            if failed {
                self.failures -= 1.0;
            }
            calls(&self.circuit, 1, failed);
        }
    }
}

/// Judged by rates alone; nothing that has happened ends soon.
fn rates() -> Config {
    Config::new()
        .without_evidence()
        .failure_rate(FailureRate::new(0.5).window(Window::count(40)))
        .slow_calls(SlowCalls::new(Duration::from_millis(800)).threshold(0.8))
        .probing(Probing::fixed(Duration::from_secs(48)))
        .recovery(Recovery::Window(
            RecoveryWindow::new().probation(Duration::from_secs(600)).max_probation(Duration::from_secs(600)),
        ))
}
