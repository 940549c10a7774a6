//! What circuits are made with. It can be exchanged while they run.

use std::{collections::BTreeSet, fmt};

use super::{Key, Registry, builder::Recipe, entry::Entry};
use crate::{
    circuit::{Circuit, Tags},
    config::Config,
    state::{Giver, Mode},
    sync::Arc,
};

/// Numbers, mode and tags of a circuit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(crate) config: Config,
    pub(crate) mode: Mode,
    /// Those it is made with; they do not change.
    pub(crate) tags: Tags,
}

/// What circuits are made with.
pub(crate) struct Plan<K> {
    /// Of those that are made on demand.
    pub(crate) common: Terms,
    /// Of those that are spoken of by name.
    pub(crate) own: Option<Box<Ask<K>>>,
    /// Those names.
    pub(crate) names: BTreeSet<String>,
    /// All are disabled, the overflow among them.
    pub(crate) disabled: bool,
}

type Ask<K> = dyn Fn(&K) -> Own + Send + Sync;

/// What is said of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) terms: Option<Terms>,
    /// Disabled, whatever anybody else says, code included.
    pub(crate) disabled: bool,
}

/// What a circuit should be like. One that was inserted and of which nothing is said keeps its numbers.
struct Target {
    config: Option<Config>,
    mode: Mode,
}

impl<K> Plan<K> {
    pub(super) fn new(config: Config) -> Self {
        let common = Terms { config, mode: Mode::Auto, tags: Tags::default() };
        Self { common, own: None, names: BTreeSet::new(), disabled: false }
    }

    pub(super) fn of(&self, key: &K) -> Own {
        self.own.as_ref().map(|own| own(key)).unwrap_or_default()
    }
}

impl<K: Key> Registry<K> {
    /// Lets a circuit that was made by a plan follow those that have come since.
    pub(super) fn catch_up(&self, entry: &Entry<K>, mut plan: Arc<Plan<K>>) {
        loop {
            let now = self.0.plan();
            if Arc::ptr_eq(&plan, &now) {
                return;
            }
            self.0.recipe.bring(entry, &plan, &now);
            plan = now;
        }
    }
}

impl<K: Key> Recipe<K> {
    /// Brings a circuit from one plan to another. Its mode changes only where that of the plan does, so that an operator's
    /// wish stays.
    ///
    /// Returns what it was and what it is.
    pub(super) fn bring(&self, entry: &Entry<K>, from: &Plan<K>, to: &Plan<K>) -> (Terms, Terms) {
        let (was, will) = (self.target(entry, from), self.target(entry, to));
        let config = entry.circuit.config();
        reconfigure(&entry.circuit, will.config);
        if was.mode != will.mode {
            entry.circuit.give_mode(will.mode, Giver::Settings);
        }
        let tags = entry.circuit.tags();
        let is = Terms { config: will.config.unwrap_or(config), mode: will.mode, tags: tags.clone() };
        (Terms { config, mode: was.mode, tags }, is)
    }

    /// Gives a circuit that somebody brings what a plan says of it. An operator's wish stays, but where it is disabled.
    pub(super) fn welcome(&self, entry: &Entry<K>, plan: &Plan<K>) {
        let Target { config, mode } = self.target(entry, plan);
        reconfigure(&entry.circuit, config);
        let is_free = mode == Mode::Disabled || entry.circuit.mode_by(Giver::Operator) == Mode::Auto;
        if is_free && mode != entry.circuit.mode() {
            entry.circuit.give_mode(mode, Giver::Settings);
        }
    }

    fn target(&self, entry: &Entry<K>, plan: &Plan<K>) -> Target {
        let own = plan.of(&entry.key);
        let target = if entry.made {
            let (config, mode) = self.builder(plan, &entry.key).terms();
            Target { config: Some(config), mode }
        } else {
            let mode = own.terms.as_ref().map_or(entry.came_in, |terms| terms.mode);
            Target { config: own.terms.as_ref().map(|terms| terms.config), mode }
        };
        if own.disabled { Target { mode: Mode::Disabled, ..target } } else { target }
    }
}

pub(super) fn reconfigure(circuit: &Circuit, config: Option<Config>) {
    if let Some(config) = config.filter(|config| *config != circuit.config()) {
        circuit.reconfigure(config).expect("what is planned has been checked");
    }
}

impl<K> fmt::Debug for Plan<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("common", &self.common)
            .field("names", &self.names)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}
