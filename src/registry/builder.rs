//! How a registry is made, and how it makes circuits.

use std::{fmt, hash::Hash, time::Duration};

use super::{
    Registry,
    event::{News, RegistryEvent},
    plan::Plan,
};
use crate::{
    circuit::{Builder, Circuit},
    clock::{AnyClock, Clock, SystemClock},
    config::{Config, ConfigError},
    state::Mode,
    sync::Arc,
};

/// What can be a key. All types are that can be hashed, compared, printed in a log line, and shared.
pub trait Key: Hash + Eq + fmt::Debug + Send + Sync + 'static {}

impl<K: Hash + Eq + fmt::Debug + Send + Sync + 'static> Key for K {}

/// Makes a [`Registry`]. [`Registry::by_key`] and [`Registry::by_name`] begin one.
#[must_use = "a builder makes no registry until `build` is called"]
pub struct RegistryBuilder<K> {
    recipe: Recipe<K>,
    config: Config,
    capacity: usize,
    forget_after: Option<Duration>,
    news: News<K>,
}

/// How circuits are made.
pub(super) struct Recipe<K> {
    pub(super) name: Arc<str>,
    pub(super) clock: AnyClock,
    /// Makes the circuit of a name, where circuits have names and no keys.
    pub(super) named: Option<fn(&Registry<K>, &str)>,
    begin: fn(&Arc<str>, &Arc<K>) -> Builder,
    each: Option<Arc<Each<K>>>,
}

type Each<K> = dyn Fn(&K, Builder) -> Builder + Send + Sync;

/// How many circuits a registry keeps, if nothing else is said: 10 MiB of them, and more hosts or tenants than most
/// processes talk to in five minutes.
const CAPACITY: usize = 10_000;

/// When a circuit of a key is forgotten, if nothing else is said: later than an outage is at its longest wait, and than the
/// windows of all presets.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// The shortest time after which one may be forgotten. The books rely on it, see [`Entry`](super::entry::Entry).
pub(super) const SHORTEST: Duration = Duration::from_secs(1);
/// The mode of the circuit of calls whose keys find no room.
pub(super) const OVERFLOW: Mode = Mode::MetricsOnly;

impl<K: Key> RegistryBuilder<K> {
    /// Begins a registry of circuits that all bear this name, made as keys come in, of any type.
    ///
    /// ```
    /// use tower_breaker::registry::RegistryBuilder;
    ///
    /// let shards = RegistryBuilder::<u32>::new("shards").build()?;
    /// assert!(shards.circuit(&7).try_acquire().is_ok());
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let begin = |name: &Arc<str>, key: &Arc<K>| {
            let key = Arc::clone(key);
            Circuit::builder(Arc::clone(name)).key(key)
        };
        Self::with(name.into(), begin, None, Some(FORGET_AFTER))
    }

    fn with(
        name: Arc<str>,
        begin: fn(&Arc<str>, &Arc<K>) -> Builder,
        named: Option<fn(&Registry<K>, &str)>,
        forget_after: Option<Duration>,
    ) -> Self {
        let clock = AnyClock::System(SystemClock::new());
        let recipe = Recipe { name, clock, named, begin, each: None };
        Self { recipe, config: Config::new(), capacity: CAPACITY, forget_after, news: News::default() }
    }
}

impl RegistryBuilder<String> {
    pub(super) fn by_name() -> Self {
        let make = |registry: &Registry, name: &str| drop(registry.circuit(name));
        Self::with("registry".into(), |_, name| Circuit::builder(name.as_str()), Some(make), None)
    }
}

