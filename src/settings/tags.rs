//! The tags of a circuit: the table `tags`, whose keys are names.

use super::{fields::Fields, value::Value};
use crate::{circuit::Tags, config::Fault};

/// Lays what the table says over the tags that are there; those it does not name stay.
pub(super) fn lay_over(tags: &mut Tags, fields: &mut Fields<'_, '_>) {
    for (name, path, value) in fields.names("tags") {
        match value {
            Value::Text(text) => tags.set(name.to_owned(), text.clone()),
            // What would be the text of 1.0?
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Nothing | Value::Table(_) => {
                fields.note(Fault::read(path, value, "text"));
            }
        }
    }
}
