//! The kill switch: circuits that the environment disables, whatever the file says.

use std::{collections::BTreeSet, env};

use super::{CircuitSettings, CircuitsConfig};
use crate::{
    config::{ConfigError, Fault},
    state::Mode,
};

/// The environment variable that [`CircuitsConfig::with_environment`] reads: `TOWER_BREAKER_DISABLE`.
pub const DISABLE: &str = "TOWER_BREAKER_DISABLE";

/// Whom the kill switch is for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Disabled {
    all: bool,
    names: BTreeSet<String>,
}

impl Disabled {
    pub(super) fn among_all(&self, settings: CircuitSettings) -> CircuitSettings {
        if self.all { CircuitSettings { mode: Mode::Disabled, ..settings } } else { settings }
    }

    /// Of a circuit, or of a registry by key.
    pub(super) fn of(&self, name: &str, settings: CircuitSettings) -> CircuitSettings {
        if self.names(name) { CircuitSettings { mode: Mode::Disabled, ..settings } } else { settings }
    }

    /// Whether a circuit or a registry is among them.
    pub(super) fn names(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

impl CircuitsConfig {
    /// Disables what the environment variable `TOWER_BREAKER_DISABLE` lists; see [`CircuitsConfig::disable`]. It is read here
    /// and nowhere else; where it is not set nothing changes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the variable is no Unicode text.
    pub fn with_environment(self) -> Result<Self, ConfigError> {
        match env::var(DISABLE) {
            Ok(list) => Ok(self.disable(&list)),
            Err(env::VarError::NotPresent) => Ok(self),
            Err(env::VarError::NotUnicode(value)) => {
                Err(ConfigError::new(vec![Fault::new(DISABLE, value, "text: names with commas between, or `*`")]))
            }
        }
    }

    /// Disables circuits ([`Mode::Disabled`]: every call passes, nothing is counted): names of circuits and of registries by
    /// key, with commas between, and `*` for all. Names that are not in the file may be among them.
    ///
    /// ```
    /// use tower_breaker::{CircuitsConfig, Mode};
    ///
    /// let config = CircuitsConfig::default().disable("payments, tenants");
    /// assert_eq!(config.by_name("payments").mode, Mode::Disabled);
    /// assert_eq!(config.by_key("tenants", "acme").mode, Mode::Disabled);
    /// assert_eq!(config.by_name("search").mode, Mode::Auto);
    /// assert_eq!(config.disable("*").by_name("search").mode, Mode::Disabled);
    /// ```
    #[must_use]
    pub fn disable(mut self, list: &str) -> Self {
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name == "*" {
                self.disabled.all = true;
            } else {
                self.disabled.names.insert(name.to_owned());
            }
        }
        self
    }
}
