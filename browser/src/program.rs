//! A program with circuits and a dashboard, and what it depends on.

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::task::JoinHandle;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{Circuit, CircuitBreakerLayer, Config, Failure, Outcome, dashboard::Dashboard};

use crate::Server;

/// A dashboard and its circuits.
pub struct Program {
    /// What is served.
    pub dashboard: Dashboard,
}

impl Program {
    /// Without circuits yet. Its stream looks ten times a second, so that tests do not wait.
    pub fn new() -> Self {
        let dashboard = Dashboard::new();
        dashboard.every(Duration::from_millis(100));
        Self { dashboard }
    }

    /// Adds a circuit whose events are shown.
    pub fn circuit(&self, name: &str, config: Config) -> Circuit {
        let builder = Circuit::builder(name).config(config).observe(self.dashboard.observer());
        let circuit = builder.build().expect("the settings are good");
        self.dashboard.add(circuit.clone());
        circuit
    }

    /// Everybody may look, nobody may steer.
    pub fn read_only(&self) -> Router {
        Router::new().merge(self.dashboard.router())
    }

    /// Everybody may steer.
    pub fn steered(&self) -> Router {
        Router::new().merge(self.dashboard.control(|_| true).router())
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes calls that end like this.
pub fn calls(circuit: &Circuit, number: usize, failed: bool) {
    for _ in 0..number {
        if let Ok(permit) = circuit.try_acquire() {
            permit.record(if failed { Outcome::Failure(Failure::new()) } else { Outcome::Success });
        }
    }
}

/// What a program depends on: a server that can die.
pub struct Backend {
    server: Server,
}

impl Backend {
    /// Starts it.
    pub async fn start() -> Self {
        let router = Router::new().route("/", get(async || StatusCode::OK));
        Self { server: Server::start(router).await }
    }

    /// Calls it through the circuit, every 5 ms, until the task is aborted.
    pub fn called_through(&self, circuit: &Circuit) -> JoinHandle<()> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let mut service = CircuitBreakerLayer::new(circuit.clone()).layer(client);
        let uri = self.server.origin();
        tokio::spawn(async move {
            loop {
                let request = Request::get(&uri).body(Empty::new()).expect("the address is good");
                // How it ends is the circuit's business.
                let _ = service.ready().await.expect("it is always ready").call(request).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    /// Kills it.
    pub fn die(&mut self) {
        self.server.die();
    }

    /// Starts it again.
    pub async fn recover(&mut self) {
        self.server.restart().await;
    }
}
