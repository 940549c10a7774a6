//! A back end that dies and comes back, and a client of it behind a circuit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{Circuit, CircuitBreakerLayer, State};

/// A server that answers 200, or 500 while it is dead.
pub(crate) struct BackEnd {
    dead: Arc<AtomicBool>,
    uri: String,
    circuit: Circuit,
}

impl BackEnd {
    /// Starts it; its calls go through this circuit.
    pub(crate) async fn start(circuit: Circuit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let uri = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let dead = Arc::new(AtomicBool::new(false));
        let is_dead = Arc::clone(&dead);
        let answer = async move || match is_dead.load(Ordering::SeqCst) {
            true => StatusCode::INTERNAL_SERVER_ERROR,
            false => StatusCode::OK,
        };
        let router = Router::new().route("/", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { dead, uri, circuit }
    }

    pub(crate) async fn dies(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.call_until(State::Open).await;
    }

    pub(crate) async fn comes_back(&self) {
        self.dead.store(false, Ordering::SeqCst);
        self.call_until(State::Closed).await;
    }

    /// Calls it until the circuit is in this state. It must get there by itself.
    async fn call_until(&self, state: State) {
        let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let client = ServiceBuilder::new().layer(CircuitBreakerLayer::new(self.circuit.clone())).service(http);
        while self.circuit.state() != state {
            let request = Request::get(&self.uri).body(Empty::new()).expect("a request");
            if client.clone().oneshot(request).await.is_err() {
                self.circuit.until_ready().await;
            }
        }
    }
}
