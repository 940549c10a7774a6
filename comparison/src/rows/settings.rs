//! Settings at the edge.

use std::{panic, time::Duration};

use super::Row;
use crate::{
    breaker::{Settings, Unbuilt},
    crates::Crate,
    table::Cell,
};

pub(super) const FOR_EVER: Row = Row {
    name: "open time `Duration::MAX`",
    note: "Somebody wants \"until I say otherwise\". A refusal when it is built passes, a panic in a call does not.",
    alone: true,
    known_gap: None,
    ask: |of| Box::pin(for_ever(of)),
};

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
