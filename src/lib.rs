#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit;
pub mod classify;
pub mod clock;
pub mod config;
pub mod guide;
pub mod machine;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod observe;
#[cfg(feature = "keyed")]
pub mod registry;
#[cfg(feature = "retry")]
pub mod retry;
pub mod service;

mod outcome;
mod rejected;
mod rng;
mod state;
mod sync;
mod time;
mod window;

#[doc(inline)]
pub use self::{
    circuit::{CallError, Circuit, Permit},
    config::{Config, ConfigError},
    outcome::{Failure, InvalidWeight, Outcome, Weight},
    rejected::Rejected,
    service::{BoxError, CircuitBreaker, CircuitBreakerLayer},
    state::{Mode, State},
    time::Instant,
};
#[cfg(feature = "keyed")]
#[doc(inline)]
pub use self::{
    registry::Registry,
    service::{KeyedCircuitBreaker, KeyedCircuitBreakerLayer},
};
