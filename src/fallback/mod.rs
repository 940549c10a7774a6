//! An answer in place of one that fails: a value, a closure, another service, the last good answer, a queue.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::{
//!     BoxError, Circuit, CircuitBreakerLayer, classify::ErrorsAsFailures, fallback::FallbackLayer,
//! };
//!
//! let circuit = Circuit::builder("rates").build()?;
//! let fallback = FallbackLayer::value("1.0 (as of yesterday)");
//! let counts = fallback.counts();
//! let client = ServiceBuilder::new()
//!     .layer(fallback)                                                  // outside the circuit
//!     .layer(CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()))
//!     .timeout(Duration::from_secs(1))
//!     .service(service_fn(|_: &str| async { Ok::<_, BoxError>("1.1") })); // your client
//!
//! assert_eq!(client.clone().oneshot("EUR").await?, "1.1");
//! circuit.force_open();
//! assert_eq!(client.oneshot("EUR").await?, "1.0 (as of yesterday)");
//! assert_eq!(counts.used(), 1);
//! # Ok(()) }
//! ```
//!
//! A second, which draws what it needs from the request before that is sent, and answers for every failure:
//!
//! ```
//! use tower_breaker::{classify::ErrorsAsFailures, fallback::FallbackLayer};
//!
//! let layer = FallbackLayer::from_async(
//!     |user: &u64| *user,
//!     |user, _failed| async move { Some(format!("what user {user} saw last")) },
//! )
//! .on_failure(ErrorsAsFailures::new())
//! .limit(20);
//! ```
//!
//! A request is consumed by the call, so what a fallback needs of it is drawn before, by a closure, on every call: draw what
//! is cheap, such as a key. Nothing is asked of requests, answers and bodies, neither `Clone` nor `Send`.
//!
//! Where a fallback has nothing to give, or its limit is reached, the caller gets the original answer or error, untouched. See
//! the [chapter on fallbacks](crate::guide::fallback).

mod counts;
mod future;
mod layer;
#[cfg(feature = "http")]
mod mark;
mod queue;
mod service;
mod source;
#[cfg(feature = "stale")]
mod stale;
mod when;
mod with;

#[cfg(feature = "http")]
pub use self::mark::{FallenBack, Marked};
#[cfg(feature = "stale")]
pub use self::stale::{LastGood, Stale, StaleBody, StaleCache};
pub use self::{
    counts::Counts,
    future::ResponseFuture,
    layer::FallbackLayer,
    queue::{Pushing, Queue, Queued},
    service::{Fallback, Plan},
    source::{Draw, Failed, Source},
    when::{On, OnFailure, OnRejected, When},
    with::{Asking, FromAsync, FromFn, FromService, Value},
};
