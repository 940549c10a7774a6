//! How the state of a circuit is written, and read in another process.

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use serde::{
    de::{Deserialize, Deserializer, Error as _},
    ser::{Error as _, Serialize, SerializeMap, Serializer},
};

use super::{
    Draft,
    circuit::MODES,
    fields::{Fields, one_of},
    scalar::Scalar,
    value::Value,
};
use crate::{
    circuit::Saved,
    config::{ConfigError, Fault},
    machine::{Memory, OutageMemory},
    state::State,
};

/// The number of the form in which states are written.
const VERSION: u32 = 1;

/// A table with `version`, `saved_at`, and what `circuit` knew.
impl Serialize for Saved {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        write_head::<S>(&mut table, self.at)?;
        table.serialize_entry("circuit", &Written(&self.memory))?;
        table.end()
    }
}

/// From a draft, to have the faults one by one.
impl TryFrom<&Draft> for Saved {
    type Error = ConfigError;

    /// # Errors
    ///
    /// [`ConfigError`] names every key that there is not, and every value that cannot be read.
    fn try_from(draft: &Draft) -> Result<Self, ConfigError> {
        read(draft, |fields| {
            let memory = fields.value("circuit").map(|value| (fields.path_of("circuit"), value));
            memory.map_or_else(Memory::nothing, |(path, value)| read_memory(path, value, fields))
        })
        .map(|(at, memory)| Self { at, memory })
    }
}

impl<'de> Deserialize<'de> for Saved {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(&Draft::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Writes the version and the time.
pub(super) fn write_head<S: Serializer>(table: &mut S::SerializeMap, at: SystemTime) -> Result<(), S::Error> {
    table.serialize_entry("version", &VERSION)?;
    table.serialize_entry("saved_at", &date(at).ok_or_else(|| S::Error::custom("a date from 1970 to 9999"))?)
}

/// Reads the version, the time, and by `rest` what else there is.
pub(super) fn read<'v, T>(
    draft: &'v Draft,
    rest: impl FnOnce(&mut Fields<'v, '_>) -> T,
) -> Result<(SystemTime, T), ConfigError> {
    let mut faults = Vec::new();
    let mut fields = Fields::new(String::new(), draft.value(), &mut faults);
    if fields.needs("version", "1") {
        let version = fields.read::<u32>("version");
        if let Some(version) = version.filter(|version| *version != VERSION) {
            // Of what another version has written nothing is known.
            let bound = format!("{VERSION}: another version of this crate has written it");
            return Err(ConfigError::new(vec![Fault::read("version".to_owned(), version, bound)]));
        }
    }
    fields.needs("saved_at", SystemTime::EXPECTED);
    let at = fields.read("saved_at");
    let rest = rest(&mut fields);
    fields.end();
    match at {
        Some(at) if faults.is_empty() => Ok((at, rest)),
        Some(_) | None => Err(ConfigError::new(faults)),
    }
}

/// A memory as a table; what says nothing is left out.
pub(super) struct Written<'m>(pub(super) &'m Memory);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Memory { state, wait_left, outage, mode, mode_ends_in } = self.0;
        let mut table = serializer.serialize_map(None)?;
        table.serialize_entry("state", state.as_str())?;
        table.serialize_entry("mode", mode.as_str())?;
        if let Some(left) = mode_ends_in {
            table.serialize_entry("mode_ends_in", &text(*left))?;
        }
        if *state == State::Open {
            table.serialize_entry("wait_left", &text(*wait_left))?;
        }
        if let Some(outage) = outage {
            let OutageMemory { lasted, reason, openings, failed_probes, relapses, traffic, usual_latency } = outage;
            table.serialize_entry("outage_lasted", &text(*lasted))?;
            if let Some(reason) = reason {
                table.serialize_entry("reason", &**reason)?;
            }
            table.serialize_entry("openings", openings)?;
            table.serialize_entry("failed_probes", failed_probes)?;
            table.serialize_entry("relapses", relapses)?;
            table.serialize_entry("traffic", traffic)?;
            if let Some(latency) = usual_latency {
                table.serialize_entry("usual_latency", &text(*latency))?;
            }
        }
        table.end()
    }
}

/// Reads a table that [`Written`] has written.
pub(super) fn read_memory<'v>(path: String, value: &'v Value, above: &mut Fields<'v, '_>) -> Memory {
    let mut faults = Vec::new();
    let mut fields = Fields::new(path, value, &mut faults);
    let mut memory = Memory::nothing();
    let states = State::ALL.map(|state| (state.as_str(), state));
    if fields.needs("state", &one_of(states.iter().map(|(word, _)| *word))) {
        memory.state = fields.word("state", &states).unwrap_or_default();
    }
    memory.mode = fields.word("mode", &MODES).unwrap_or_default();
    memory.mode_ends_in = fields.read("mode_ends_in");
    fields.set("wait_left", &mut memory.wait_left);
    let mut outage = OutageMemory::default();
    fields.set("outage_lasted", &mut outage.lasted);
    outage.reason = fields.read::<String>("reason").map(Into::into);
    fields.set("openings", &mut outage.openings);
    fields.set("failed_probes", &mut outage.failed_probes);
    fields.set("relapses", &mut outage.relapses);
    fields.set("traffic", &mut outage.traffic);
    if !(0.0..f64::INFINITY).contains(&outage.traffic) {
        fields.fault("traffic", outage.traffic, "a number, zero or above");
    }
    outage.usual_latency = fields.read("usual_latency");
    fields.end();
    faults.into_iter().for_each(|fault| above.note(fault));
    memory.outage = (memory.state != State::Closed).then_some(outage);
    memory
}

/// `1m 30s 250ms`: as settings are written, and exact.
fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// `2026-11-28T15:24:03.000000000Z`; none where four digits do not hold the year.
fn date(at: SystemTime) -> Option<String> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_nanos(at)).ok()?;
    Some(text)
}

impl Scalar for SystemTime {
    const EXPECTED: &'static str = "a date such as `2026-11-28T15:24:03Z`";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => humantime::parse_rfc3339(text.trim()).ok(),
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => {
                None
            }
        }
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "text";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => {
                None
            }
        }
    }
}
