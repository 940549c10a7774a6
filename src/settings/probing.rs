//! The settings of probing, of which there are three kinds.

use std::time::Duration;

use super::{
    fields::Fields,
    scalar::{Scalar, Share},
    value::Value,
};
use crate::config::{Jitter, Probing};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Backoff,
    Fixed,
    SquareRoot,
}

const KINDS: [(&str, Kind); 3] =
    [("backoff", Kind::Backoff), ("fixed", Kind::Fixed), ("square_root", Kind::SquareRoot)];

/// Another `kind` than the one inherited starts from its own defaults; durations that have none must be there.
pub(super) fn lay_over(probing: &mut Probing, fields: &mut Fields<'_, '_>) {
    let Some(mut table) = fields.table("probing") else { return };
    let had = match probing {
        Probing::Backoff { .. } => Kind::Backoff,
        Probing::Fixed { .. } => Kind::Fixed,
        Probing::SquareRoot { .. } => Kind::SquareRoot,
    };
    let kind = if table.has("kind") { table.word("kind", &KINDS) } else { Some(had) };
    table.value("kind");
    let mut complete = true;
    if let Some(new) = kind.filter(|kind| *kind != had) {
        let (start, needs): (_, &[&str]) = match new {
            Kind::Backoff => (Probing::backoff(Duration::ZERO, Duration::ZERO), &["base", "max"]),
            Kind::Fixed => (Probing::fixed(Duration::ZERO), &["wait"]),
            Kind::SquareRoot => (Probing::SQUARE_ROOT, &[]),
        };
        for key in needs {
            complete &= table.needs(key, Duration::EXPECTED);
        }
        let mut other = start;
        fill(&mut other, &mut table);
        if complete {
            *probing = other;
        }
    } else {
        fill(probing, &mut table);
    }
    // With a word that is no kind, nobody can say which keys belong there.
    if kind.is_some() {
        table.end();
    }
}

fn fill(probing: &mut Probing, table: &mut Fields<'_, '_>) {
    match probing {
        Probing::Backoff { base, factor, max, jitter } => {
            table.set("base", base);
            table.set("factor", factor);
            table.set("max", max);
            read_jitter(jitter, table);
        }
        Probing::Fixed { wait, jitter } => {
            table.set("wait", wait);
            read_jitter(jitter, table);
        }
        Probing::SquareRoot { scale, max, spread } => {
            table.set("scale", scale);
            table.set("max", max);
            if let Some(Share(share)) = table.read("spread") {
                *spread = share;
            }
        }
    }
}

/// `"equal"`, `"full"`, `"none"`, or a share.
fn read_jitter(place: &mut Jitter, table: &mut Fields<'_, '_>) {
    match table.value("jitter") {
        None => {}
        Some(Value::Text(word)) if word == "equal" => *place = Jitter::Equal,
        Some(Value::Text(word)) if word == "full" => *place = Jitter::Full,
        Some(Value::Text(word)) if word == "none" => *place = Jitter::None,
        Some(value) => match Share::read(value) {
            Some(Share(share)) => *place = Jitter::Spread(share),
            None => table.fault("jitter", value, "`equal`, `full`, `none`, or a share such as `0.2` or `\"20%\"`"),
        },
    }
}
