//! The probe gate: never more than so many probes at once, and never shut for good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Held, OPEN, Row, about_to_probe, bad, good, until};
use crate::{
    breaker::{Answer, Breaker, Job},
    crates::Crate,
    table::Cell,
};

const CALLERS: usize = 200;

pub(super) const HERD: Row = Row {
    name: "probe gate: 200 callers at the end of the open time",
    note: "200 callers come when the open time is over and one probe is configured. How many calls are under way at once? One \
passes. failsafe and recloser have no setting for it and do not claim a limit.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(herd(of)),
};

pub(super) const HANGS: Row = Row {
    name: "probe gate: one probe hangs",
    note: "A probe never answers, the dependency is healthy again. Does a healthy call come through within 20 times the open \
time? Nothing below the breaker ends the probe. Ours ends it by `probe_timeout`, here four times the open time; by default that is \
30 s. failsafe and recloser pass because they limit no probes.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(hangs(of, None)),
};

pub(super) const HANGS_TIMED: Row = Row {
    name: "– control: the same, with a timeout inside the breaker",
    note: "The remedy that is open to every crate: a timeout of one open time inside the breaker ends the probe with an error.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(hangs(of, Some(OPEN))),
};

async fn herd(of: Crate) -> Cell {
    let breaker = about_to_probe(of).await;
    let held = Held::new();
    let rejected = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (breaker, job, rejected) = (breaker.clone(), held.job(good), Arc::clone(&rejected));
            tokio::spawn(async move {
                if breaker.call(job).await.is_rejected() {
                    rejected.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until(|| held.started() + rejected.load(Ordering::SeqCst) == CALLERS).await;
    let at_once = held.started();
    held.let_go();
    for caller in callers {
        caller.await.expect("callers do not panic");
    }
    Cell::when(at_once == 1, format!("{at_once} at once"))
}

async fn hangs(of: Crate, inner_timeout: Option<Duration>) -> Cell {
    let breaker = about_to_probe(of).await;
    let held = Held::new();
    let probe = tokio::spawn(probe(breaker.clone(), held.clone(), inner_timeout));
    held.until_started(1).await;
    let mut rejected = 0;
    let reached = loop {
        sleep(OPEN).await;
        match breaker.succeed().await {
            Answer::Answered(_) => break true,
            Answer::Failed => panic!("the dependency is healthy"),
            Answer::Rejected => rejected += 1,
        }
        if rejected == 20 {
            break false;
        }
    };
    probe.abort();
    let open_times = rejected + 1;
    let seen = match reached {
        true => format!("reached after {open_times} open time{}", if open_times == 1 { "" } else { "s" }),
        false => format!("{rejected} of {rejected} healthy calls rejected"),
    };
    Cell::when(reached, seen)
}

async fn probe(breaker: Breaker, held: Held, inner_timeout: Option<Duration>) -> Answer {
    let job = held.job(good);
    let Some(limit) = inner_timeout else { return breaker.call(job).await };
    breaker.call(Job::new(async move { timeout(limit, job).await.unwrap_or_else(|_| bad()) })).await
}
