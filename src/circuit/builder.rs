//! How a circuit is made.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
};

#[cfg(feature = "keyed")]
use crate::{circuit::Tags, observe::Key};
use crate::{
    circuit::{
        Circuit, Group, Rule,
        shared::{Shared, Users},
    },
    clock::{AnyClock, Clock, SystemClock},
    config::{Config, ConfigError},
    observe::Observer,
    state::{Giver, Mode},
    sync::Arc,
};

/// Makes a [`Circuit`]: its numbers, and what is no number.
#[must_use = "a builder makes no circuit until `build` is called"]
pub struct Builder {
    name: Arc<str>,
    config: Config,
    mode: Mode,
    clock: AnyClock,
    seed: Option<u64>,
    users: Users,
    group: Option<Group>,
}

impl Builder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            config: Config::new(),
            mode: Mode::Auto,
            clock: AnyClock::System(SystemClock::new()),
            seed: None,
            users: Users::default(),
            group: None,
        }
    }

    /// Sets the numbers. Default: [`Config::new`].
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Sets the mode of the new circuit. Default: [`Mode::Auto`].
    ///
    /// [`Mode::MetricsOnly`] is the careful first step of a roll-out, [`Mode::Disabled`] stands in for an optional layer.
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Sets the clock. Default: [`SystemClock`], which follows `tokio::time::pause` in tests.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: AnyClock::from(clock), ..self }
    }

    /// Sets the clock to one that other circuits have too.
    #[cfg(any(test, feature = "keyed"))]
    pub(crate) fn any_clock(self, clock: AnyClock) -> Self {
        Self { clock, ..self }
    }

    /// The numbers and the mode that the circuit will have.
    #[cfg(feature = "keyed")]
    pub(crate) fn terms(&self) -> (Config, Mode) {
        (self.config, self.mode)
    }

    /// Names the key that the circuit is for, in its log lines.
    #[cfg(feature = "keyed")]
    pub(crate) fn key(mut self, key: Arc<Key>) -> Self {
        self.users.key = Some(key);
        self
    }

    /// Sets the seed of the jitter, so that a test sees the same waits each time. Default: random.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Adds an observer, after those that are there.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.users.observers.push(Arc::new(observer));
        self
    }

    /// Tags it with a name and a value, for whoever lists circuits: `team`, `tier`, a link to what to do. No decision asks for
    /// tags, and they are in no metric. A name that is there already gets the new value. Read by [`Circuit::tags`].
    ///
    /// ```
    /// use tower_breaker::Circuit;
    ///
    /// let circuit = Circuit::builder("payments").tag("team", "checkout").tag("tier", "1").build()?;
    /// assert_eq!(circuit.tags().get("team"), Some("checkout"));
    /// assert_eq!(circuit.tags().to_string(), "team=checkout, tier=1");
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.users.tags.set(name.into(), value.into());
        self
    }

    /// Sets all tags.
    #[cfg(feature = "keyed")]
    pub(crate) fn tags(mut self, tags: Tags) -> Self {
        self.users.tags = tags;
        self
    }

    /// Makes it one of a group of endpoints, of which not too many may be left out at once.
    pub fn group(self, group: &Group) -> Self {
        Self { group: Some(group.clone()), ..self }
    }

    /// Adds a trip rule of your own, after those of the config.
    pub fn rule(mut self, rule: impl Rule + 'static) -> Self {
        self.users.rules.push(Arc::new(rule));
        self
    }

    /// Makes the circuit.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds.
    pub fn build(mut self) -> Result<Circuit, ConfigError> {
        self.config.check()?;
        let place = self.group.map(|group| group.place());
        self.users.observers.extend(place.clone().map(|place| Arc::new(place) as Arc<dyn Observer>));
        // RandomState is what the standard library offers for a number that differs between circuits and processes.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let circuit = Circuit::from(Shared::new(self.name, self.config, seed, self.clock, self.users));
        if self.mode != Mode::Auto {
            circuit.give_mode(self.mode, Giver::Settings);
        }
        if let Some(place) = place {
            place.take(&circuit);
        }
        Ok(circuit)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
