//! Trying again: rarely, later, never all together, and never against a circuit that is not closed.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use std::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, retry::RetryLayer, service_fn};
//! use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, retry::{HttpRetry, Retries}};
//!
//! let circuit = Circuit::builder("search").build()?;
//! let retries = Retries::builder().circuit(circuit.clone()).build()?;   // good defaults, typed errors
//! let calls = AtomicU32::new(0);
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new(HttpRetry::new(retries)))                  // outside the circuit
//!     .layer(CircuitBreakerLayer::new(circuit))                         // sees each attempt
//!     .timeout(Duration::from_secs(1))                                  // of each attempt
//!     .service(service_fn(|_: Request<String>| async {                  // your client
//!         let status = if calls.fetch_add(1, Ordering::Relaxed) < 2 { 503 } else { 200 };
//!         Response::builder().status(status).body(String::new())
//!     }));
//! let response = client.oneshot(Request::get("/").body(String::new())?).await?;
//! assert_eq!((response.status(), calls.load(Ordering::Relaxed)), (StatusCode::OK, 3));
//! # Ok(()) }
//! ```
//!
//! [`Backoff`] says how long to wait, [`Budget`] how many retries there may be for all calls, [`Retries`] decides with both, a
//! deadline and the state of the circuit. `HttpRetry` and `GrpcRetry` know what may be repeated and what the server asks for; they
//! are policies for tower's `RetryLayer`, `Drain` saves their connections. `ReplayBody` lets a stream be sent again. See the
//! [chapter on retries](crate::guide::retry).

mod backoff;
mod bucket;
pub mod budget;
mod config;
#[cfg(feature = "http")]
mod drain;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod replay;
pub mod retries;

#[cfg(feature = "grpc")]
pub use self::grpc::GrpcRetry;
pub use self::{
    backoff::{Backoff, Delays, Spread},
    budget::Budget,
    config::RetryConfig,
    retries::{Cause, Retries},
};
#[cfg(feature = "http")]
pub use self::{
    drain::{Drain, Draining},
    http::HttpRetry,
    replay::{Replay, ReplayBody},
};
