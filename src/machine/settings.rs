//! The numbers of a machine and the rules made of them, shared by all that have the same.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use crate::{config::Config, machine::rules::Rules};

/// The numbers of a machine, and the rules made of them.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    has_own_rules: bool,
}

impl Settings {
    /// `config` has been checked. `has_own_rules` says whether rules that the machine does not know look at its counts.
    ///
    /// Circuits that a thread makes one after the other with the same numbers share them: of a hundred thousand circuits, one
    /// for each key, each would carry 700 bytes more.
    pub(crate) fn new(config: Config, has_own_rules: bool) -> Arc<Self> {
        thread_local! {
            static LAST: RefCell<Weak<Settings>> = const { RefCell::new(Weak::new()) };
        }
        let known = LAST.with_borrow(Weak::upgrade);
        let same = |known: &Arc<Self>| known.config == config && known.has_own_rules == has_own_rules;
        known.filter(same).unwrap_or_else(|| {
            let settings = Arc::new(Self { config, rules: Rules::new(&config, has_own_rules), has_own_rules });
            LAST.set(Arc::downgrade(&settings));
            settings
        })
    }
}
