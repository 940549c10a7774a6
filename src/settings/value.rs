//! Whatever a file says, before anything is asked of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What stands at one place of a file, in any format.
///
/// Read whole before it is judged, so that all faults can be told and not only the first.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Float(f64),
    Int(i128),
    List(Vec<Self>),
    Nothing,
    /// In the order of the file; a key may stand there twice.
    Table(Vec<Entry>),
    Text(String),
}

/// A line of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Value,
    /// The byte of the text at which the value begins, where the format has told it.
    at: Option<usize>,
}

impl Value {
    /// Returns where a setting stands, or else the innermost table on the way to it.
    pub(super) fn find(&self, path: &str, field: &str) -> Option<usize> {
        let Self::Table(entries) = self else { return None };
        entries.iter().find_map(|entry| {
            let path = join(path, &entry.key);
            let rest = field.strip_prefix(path.as_str())?;
            (rest.is_empty() || rest.starts_with('.')).then(|| entry.value.find(&path, field).or(entry.at))?
        })
    }
}

/// The path of a key. Names with dots or blanks are put in quotes, as in TOML.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let key = if plain { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::List(_) => f.write_str("a list"),
            Self::Nothing => f.write_str("nothing"),
            Self::Table(_) => f.write_str("a table"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// How a value is read.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// From any format.
    Plain,
    /// From TOML, which tells where a value stands if it is asked for a struct of this name. NOTE: the names are those of the
    /// crate `serde_spanned`, which keeps them fixed for all who deserialize a `Spanned`.
    Spanned,
}

const SPANNED: &str = "$__serde_spanned_private_Spanned";
const START: &str = "$__serde_spanned_private_start";
const END: &str = "$__serde_spanned_private_end";
const VALUE: &str = "$__serde_spanned_private_value";

/// A value, and where it begins.
type Found = (Value, Option<usize>);

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        match self {
            Self::Plain => deserializer.deserialize_any(self),
            Self::Spanned => deserializer.deserialize_struct(SPANNED, &[START, END, VALUE], self),
        }
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings of circuits")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
        Ok((Value::Bool(value), None))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Found, E> {
        Ok((Value::Int(value.into()), None))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Found, E> {
        Ok((Value::Int(value), None))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
        Ok((Value::Int(value.into()), None))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Found, E> {
        // What does not fit is far out of every bound.
        Ok((Value::Int(i128::try_from(value).unwrap_or(i128::MAX)), None))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Found, E> {
        Ok((Value::Float(value), None))
    }

    fn visit_str<E>(self, value: &str) -> Result<Found, E> {
        Ok((Value::Text(value.to_owned()), None))
    }

    fn visit_string<E>(self, value: String) -> Result<Found, E> {
        Ok((Value::Text(value), None))
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok((Value::Nothing, None))
    }

    fn visit_none<E>(self) -> Result<Found, E> {
        Ok((Value::Nothing, None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        let mut list = Vec::new();
        while let Some((item, _)) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok((Value::List(list), None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Found, A::Error> {
        let (mut table, mut start) = (Vec::new(), None);
        while let Some((key, _)) = entries.next_key_seed(Self::Plain)? {
            let key = match key {
                Value::Text(key) => key,
                // YAML takes `404:` for a number.
                Value::Bool(_) | Value::Float(_) | Value::Int(_) => key.to_string(),
                Value::List(_) | Value::Nothing | Value::Table(_) => {
                    return Err(A::Error::custom(format!("a key is {key}, must be text")));
                }
            };
            match (self, key.as_str()) {
                (Self::Spanned, START) => start = Some(entries.next_value()?),
                (Self::Spanned, END) => {
                    entries.next_value::<IgnoredAny>()?;
                }
                // The last of the three: the value itself, of whatever kind.
                (Self::Spanned, VALUE) => return entries.next_value_seed(Whole(self)).map(|value| (value, start)),
                (Self::Plain | Self::Spanned, _) => {
                    let (value, at) = entries.next_value_seed(self)?;
                    table.push(Entry { key, value, at });
                }
            }
        }
        Ok((Value::Table(table), None))
    }
}

/// The value within what tells where it stands.
struct Whole(Reading);

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self.0).map(|(value, _)| value)
    }
}
