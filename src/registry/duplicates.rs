//! Circuits that bear one name and are not one.

use std::{collections::BTreeMap, fmt};

use super::{Key, Registry, entry::Entry};
use crate::{
    circuit::{Circuit, Gone},
    observe,
    sync::{Arc, Weak},
};

/// A name that several circuits bear at once, see [`Registry::duplicates`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate<K = String> {
    /// The name.
    pub name: Arc<str>,
    /// The keys of those that are in the registry, in no order.
    pub keys: Vec<Arc<K>>,
    /// How many were removed or replaced and are still in somebody's hands.
    pub elsewhere: usize,
}

impl<K: fmt::Debug> fmt::Display for Duplicate<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is the name of the circuits of {:?}", self.name, self.keys)?;
        match self.elsewhere {
            0 => Ok(()),
            1 => f.write_str(" and of one that is in the registry no more"),
            many => write!(f, " and of {many} that are in the registry no more"),
        }
    }
}

/// A circuit that was removed or replaced.
pub(super) struct Departed<K> {
    /// Kept by the map until no thread looks at it any more.
    entry: Weak<Entry<K>>,
    circuit: Gone,
}

impl<K> Departed<K> {
    pub(super) fn new(entry: &Arc<Entry<K>>) -> Self {
        Self { entry: Arc::downgrade(entry), circuit: entry.circuit.let_go() }
    }

    pub(super) fn is_there(&self) -> bool {
        self.circuit.is_there()
    }

    /// Reports whether anybody has it but the map. Drops an entry, perhaps, and so runs code of the user's.
    fn is_held(&self) -> bool {
        match self.entry.upgrade() {
            Some(entry) => entry.circuit.is_held(),
            None => self.is_there(),
        }
    }

    fn get(&self) -> Option<Circuit> {
        self.circuit.get()
    }
}

impl<K> Clone for Departed<K> {
    fn clone(&self) -> Self {
        Self { entry: Weak::clone(&self.entry), circuit: self.circuit.clone() }
    }
}

impl<K> fmt::Debug for Departed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departed").finish_non_exhaustive()
    }
}

/// What bears each name, and which circuits these are.
struct Found<K>(BTreeMap<String, (Duplicate<K>, Vec<Circuit>)>);

impl<K> Found<K> {
    /// `always` is done with each, `if_new` with a circuit that was not among them.
    fn add(
        &mut self,
        circuit: Circuit,
        always: impl FnOnce(&mut Duplicate<K>),
        if_new: impl FnOnce(&mut Duplicate<K>),
    ) {
        let begin = || (Duplicate { name: circuit.name().into(), keys: Vec::new(), elsewhere: 0 }, Vec::new());
        let (duplicate, circuits) = self.0.entry(circuit.name().to_owned()).or_insert_with(begin);
        always(duplicate);
        if !circuits.iter().any(|other| other.is_same(&circuit)) {
            if_new(duplicate);
            circuits.push(circuit);
        }
    }
}

impl<K: Key> Registry<K> {
    /// Returns the names that several circuits bear at once, sorted. Each is a mistake that is hard to see: their numbers are added
    /// up in one metric, and what an operator does to the one that is found by its key does not reach the other.
    ///
    /// It happens when a circuit is [inserted](Registry::insert) under another key than its name, and when one is replaced or
    /// removed that somebody still calls through. The circuits that a registry by key makes have one name by intention and
    /// are not told. Circuits that were never in this registry are not known to it.
    ///
    /// ```
    /// use tower_breaker::{Circuit, Registry};
    ///
    /// let circuits = Registry::by_name().build()?;
    /// let of_the_layer = circuits.circuit("payments");
    /// circuits.insert("payments".to_owned(), Circuit::builder("payments").build()?);
    /// let [duplicate] = &circuits.duplicates()[..] else { panic!("there is one") };
    /// assert_eq!(duplicate.to_string(), "`payments` is the name of the circuits of [\"payments\"] and of one that is in the registry no more");
    ///
    /// drop(of_the_layer);
    /// assert!(circuits.duplicates().is_empty());
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate<K>> {
        let mut found = Found(BTreeMap::new());
        for (key, circuit) in self.circuits().into_iter().filter(|(_, circuit)| self.has_its_own_name(circuit)) {
            found.add(circuit, |duplicate| duplicate.keys.push(key), |_| ());
        }
        let departed = self.0.books.lock().departed.clone();
        let departed = departed.iter().filter(|departed| departed.is_held()).filter_map(Departed::get);
        for circuit in departed.filter(|circuit| self.has_its_own_name(circuit)) {
            // One that has come back is known.
            found.add(circuit, |_| (), |duplicate| duplicate.elsewhere += 1);
        }
        let several = |(duplicate, circuits): (Duplicate<K>, Vec<Circuit>)| (circuits.len() > 1).then_some(duplicate);
        found.0.into_values().filter_map(several).collect()
    }

    /// Whether it does not bear that of the registry, as all do that a registry by key makes.
    fn has_its_own_name(&self, circuit: &Circuit) -> bool {
        self.has_names() || circuit.name() != self.name()
    }

    /// Whether its circuits have names, and no keys.
    pub(crate) fn has_names(&self) -> bool {
        self.0.recipe.named.is_some()
    }

    /// Warns if another circuit has the name of one that has just been inserted.
    pub(super) fn warn_of_duplicates(&self, inserted: &Circuit) {
        if !self.has_its_own_name(inserted) {
            return;
        }
        let others = {
            let pin = self.0.live.pin_to_read();
            let circuits = self.0.live.iter(&pin).map(|entry| &entry.circuit);
            circuits.filter(|other| other.name() == inserted.name() && !other.is_same(inserted)).count()
        };
        if others > 0 {
            observe::log_duplicate(inserted.name(), others + 1);
        }
    }
}
