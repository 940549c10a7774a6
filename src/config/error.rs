//! What is wrong with a config, all of it at once.

use std::{borrow::Cow, error::Error, fmt};

/// The settings cannot be used; names every fault, not only the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    /// `faults` must not be empty.
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self { faults }
    }

    /// The same faults, with the line that each field stands in.
    #[cfg(feature = "serde")]
    pub(crate) fn with_lines(self, line: impl Fn(&str) -> Option<usize>) -> Self {
        let faults = self.faults.into_iter().map(|fault| Fault { line: line(&fault.field), ..fault });
        Self { faults: faults.collect() }
    }

    #[cfg(feature = "stack")]
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Returns all faults, in the order of the fields.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid settings: ")?;
        for (i, fault) in self.faults.iter().enumerate() {
            let gap = if i == 0 { "" } else { "; " };
            write!(f, "{gap}{fault}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}

/// One setting that is out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    field: Cow<'static, str>,
    value: String,
    bound: String,
    line: Option<usize>,
}

impl Fault {
    pub(crate) fn new(field: &'static str, value: impl fmt::Debug, bound: impl Into<String>) -> Self {
        Self { field: field.into(), value: format!("{value:?}"), bound: bound.into(), line: None }
    }

    /// A value that was read from a file, at a path that only the file knows.
    #[cfg(feature = "serde")]
    pub(crate) fn read(field: String, value: impl fmt::Display, bound: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.to_string(), bound: bound.into(), line: None }
    }

    /// The same fault, of a setting that stands in this table of a file.
    #[cfg(feature = "serde")]
    pub(crate) fn below(self, table: &str) -> Self {
        Self { field: format!("{table}.{}", self.field).into(), ..self }
    }

    /// The same fault, of a setting that has this name in a file.
    #[cfg(all(feature = "serde", feature = "stack"))]
    pub(crate) fn named(self, field: &'static str) -> Self {
        Self { field: field.into(), ..self }
    }

    /// Returns the path of the setting, such as `failure_rate.threshold`; in settings that were read from a file it begins
    /// with the table: `by_name.payments.failure_rate.threshold`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns the value that was given, as text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the line of the file, from 1, if it is known: see `settings::TomlDraft` (feature `serde`).
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Returns what the value must be, as text.
    #[must_use]
    pub fn bound(&self) -> &str {
        &self.bound
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, must be {}", self.field, self.value, self.bound)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}
