//! One table of a file: its values are taken one by one, and what is wrong with any of them is noted.

use super::{
    scalar::Scalar,
    value::{Entry, Value, join},
};
use crate::config::Fault;

/// One table, with the path that leads to it.
pub(super) struct Fields<'v, 'f> {
    path: String,
    entries: &'v [Entry],
    /// What was asked for, there or not.
    known: Vec<&'static str>,
    faults: &'f mut Vec<Fault>,
}

impl<'v, 'f> Fields<'v, 'f> {
    /// Looks at a table; whatever else stands there is a fault.
    pub(super) fn new(path: String, value: &'v Value, faults: &'f mut Vec<Fault>) -> Self {
        let entries = match value {
            Value::Table(entries) => entries.as_slice(),
            // An empty section of YAML.
            Value::Nothing => &[],
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Text(_) => {
                faults.push(Fault::read(path.clone(), value, "a table"));
                &[]
            }
        };
        for (at, Entry { key, value, .. }) in entries.iter().enumerate() {
            if entries[..at].iter().any(|before| before.key == *key) {
                faults.push(Fault::read(join(&path, key), value, "given once"));
            }
        }
        Self { path, entries, known: Vec::new(), faults }
    }

    /// Returns the value of a key, if it is there.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'v Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Returns the path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Reads the value of a key; none if it is not there, or no such thing.
    pub(super) fn read<T: Scalar>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
        let read = T::read(value);
        if read.is_none() {
            self.fault(key, value, T::EXPECTED);
        }
        read
    }

    /// Reads the value of a key into its place.
    pub(super) fn set<T: Scalar>(&mut self, key: &'static str, place: &mut T) {
        if let Some(read) = self.read(key) {
            *place = read;
        }
    }

    /// Reads one of some words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let value = self.value(key)?;
        let found = match value {
            Value::Text(text) => words.iter().find(|(word, _)| word == text).map(|(_, meant)| *meant),
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => {
                None
            }
        };
        if found.is_none() {
            self.fault(key, value, one_of(words.iter().map(|(word, _)| *word)));
        }
        found
    }

    /// Looks at the table of a key, if it is there.
    pub(super) fn table<'s>(&'s mut self, key: &'static str) -> Option<Fields<'v, 's>> {
        let value = self.value(key)?;
        Some(Fields::new(join(&self.path, key), value, self.faults))
    }

    /// Looks at all values of a table whose keys are names.
    pub(super) fn names(&mut self, key: &'static str) -> Vec<(&'v str, String, &'v Value)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        let below = |name: &str| join(&table.path, name);
        table.entries.iter().map(|entry| (entry.key.as_str(), below(&entry.key), &entry.value)).collect()
    }

    /// Notes a fault of a key of this table.
    pub(super) fn fault(&mut self, key: &str, value: impl std::fmt::Display, bound: impl Into<String>) {
        self.faults.push(Fault::read(join(&self.path, key), value, bound));
    }

    /// Notes a fault of something below this table.
    pub(super) fn note(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Notes a key that must be there. True if it is.
    pub(super) fn needs(&mut self, key: &str, expected: &str) -> bool {
        let there = self.has(key);
        if !there {
            self.fault(key, "missing", expected);
        }
        there
    }

    /// Notes what nobody has asked for.
    pub(super) fn end(self) {
        for Entry { key, value, .. } in self.entries {
            if !self.known.contains(&key.as_str()) {
                let mut known = self.known.clone();
                known.sort_by_key(|known| distance(known, key));
                let bound = format!("absent: there are only {}", list(known.into_iter()));
                self.faults.push(Fault::read(join(&self.path, key), value, bound));
            }
        }
    }
}

/// The words, with "one of" before them.
pub(super) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", list(words))
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// How many letters must be put in, taken out or changed (Levenshtein), so that the key that was meant comes first.
fn distance(known: &str, key: &str) -> usize {
    // A key that somebody has made long on purpose is like none.
    if key.len() > 64 {
        return key.len();
    }
    let mut row: Vec<usize> = (0..=key.len()).collect();
    for (i, known) in known.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, byte) in key.bytes().enumerate() {
            let changed = diagonal + usize::from(known != byte);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j].min(row[j + 1]) + 1);
        }
    }
    row[key.len()]
}
