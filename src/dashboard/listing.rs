//! Which circuit is which: an id for each, although names may be given twice.

use std::collections::HashSet;

use super::sources::{Source, Viewer};
use crate::{circuit::Circuit, sync::Arc};

/// A circuit that has been seen, and what it was seen as.
pub(super) struct Listed<T> {
    pub(super) id: String,
    /// The id it would have if it were the only one of that name and key.
    pub(super) base: String,
    /// The key, as its `Debug` prints it.
    pub(super) key: Option<String>,
    pub(super) duplicate: bool,
    pub(super) seen: T,
}

impl<T> Listed<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Listed<U> {
        let Self { id, base, key, duplicate, seen } = self;
        Listed { id, base, key, duplicate, seen: map(seen) }
    }
}

impl<T> Listed<Option<T>> {
    pub(super) fn some(self) -> Option<Listed<T>> {
        let Self { id, base, key, duplicate, seen } = self;
        Some(Listed { id, base, key, duplicate, seen: seen? })
    }
}

/// Looks at all circuits, each once, and returns them in the order of their ids. `look` is told the name and key of each.
pub(super) fn list<T>(sources: &[Arc<dyn Source>], mut look: impl FnMut(&str, &Circuit) -> T) -> Vec<Listed<T>> {
    let mut listed = Vec::new();
    let mut known = HashSet::new();
    let mut see = |circuit: &Circuit| {
        let key = circuit.key().map(|key| format!("{key:?}"));
        let base = base(circuit.name(), key.as_deref());
        // Nobody holds the circuits of a registry, so one of another key may have taken the place of one that is gone.
        if known.insert((circuit.number(), base.clone())) {
            let seen = look(&base, circuit);
            listed.push(Listed { id: String::new(), base, key, duplicate: false, seen });
        }
    };
    sources.iter().for_each(|source| source.show(&mut Viewer(&mut see)));
    give_ids(&mut listed);
    listed
}

/// The id of the only circuit of this name and key.
pub(super) fn base(name: &str, key: Option<&str>) -> String {
    key.map_or_else(|| name.to_owned(), |key| format!("{name}[{key}]"))
}

/// The first of a name has its base for an id; the others a number behind it, which is free.
fn give_ids<T>(listed: &mut [Listed<T>]) {
    // Stable, so that the numbers follow the order in which circuits were added.
    listed.sort_by(|a, b| a.base.cmp(&b.base));
    let (mut first, mut number) = (0, 1);
    for i in 0..listed.len() {
        if i > 0 && listed[i].base == listed[first].base {
            number = free_number(listed, first, number + 1);
            listed[first].duplicate = true;
            listed[i].duplicate = true;
            listed[i].id = format!("{}#{number}", listed[i].base);
        } else {
            (first, number) = (i, 1);
            listed[i].id.clone_from(&listed[i].base);
        }
    }
    listed.sort_by(|a, b| a.id.cmp(&b.id));
}

/// The first number from this on that makes no name of another circuit.
fn free_number<T>(listed: &[Listed<T>], first: usize, from: usize) -> usize {
    let is_free = |number: &usize| {
        let id = format!("{}#{number}", listed[first].base);
        listed.binary_search_by(|other| other.base.cmp(&id)).is_err()
    };
    (from..).find(is_free).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<(String, bool)> {
        let sources: Vec<Arc<dyn Source>> = names
            .iter()
            .map(|name| Arc::new(Circuit::builder(*name).build().expect("within bounds")) as Arc<dyn Source>)
            .collect();
        list(&sources, |_, _| ()).into_iter().map(|listed| (listed.id, listed.duplicate)).collect()
    }

    #[test]
    fn no_two_circuits_have_one_id() {
        let owned = |ids: &[(&str, bool)]| ids.iter().map(|(id, twice)| ((*id).to_owned(), *twice)).collect::<Vec<_>>();
        assert_eq!(ids(&["b", "a"]), owned(&[("a", false), ("b", false)]));
        assert_eq!(ids(&["a", "a", "a"]), owned(&[("a", true), ("a#2", true), ("a#3", true)]));
        let taken = [("a", true), ("a#2", false), ("a#3", true), ("a#4", true)];
        assert_eq!(ids(&["a", "a#2", "a", "a"]), owned(&taken), "the number is that of no other name");
    }

    #[test]
    fn a_circuit_of_a_registry_by_key_has_its_key_in_its_id() {
        let tenants = crate::Registry::by_key("tenants").build().expect("within bounds");
        let _ = tenants.circuit("acme");
        let listed = list(&[Arc::new(tenants) as Arc<dyn Source>], |_, _| ());
        let id = r#"tenants["acme"]"#;
        assert_eq!((listed[0].id.as_str(), listed[0].key.as_deref()), (id, Some(r#""acme""#)));
    }

    #[test]
    fn a_circuit_that_is_shown_twice_is_listed_once() {
        let circuit = Circuit::builder("a").build().expect("within bounds");
        let source: Arc<dyn Source> = Arc::new(vec![circuit.clone(), circuit]);
        assert_eq!(list(&[Arc::clone(&source), source], |_, _| ()).len(), 1);
    }
}
