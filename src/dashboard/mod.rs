//! What all circuits of a program do, to be looked at and steered from outside: states and reasons, the last events, health.
//!
//! ```
//! use tower_breaker::{Circuit, Registry, dashboard::Dashboard};
//!
//! let dashboard = Dashboard::new();
//! let payments = Circuit::builder("payments").observe(dashboard.observer()).build()?;
//! dashboard.add(payments.clone());
//! dashboard.critical("payments"); // while it rejects, the health is DOWN
//!
//! let each = dashboard.clone();
//! let tenants = Registry::by_key("tenants").each(move |_: &String, circuit| circuit.observe(each.observer())).build()?;
//! dashboard.add(tenants.clone());
//!
//! payments.force_open();
//! assert!(!dashboard.health().is_up());
//! println!("{}", serde_json::to_string(&dashboard.circuits())?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All that is shown implements serde's `Serialize`, so any server can send it. With the feature `axum` there is a router with
//! all routes and a page to look at, see the [chapter](crate::guide::dashboard).
//!
//! A dashboard has no task of its own. It looks when it is asked, and takes the lock of each circuit for as long as a
//! [snapshot](crate::Circuit::snapshot) does. It makes no circuits, and keeps none from being forgotten.

#[cfg(feature = "axum")]
mod access;
#[cfg(feature = "axum")]
mod changes;
mod command;
mod health;
mod listing;
mod log;
#[cfg(feature = "axum")]
mod reply;
#[cfg(feature = "axum")]
mod router;
mod sources;
#[cfg(feature = "axum")]
mod stream;
mod view;

use std::{collections::BTreeSet, fmt, time::Duration};

