//! `200` is not the end: the head is fine and the body is the failure.

use http_body_util::BodyExt;

use super::{Row, STAYS_OPEN, built};
use crate::{
    breaker::{Answer, Settings},
    crates::Crate,
    dependency::{Behaviour, Dependency},
    table::Cell,
};

const CALLS: usize = 100;

pub(super) const DIES: Row = Row {
    name: "200 is not the end: the body dies",
    note: "A server sends `200`, a tenth of the body, and ends the connection, 100 times. How many calls still reach it? None of \
the four others claims to see bodies, and failsafe and recloser know nothing of HTTP; ours does where it is told to.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(calls_that_reach(of, Behaviour::BodyDies)),
};

pub(super) const CONTROL: Row = Row {
    name: "– control: the same with `503`",
    note: "The same server, client and settings with a failure in the head. recloser opens one later than its window is long.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(calls_that_reach(of, Behaviour::Unavailable)),
};

async fn calls_that_reach(of: Crate, behaviour: Behaviour) -> Cell {
    let breaker = built(of, Settings::run_of_five(STAYS_OPEN));
    let dependency = Dependency::start(behaviour).await.expect("loopback");
    for _ in 0..CALLS {
        if let Answer::Answered(response) = breaker.call(dependency.get()).await {
            let whole = response.into_body().collect().await.is_ok();
            assert!(!(whole && matches!(behaviour, Behaviour::BodyDies)), "the body was to die");
        }
    }
    let reached = dependency.reached();
    Cell::when(reached < CALLS / 10, format!("{reached} of {CALLS} sent"))
}
