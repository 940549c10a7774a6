//! The states of all circuits over a restart.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::{Key, Registry, entry::Entry};
use crate::{
    circuit::age,
    clock::wall,
    machine::{Memory, NotRestored, Restored},
    sync::Arc,
};

/// What the circuits of a registry knew when it was saved, see [`Registry::save`]. With the feature `serde` it can be written to
/// a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SavedCircuits {
    /// When, by the clock on the wall.
    pub at: SystemTime,
    /// What, by key.
    pub circuits: BTreeMap<String, Memory>,
}

/// What [`Registry::restore`] has made of each circuit, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "somebody should be told what was not restored"]
pub struct Restoration {
    /// By key.
    pub circuits: BTreeMap<String, Restored>,
}

/// A line for each: `payments: open again`.
impl fmt::Display for Restoration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.circuits.iter().map(|(key, restored)| format!("{key}: {restored}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl<K: Key + fmt::Display> Registry<K> {
    /// Returns what is worth knowing of the circuits after a restart: of those that are not closed, and of those that an
    /// operator has set a mode of. A mode that code or settings gave is not among it; they will give it again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_breaker::{Mode, Registry};
    ///
    /// let before = Registry::by_name().build()?;
    /// before.circuit("payments").set_mode(Mode::ForcedOpen, Some(Duration::from_secs(3_600)));
    /// let saved = before.save(); // into a file, now and then and when the process ends
    ///
    /// // … later, in another process, after `apply` and before the first call …
    /// let after = Registry::by_name().build()?;
    /// let restoration = after.restore(&saved, Duration::from_secs(600));
    /// println!("{restoration}"); // payments: in its mode again
    /// assert_eq!(after.circuit("payments").mode(), Mode::ForcedOpen);
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    #[must_use]
    pub fn save(&self) -> SavedCircuits {
        let entries: Vec<Arc<Entry<K>>> = self.0.live.iter(&self.0.live.pin_to_read()).map(Arc::clone).collect();
        let circuits = entries.iter().map(|entry| (entry.key.to_string(), entry.circuit.memory()));
        SavedCircuits { at: wall(), circuits: circuits.filter(|(_, memory)| !memory.is_nothing()).collect() }
    }
}

impl<K: Key + Clone + fmt::Display + FromStr> Registry<K> {
    /// Takes up what was saved, if that is no older than `max_age`, as [`Circuit::restore`](crate::Circuit::restore) does, and says
    /// what has become of each circuit. Those that are not there are made.
    ///
    /// Call it after `apply` (feature `serde`), if you do, and before the first call.
    pub fn restore(&self, saved: &SavedCircuits, max_age: Duration) -> Restoration {
        self.restore_at(saved, max_age, wall())
    }

    /// [`Registry::restore`] at a time by the clock on the wall, for tests and for programs that have their own.
    pub fn restore_at(&self, saved: &SavedCircuits, max_age: Duration, now: SystemTime) -> Restoration {
        let ago = age(saved.at, max_age, now);
        let restore = |(key, memory): (&String, &Memory)| {
            let restored = ago.and_then(|ago| self.recall(key, memory, ago));
            (key.clone(), restored.unwrap_or_else(Restored::neither))
        };
        Restoration { circuits: saved.circuits.iter().map(restore).collect() }
    }

    fn recall(&self, key: &str, memory: &Memory, ago: Duration) -> Result<Restored, NotRestored> {
        if memory.is_nothing() {
            return Err(NotRestored::Nothing);
        }
        let key: K = key.parse().map_err(|_| NotRestored::NoSuchKey)?;
        let circuit = self.circuit(&key);
        // That one is shared by strangers.
        if circuit.is_same(self.overflow()) { Err(NotRestored::NoRoom) } else { Ok(circuit.recall(memory, ago)) }
    }
}