#[cfg(feature = "axum")]
pub use self::router::Control;
pub use self::{
    command::{Action, Command, InvalidCommand},
    health::Health,
    log::{Logged, Observing},
    sources::{Source, Viewer},
    view::{CircuitDetail, CircuitView},
};
use self::{listing::list, log::Log};
use crate::{
    circuit::Circuit,
    observe::log_duplicate,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Shows what circuits do. Clones are the same dashboard. See the [module docs](self) for an example.
#[derive(Clone)]
pub struct Dashboard(Arc<Shared>);

struct Shared {
    sources: Mutex<Vec<Arc<dyn Source>>>,
    log: Arc<Log>,
    critical: Mutex<Arc<BTreeSet<String>>>,
    every: Mutex<Duration>,
    /// Whether a log line has said that two circuits have one name.
    warned: AtomicBool,
    #[cfg(feature = "axum")]
    streams: stream::Streams,
}

/// How many events are kept, if nothing else is said: some 200 KiB.
const EVENTS: usize = 1_000;

/// How often a stream looks for changes, if nothing else is said: people do not read faster.
const EVERY: Duration = Duration::from_secs(1);

/// Between these a stream may look.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(60);

impl Dashboard {
    /// Makes a dashboard that has nothing to show yet, and keeps the last 1,000 events.
    #[must_use]
    pub fn new() -> Self {
        Self::with_events(EVENTS)
    }

    /// Makes a dashboard that keeps the last `events` events of all circuits, some 200 bytes each.
    ///
    /// Beside these the last 20 of each circuit are kept, of the 1,000 circuits to which something has happened last, so that
    /// one that changes often does not push out all others. With 0 there is nothing but those.
    #[must_use]
    pub fn with_events(events: usize) -> Self {
        Self(Arc::new(Shared {
            sources: Mutex::default(),
            log: Arc::new(Log::new(events)),
            critical: Mutex::default(),
            every: Mutex::new(EVERY),
            warned: AtomicBool::new(false),
            #[cfg(feature = "axum")]
            streams: stream::Streams::default(),
        }))
    }

    /// Adds what is to be shown from now on: a [`Circuit`], a [`Registry`](crate::Registry), a list of circuits, or a
    /// [`Source`] of your own. It is kept as long as the dashboard is. A circuit that is added twice is shown once.
    pub fn add(&self, source: impl Source + 'static) {
        self.0.sources.lock().push(Arc::new(source));
    }

    /// Makes an observer, to be given to [`Builder::observe`](crate::circuit::Builder::observe): its events are kept, with the
    /// time of day. One does for all circuits; for those of a registry give it in
    /// [`RegistryBuilder::each`](crate::registry::RegistryBuilder::each).
    ///
    /// Without it a circuit is shown all the same, but for its events.
    #[must_use = "it keeps nothing until a circuit has it"]
    pub fn observer(&self) -> Observing {
        Observing::new(&self.0.log)
    }

    /// Says that the program is of no use while this circuit turns calls away: [`Dashboard::health`] is `DOWN` then, until its
    /// next probe is due. `id` is the name of the circuit, or for one of a registry by key `name[key]`, see [`CircuitView::id`].
    ///
    /// Default: no circuit. An instance that is taken out of service because a dependency of it is down helps nobody, unless
    /// another instance would do better.
    pub fn critical(&self, id: impl Into<String>) {
        let mut critical = self.0.critical.lock();
        Arc::make_mut(&mut critical).insert(id.into());
    }

    /// Sets how often the live streams of the feature `axum` look for changes: 10 ms to 60 s, what is beyond becomes the nearest
    /// of these. Default: 1 s.
    pub fn every(&self, every: Duration) {
        *self.0.every.lock() = every.clamp(SHORTEST, LONGEST);
    }

    /// Returns all circuits, in the order of their ids.
    ///
    /// It takes 2 to 3 microseconds for each. Nothing is kept or made.
    #[must_use]
    pub fn circuits(&self) -> Vec<CircuitView> {
        let critical = self.critical_ids();
        let listed = list(&self.sources(), |_, circuit| (circuit.snapshot(), circuit.config()));
        let views: Vec<_> = listed.into_iter().map(|listed| CircuitView::new(listed, &critical)).collect();
        if let Some(twice) = views.iter().find(|view| view.duplicate) {
            // Relaxed: it is only about one line in the log.
            if !self.0.warned.swap(true, Ordering::Relaxed) {
                let name = &twice.snapshot.name;
                log_duplicate(name, views.iter().filter(|view| view.duplicate && view.snapshot.name == *name).count());
            }
        }
        views
    }

    /// Returns one circuit and its last events; none if no circuit has this [id](CircuitView::id).
    #[must_use]
    pub fn circuit(&self, id: &str) -> Option<CircuitDetail> {
        let found = self.find(id)?;
        let circuit =
            CircuitView::new(found.map(|circuit| (circuit.snapshot(), circuit.config())), &self.critical_ids());
        let events = self.0.log.read(0, Some(&circuit.base));
        Some(CircuitDetail { circuit, events })
    }

    /// Returns the last events of all circuits that have an [observer](Dashboard::observer), the oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Logged> {
        self.0.log.read(0, None)
    }

    /// Returns the last events of one circuit, also of one that is gone; those of the circuits of one name and key are the same.
    #[must_use]
    pub fn events_of(&self, id: &str) -> Vec<Logged> {
        let found = self.find(id);
        self.0.log.read(0, Some(found.as_ref().map_or(id, |found| &found.base)))
    }

    /// Returns how many older events have been dropped, because there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.log.dropped()
    }

    /// Returns the health, in the shape of Spring's actuator.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(&self.circuits(), &self.critical_ids())
    }

    /// Does what an operator wants, and returns the circuit as it is then; none if no circuit has this
    /// [id](CircuitView::id), and then none is made.
    ///
    /// Whether they may is yours to ask. A circuit that is forgotten later forgets what was wished.
    #[must_use = "none has been found if there is no answer"]
    pub fn steer(&self, id: &str, command: Command) -> Option<CircuitDetail> {
        let found = self.find(id)?;
        command.apply(&found.seen);
        self.circuit(id)
    }

    /// The circuit of an id, held.
    fn find(&self, id: &str) -> Option<listing::Listed<Circuit>> {
        let may_be = |base: &str| id.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'));
        let listed = list(&self.sources(), |base, circuit| may_be(base).then(|| circuit.clone()));
        listed.into_iter().find(|listed| listed.id == id)?.some()
    }

    /// Sources are the user's: none is asked under the lock.
    fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.0.sources.lock().clone()
    }

    fn critical_ids(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.0.critical.lock())
    }
}

impl Default for Dashboard {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").finish_non_exhaustive()
    }
}
