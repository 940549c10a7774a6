#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod bulkhead;
pub mod circuit;
pub mod classify;
pub mod clock;
pub mod config;
#[cfg(feature = "dashboard")]
pub mod dashboard;
#[cfg(feature = "fallback")]
pub mod fallback;
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
#[cfg(feature = "serde")]
pub mod settings;
#[cfg(feature = "stack")]
pub mod stack;
pub mod timeout;

mod chain;
mod once_ready;
mod outcome;
mod overloaded;
mod rejected;
mod rng;
mod state;
mod sync;
mod time;
mod window;

#[cfg(feature = "serde")]
#[doc(inline)]
pub use self::settings::CircuitsConfig;
#[doc(inline)]
pub use self::{
    circuit::{CallError, Circuit, Permit},
    config::{Config, ConfigError},
    outcome::{Failure, InvalidWeight, Outcome, Weight},
    overloaded::Overloaded,
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
