#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit;
pub mod classify;
pub mod clock;
pub mod config;
pub mod guide;
pub mod machine;
pub mod observe;
#[cfg(feature = "keyed")]
pub mod registry;
#[cfg(feature = "retry")]
pub mod retry;
pub mod service;
#[cfg(feature = "serde")]
pub mod settings;

mod outcome;
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
