//! The settings of all circuits of a program, read from a file of any format that serde knows.
//!
//! ```
//! use std::time::Duration;
//! use serde::Deserialize;
//! use tower_breaker::{CircuitsConfig, Mode};
//!
//! #[derive(Deserialize)]
//! struct App {
//!     circuits: CircuitsConfig,
//! }
//!
//! let app: App = toml::from_str(r#"
//!     [circuits.defaults]
//!     failure_rate = { threshold = "30%", window = "1m 30s" }
//!
//!     [circuits.bases.slow]
//!     slow_calls = { duration = "2s" }
//!
//!     [circuits.by_name.payments]
//!     base = "slow"
//!     mode = "metrics_only"
//! "#)?;
//! let payments = app.circuits.by_name("payments");
//! assert_eq!(payments.mode, Mode::MetricsOnly);
//! assert_eq!(payments.config.failure_rate.unwrap().threshold, 0.3);
//! assert_eq!(payments.config.slow_calls.unwrap().duration, Duration::from_secs(2));
//! assert_eq!(app.circuits.by_name("search"), app.circuits.defaults()); // not in the file
//! # Ok::<(), toml::de::Error>(())
//! ```
//!
//! `docs/settings.md` has all keys. Everything that is wrong is told at once, each fault with
//! the path of its key, what stands there and what must: by the error of the format, or as a
//! [`ConfigError`](crate::ConfigError) by a [`Draft`], with lines by a [`TomlDraft`].

#[cfg(feature = "keyed")]
mod apply;
mod circuit;
#[cfg(feature = "keyed")]
mod describe;
mod draft;
mod environment;
mod fields;
mod memory;
mod probing;
mod read;
#[cfg(not(feature = "retry"))]
#[path = "no_retry.rs"]
mod retry;
#[cfg(feature = "retry")]
mod retry;
#[cfg(feature = "keyed")]
mod saved;
mod scalar;
#[cfg(not(feature = "stack"))]
#[path = "no_stack.rs"]
mod stack;
#[cfg(feature = "stack")]
mod stack;
mod tags;
mod value;

use std::collections::BTreeMap;

#[cfg(feature = "keyed")]
pub use self::apply::{Change, Changes, FieldChange};
pub use self::{
    draft::{Draft, TomlDraft},
    environment::DISABLE,
};
use self::{environment::Disabled, retry::Retry, stack::Parts};
use crate::{circuit::Tags, config::Config, state::Mode};

/// The settings of all circuits of a program. See the [module docs](self) for an example.
///
/// What has this type is within its bounds: it can be put to use without an error.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitsConfig {
    defaults: CircuitSettings,
    by_name: BTreeMap<String, CircuitSettings>,
    by_key: BTreeMap<String, KeySettings>,
    disabled: Disabled,
}

/// The settings of the circuits of a registry by key.
#[derive(Clone, Debug, PartialEq)]
struct KeySettings {
    common: CircuitSettings,
    keys: BTreeMap<String, CircuitSettings>,
}

impl CircuitsConfig {
    fn new(defaults: CircuitSettings) -> Self {
        Self { defaults, by_name: BTreeMap::new(), by_key: BTreeMap::new(), disabled: Disabled::default() }
    }

    /// Returns the settings of what has none of its own: the table `defaults`.
    #[must_use]
    pub fn defaults(&self) -> CircuitSettings {
        self.disabled.among_all(self.defaults.clone())
    }

    /// Returns the settings of a circuit: the table `by_name.NAME`, or the defaults.
    #[must_use]
    pub fn by_name(&self, name: &str) -> CircuitSettings {
        let settings = self.by_name.get(name).unwrap_or(&self.defaults);
        self.disabled.of(name, settings.clone())
    }

    /// Returns the settings of one key of a registry by key: the table `by_key.REGISTRY.keys.KEY`, or `by_key.REGISTRY`, or the
    /// defaults.
    #[must_use]
    pub fn by_key(&self, registry: &str, key: &str) -> CircuitSettings {
        let settings = match self.by_key.get(registry) {
            None => &self.defaults,
            Some(settings) => settings.keys.get(key).unwrap_or(&settings.common),
        };
        self.disabled.of(registry, settings.clone())
    }

    /// Returns the names that have a table in `by_name`, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Default for CircuitsConfig {
    /// Returns the settings of an empty file.
    fn default() -> Self {
        Self::new(CircuitSettings::default())
    }
}

/// The settings of one circuit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CircuitSettings {
    /// The numbers.
    pub config: Config,
    /// The mode that the circuit begins in. Default: [`Mode::Auto`].
    pub mode: Mode,
    /// What the circuit is tagged with, see [`Builder::tag`](crate::circuit::Builder::tag). Default: nothing.
    pub tags: Tags,
    retry: Retry,
    stack: Parts,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self {
            config: Config::new(),
            mode: Mode::Auto,
            tags: Tags::default(),
            retry: Retry::default(),
            stack: Parts::default(),
        }
    }
}
