//! Settings at the edge, and what a breaker weighs.

use std::{panic, time::Duration};

use allocation_counter::measure;

use super::Row;
use crate::{
    breaker::{Settings, Unbuilt},
    crates::Crate,
    table::{Cell, with_commas},
};

pub(super) const FOR_EVER: Row = Row {
    name: "open time `Duration::MAX`",
    note: "Somebody wants \"until I say otherwise\". A refusal when it is built passes, a panic in a call does not.",
    alone: true,
    known_gap: None,
    ask: |of| Box::pin(for_ever(of)),
};

pub(super) const SIZE: Row = Row {
    name: "heap of one breaker: a run of five",
    note: "Bytes that a new breaker keeps on the heap, with the wrapper of this test, which is the same for all. Ours is for its \
default features; the name of the circuit is in it.",
    alone: true,
    known_gap: None,
    ask: |of| Box::pin(async move { size(of) }),
};

fn size(of: Crate) -> Cell {
    let settings = Settings::run_of_five(Duration::from_secs(30));
    // What is made once in a process, not once for a breaker.
    let first = of.build(settings);
    let mut second = None;
    let kept = measure(|| second = Some(of.build(settings))).bytes_current.unsigned_abs();
    drop((first, second));
    Cell::measured(format!("{} bytes", with_commas(kept)))
}

async fn for_ever(of: Crate) -> Cell {
    let breaker = match of.build(Settings::run_of_five(Duration::MAX)) {
        Ok(breaker) => breaker,
        Err(Unbuilt::NoSuchRule(why)) => return Cell::none(why),
        Err(Unbuilt::Refused(_)) => return Cell::when(true, "refused by `build`, with field, value and bound"),
    };
    let report = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let opened = tokio::spawn(async move { breaker.fail_until_open(20).await.is_some() }).await;
    panic::set_hook(report);
    match opened {
        Ok(true) => Cell::when(true, "opens and stays open"),
        Ok(false) => Cell::when(false, "never opens"),
        Err(_) => Cell::when(false, "the call that opens it panics"),
    }
}
