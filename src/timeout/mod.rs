//! How long a call may take, its readiness included, and how long each of its attempts.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::{BoxError, timeout::{AttemptTimeoutLayer, TimedOut, TotalTimeoutLayer}};
//!
//! let client = ServiceBuilder::new()
//!     .layer(TotalTimeoutLayer::new("search, in all", Duration::from_secs(5))?) // outermost
//!     .concurrency_limit(20)                                                    // waits for it are covered too
//!     .layer(AttemptTimeoutLayer::new("search", Duration::from_secs(1))?)       // next to the client
//!     .service(service_fn(|_: &str| std::future::pending::<Result<(), BoxError>>()));
//!
//! let error = client.oneshot("hangs").await.unwrap_err();
//! let timed_out = TimedOut::find(&*error).unwrap();
//! assert_eq!((timed_out.name(), timed_out.limit()), ("search", Duration::from_secs(1)));
//! # Ok(()) }
//! ```
//!
//! # Total versus attempt
//!
//! | | [`TotalTimeoutLayer`] | [`AttemptTimeoutLayer`] |
//! |---|---|---|
//! | place | outermost, outside retries and circuit | next to the transport, inside the circuit |
//! | covers | readiness and call | the call |
//! | asks the inner service for | `Clone` | nothing |
//! | to a circuit inside | a call that is dropped: neutral, but for `cancelled_after` | |
//! | to a circuit outside | | a failure |
//! | with `per_request` | sets the `Deadline`, honours that of the caller | tells the next hop what is left |
//!
//! A call over HTTP is over when the head of its response is there. A body that stalls is not bounded by either: bound the reading
//! of it, such as by `tokio::time::timeout` around `collect`.
//!
//! See the [chapter on bulkheads and timeouts](crate::guide::bulkhead). With the feature `http` and `per_request` a request can have limits of its own, `CallLimits`.
//!
//! # Versus tower's `Timeout`
//!
//! tower's covers the call and not `poll_ready`, where callers of a `ConcurrencyLimit` or a `Buffer` wait: 15 s were measured under
//! 1 s. Its error tells neither which timeout it was nor how long; it is still good where both do not matter.

mod attempt;
#[cfg(feature = "http")]
mod deadline;
mod error;
mod future;
#[cfg(feature = "http")]
mod header;
mod limits;
#[cfg(feature = "http")]
mod per_request;
mod total;

pub use self::{
    attempt::{AttemptTimeout, AttemptTimeoutLayer},
    error::TimedOut,
    future::ResponseFuture,
    limits::{Fixed, Limits},
    total::{TotalTimeout, TotalTimeoutLayer},
};
#[cfg(feature = "http")]
pub use self::{
    deadline::{CallLimits, Deadline},
    header::DeadlineHeader,
    per_request::PerRequest,
};
#[doc(inline)]
pub use crate::once_ready::OnceReady;

use std::time::Duration;

use crate::{
    config::{Check, ConfigError, MS, YEAR},
    sync::Arc,
};

/// What both layers hold.
#[derive(Clone, Debug)]
struct Limit {
    name: Arc<str>,
    usual: Duration,
}

impl Limit {
    fn new(name: Arc<str>, usual: Duration) -> Result<Self, ConfigError> {
        let mut check = Check::default();
        check.within("limit", usual, MS, YEAR);
        check.done()?;
        Ok(Self { name, usual })
    }
}

#[cfg(test)]
mod tests;
