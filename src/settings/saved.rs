//! How the states of a registry are written, and read in another process.

use serde::{
    de::{Deserialize, Deserializer, Error as _},
    ser::{Serialize, SerializeMap, Serializer},
};

use super::{
    Draft,
    memory::{Written, read, read_memory, write_head},
};
use crate::{config::ConfigError, registry::SavedCircuits};

/// A table with `version`, `saved_at`, and `circuits`, each by its key.
impl Serialize for SavedCircuits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        write_head::<S>(&mut table, self.at)?;
        table.serialize_entry("circuits", &Circuits(self))?;
        table.end()
    }
}

struct Circuits<'s>(&'s SavedCircuits);

impl Serialize for Circuits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.circuits.iter().map(|(key, memory)| (key, Written(memory))))
    }
}

/// From a draft, to have the faults one by one.
impl TryFrom<&Draft> for SavedCircuits {
    type Error = ConfigError;

    /// # Errors
    ///
    /// [`ConfigError`] names every key that there is not, and every value that cannot be read.
    fn try_from(draft: &Draft) -> Result<Self, ConfigError> {
        read(draft, |fields| {
            let circuits = fields.names("circuits").into_iter();
            circuits.map(|(key, path, value)| (key.to_owned(), read_memory(path, value, fields))).collect()
        })
        .map(|(at, circuits)| Self { at, circuits })
    }
}

impl<'de> Deserialize<'de> for SavedCircuits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(&Draft::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