impl<K: Key> RegistryBuilder<K> {
    /// Sets the numbers of all circuits that are made on demand. Default: [`Config::new`].
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Lets a closure complete each circuit that is made on demand: settings of its own, observers, rules, a mode.
    ///
    /// It gets the key, and a builder with the settings of [`RegistryBuilder::config`] and the clock of
    /// [`RegistryBuilder::clock`], which must stay: the registry reads the same. Settings that are out of their
    /// bounds cannot be reported to anybody by then; the circuit is made with the common ones instead. It may run more
    /// often than circuits are made, since threads that ask for the same new key at once each make one, and all but one are
    /// dropped.
    ///
    /// ```
    /// use tower_breaker::{Config, Registry, config::FailureRate};
    ///
    /// let hosts = Registry::by_key("hosts")
    ///     .each(|host: &String, circuit| match host.as_str() {
    ///         "search.internal" => circuit.config(Config::new().failure_rate(FailureRate::new(0.2))),
    ///         _ => circuit,
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn each(mut self, each: impl Fn(&K, Builder) -> Builder + Send + Sync + 'static) -> Self {
        self.recipe.each = Some(Arc::new(each));
        self
    }

    /// Sets how many circuits are kept. Default: 10,000, which are about 10 MiB.
    ///
    /// With 0, all calls go to [`Registry::overflow`].
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// Sets the time after which a circuit that nobody asks for may be forgotten; at least a second. Default: 5 minutes in a
    /// registry by key, never in one by name.
    ///
    /// See [what is forgotten](super#what-is-forgotten).
    pub fn forget_after(self, idle: Duration) -> Self {
        Self { forget_after: Some(idle.max(SHORTEST)), ..self }
    }

    /// Sets the clock of all circuits that are made on demand. Default: [`SystemClock`], which follows
    /// `tokio::time::pause` in tests.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.recipe.clock = AnyClock::from(clock);
        self
    }

    /// Has a closure told of each circuit that is added, replaced, removed or forgotten, after those closures that are there.
    ///
    /// It is called outside every lock, in the order of the events, by a thread whose call caused an event (not always this
    /// one). Calls on the registry are allowed; their events come after this one. A panic is caught and forgotten.
    ///
    /// It must not block: events that come meanwhile wait in memory without a bound, and that thread tells them all. To be told
    /// later, as a stream with a bound: [`Registry::subscribe`].
    ///
    /// ```
    /// use tower_breaker::{Registry, registry::RegistryEvent};
    ///
    /// let tenants = Registry::by_key("tenants")
    ///     .observe(|event: &RegistryEvent<String>| println!("{event}")) // "acme" has been added
    ///     .build()?;
    /// # tenants.circuit("acme");
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn observe(mut self, observer: impl Fn(&RegistryEvent<K>) + Send + Sync + 'static) -> Self {
        self.news.add(Box::new(observer));
        self
    }

    /// Makes the registry. It has no circuits yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds.
    pub fn build(self) -> Result<Registry<K>, ConfigError> {
        let Self { recipe, config, capacity, forget_after, news } = self;
        config.check()?;
        let overflow = Circuit::builder(format!("{}: overflow", recipe.name))
            .config(config)
            .any_clock(recipe.clock.clone())
            .mode(OVERFLOW)
            .build()?;
        Ok(Registry::new(recipe, Plan::new(config), capacity, forget_after, overflow, news))
    }
}

impl<K: Key> Recipe<K> {
    /// Makes the circuit of a key.
    pub(super) fn make(&self, plan: &Plan<K>, key: &Arc<K>) -> Circuit {
        self.builder(plan, key).build().expect("the settings have been checked")
    }

    /// Begins the circuit of a key, with settings that are within their bounds.
    pub(super) fn builder(&self, plan: &Plan<K>, key: &Arc<K>) -> Builder {
        let own = plan.of(key);
        let terms = own.terms.as_ref().unwrap_or(&plan.common);
        let common = || {
            let begun = (self.begin)(&self.name, key).config(terms.config).mode(terms.mode).tags(terms.tags.clone());
            begun.any_clock(self.clock.clone())
        };
        let complete = self.each.as_ref().map(|each| each(key, common()));
        let builder = complete.filter(|builder| builder.terms().0.check().is_ok()).unwrap_or_else(common);
        if own.disabled { builder.mode(Mode::Disabled) } else { builder }
    }
}

impl<K> fmt::Debug for Recipe<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for RegistryBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("recipe", &self.recipe)
            .field("config", &self.config)
            .field("capacity", &self.capacity)
            .field("forget_after", &self.forget_after)
            .finish_non_exhaustive()
    }
}
