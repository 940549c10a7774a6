//! Another plan for circuits that run already.

use super::{
    Key, Registry,
    builder::OVERFLOW,
    entry::Entry,
    plan::{Plan, Terms, reconfigure},
};
use crate::{
    state::{Giver, Mode},
    sync::Arc,
};

/// A circuit that follows a new plan.
#[derive(Debug)]
pub(crate) struct Turn<K> {
    pub(crate) key: Arc<K>,
    pub(crate) from: Terms,
    pub(crate) to: Terms,
}

impl<K: Key> Registry<K> {
    /// What there is no circuit for yet will be made by this plan, and what there is follows it. Tells of each circuit what it
    /// was and is, and returns the plan that was there.
    pub(crate) fn follow(&self, plan: Plan<K>) -> (Vec<Turn<K>>, Arc<Plan<K>>) {
        let plan = Arc::new(plan);
        let before = std::mem::replace(&mut *self.0.plan.lock(), Arc::clone(&plan));
        let turns = self.bring_all(&before, &plan);
        // Another plan may have come meanwhile, and a circuit that it had reached was brought back to this one.
        let mut last = plan;
        loop {
            let now = self.0.plan();
            if Arc::ptr_eq(&last, &now) {
                return (turns, before);
            }
            self.bring_all(&last, &now);
            last = now;
        }
    }

    /// Makes the circuit of a name, where circuits have names.
    pub(crate) fn make_named(&self, name: &str) {
        if let Some(make) = self.0.recipe.named {
            make(self, name);
        }
    }

    fn bring_all(&self, from: &Plan<K>, to: &Plan<K>) -> Vec<Turn<K>> {
        // The pin is given back first: what a circuit tells of runs code of the user's.
        let entries: Vec<Arc<Entry<K>>> = self.0.live.iter(&self.0.live.pin_to_read()).map(Arc::clone).collect();
        reconfigure(&self.0.overflow, Some(to.common.config));
        if from.disabled != to.disabled {
            self.0.overflow.give_mode(if to.disabled { Mode::Disabled } else { OVERFLOW }, Giver::Settings);
        }
        let turn = |entry: &Arc<Entry<K>>| {
            let (from, to) = self.0.recipe.bring(entry, from, to);
            Turn { key: Arc::clone(&entry.key), from, to }
        };
        entries.iter().map(turn).collect()
    }
}
