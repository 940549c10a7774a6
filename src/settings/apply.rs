//! Settings for circuits that run already.

use std::{fmt, sync::Arc};

use super::{CircuitSettings, CircuitsConfig, describe::Description};
use crate::registry::{Key, Own, Plan, Registry, Terms, Turn};

impl<K: Key + fmt::Display> Registry<K> {
    /// Gives all circuits the settings of a file, those that are there and those to come, and says what that has changed.
    ///
    /// A registry [by name](Registry::by_name) takes the tables of `by_name`, and makes the circuits that have one; another
    /// takes `by_key.NAME`, its own name. What has no table has the `defaults`. States and windows go on, as with
    /// [`Circuit::reconfigure`](crate::Circuit::reconfigure). It cannot fail half-way: what is a `CircuitsConfig` is within
    /// its bounds.
    ///
    /// A mode is set only where that of the settings has changed, so what an operator has set by hand stays. Circuits that
    /// were [inserted](Registry::insert) keep their own settings unless they have a table; the kill switch reaches them. What
    /// [`each`](crate::registry::RegistryBuilder::each) says of a circuit is stronger than the file, but for the kill switch.
    ///
    /// ```
    /// use tower_breaker::{CircuitsConfig, Registry};
    ///
    /// let circuits = Registry::by_name().build()?;
    /// let file: CircuitsConfig = toml::from_str("[by_name.payments]")?;
    /// assert_eq!(circuits.apply(&file).added, ["payments"]);
    ///
    /// let file: CircuitsConfig = toml::from_str("[by_name.payments]\nfailure_rate = { threshold = 0.3 }")?;
    /// let changes = circuits.apply(&file);
    /// assert_eq!(changes.changed[0].to_string(), "payments: failure_rate.threshold 0.5 → 0.3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, config: &CircuitsConfig) -> Changes {
        let names: Vec<&str> = if self.has_names() {
            config.names().collect()
        } else {
            config.by_key.get(self.name()).into_iter().flat_map(|own| own.keys.keys().map(String::as_str)).collect()
        };
        let (turns, before) = self.follow(self.plan_of(config, &names));
        for name in &names {
            self.make_named(name);
        }
        let mut changes = Changes {
            added: names.iter().filter(|name| !before.names.contains(**name)).map(|name| (*name).to_owned()).collect(),
            changed: Vec::new(),
            gone: before.names.iter().filter(|name| !names.contains(&name.as_str())).cloned().collect(),
            unchanged: Vec::new(),
        };
        for turn in turns {
            match Change::of(&turn) {
                Some(change) => changes.changed.push(change),
                None => changes.unchanged.push(turn.key.to_string()),
            }
        }
        // The map of circuits has no order.
        changes.changed.sort_by(|one, other| one.name.cmp(&other.name));
        changes.unchanged.sort();
        changes
    }

    fn plan_of(&self, config: &CircuitsConfig, names: &[&str]) -> Plan<K> {
        let (config, registry) = (Arc::new(config.clone()), Arc::<str>::from(self.name()));
        let has_names = self.has_names();
        let disabled = config.disabled.names(&registry);
        let common = if has_names { config.defaults.clone() } else { config.common_of(&registry) };
        let own = move |key: &K| {
            let key = key.to_string();
            if has_names {
                let terms = config.by_name.get(&key).map(CircuitSettings::terms);
                Own { terms, disabled: config.disabled.names(&key) }
            } else {
                let keys = config.by_key.get(&*registry).map(|settings| &settings.keys);
                let terms = keys.and_then(|keys| keys.get(&key)).map(CircuitSettings::terms);
                Own { terms, disabled }
            }
        };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Plan { common: common.terms(), own: Some(Box::new(own)), names, disabled }
    }
}

impl CircuitsConfig {
    fn common_of(&self, registry: &str) -> CircuitSettings {
        self.by_key.get(registry).map_or_else(|| self.defaults.clone(), |settings| settings.common.clone())
    }
}

impl CircuitSettings {
    fn terms(&self) -> Terms {
        Terms { config: self.config, mode: self.mode, tags: self.tags.clone() }
    }
}

/// What [`Registry::apply`] has changed, by name or key, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "somebody should be told what has changed"]
pub struct Changes {
    /// Tables that the file did not have when it was applied before.
    pub added: Vec<String>,
    /// Circuits whose settings have changed.
    pub changed: Vec<Change>,
    /// Tables that the file has no more. Their circuits stay, with the defaults.
    pub gone: Vec<String>,
    /// Circuits that were there and whose settings are as they were.
    pub unchanged: Vec<String>,
}

/// One line for each name, but for what is unchanged.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.added.iter().map(|name| format!("{name}: added"));
        let lines = lines.chain(self.gone.iter().map(|name| format!("{name}: not in the file any more")));
        let lines = lines.chain(self.changed.iter().map(ToString::to_string));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// A circuit whose settings have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name of the circuit, or its key.
    pub name: String,
    /// What has changed, in the order of the settings.
    pub fields: Vec<FieldChange>,
}

/// A setting that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldChange {
    /// The key, as in the file.
    pub field: String,
    /// What it was; none where there was no such setting, because its rule was off or of another kind.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

impl Change {
    fn of<K: fmt::Display>(turn: &Turn<K>) -> Option<Self> {
        if turn.from == turn.to {
            return None;
        }
        let describe = |terms: &Terms| {
            let mut fields = Description::of(&terms.config).0;
            fields.push(("mode".to_owned(), terms.mode.as_str().to_owned()));
            fields
        };
        let (from, to) = (describe(&turn.from), describe(&turn.to));
        let find = |fields: &[(String, String)], field: &str| {
            fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
        };
        let lost = from.iter().filter(|(field, _)| find(&to, field).is_none());
        let fields = to.iter().chain(lost).map(|(field, _)| FieldChange {
            field: field.clone(),
            from: find(&from, field),
            to: find(&to, field),
        });
        let fields = fields.filter(|change| change.from != change.to).collect();
        Some(Self { name: turn.key.to_string(), fields })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        for (i, FieldChange { field, from, to }) in self.fields.iter().enumerate() {
            let gap = if i == 0 { "" } else { ", " };
            let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
            write!(f, "{gap}{field} {} → {}", word(from), word(to))?;
        }
        Ok(())
    }
}
