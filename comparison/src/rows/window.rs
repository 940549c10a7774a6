//! The window: it must slide, and what it holds must not make calls dearer.

use std::time::{Duration, Instant};

use super::{Row, STAYS_OPEN};
use crate::{
    breaker::{Breaker, Rule, Settings, Unbuilt},
    crates::Crate,
    table::{Cell, with_commas},
};

const WINDOW: usize = 100;
const HEALTHY: [usize; 5] = [0, 100, 1_000, 10_000, 100_000];

pub(super) const SLIDES: Row = Row {
    name: "sliding window: failures to open after 0 / 100 / 1,000 / 10,000 / 100,000 healthy calls",
    note: "A count window of 100 at 50 %, judged when it is full. Half of it must fail, however long the dependency was healthy \
before: about 50 from 100 healthy calls on. failsafe has a moving average over time and runs of failures instead, and a run does not \
depend on the past.",
    alone: true,
    known_gap: None,
    ask: |of| Box::pin(slides(of)),
};

pub(super) const COST: Row = Row {
    name: "time window: cost of a call with 1,000 and with 10,000 calls in it",
    note: "A window of 60 s, two of five calls fail. It grows if a call costs half as much again with ten times the records, \
the quickest of ten hundreds. throttle-net holds the failures only and counts them anew at each failure; failsafe has a moving average. A timing: it says yes or no, \
no more.",
    alone: true,
    known_gap: None,
    ask: |of| Box::pin(cost(of)),
};

async fn slides(of: Crate) -> Cell {
    let mut needed = Vec::new();
    for healthy in HEALTHY {
        let settings = Settings { rule: Rule::Calls(WINDOW), open: STAYS_OPEN, cancelled_after: None };
        let breaker = match of.build(settings) {
            Ok(breaker) => breaker,
            Err(Unbuilt::NoSuchRule(why)) => return Cell::none(why),
            Err(Unbuilt::Refused(why)) => panic!("{of:?}: {why}"),
        };
        for _ in 0..healthy {
            breaker.succeed().await;
        }
        needed.push(breaker.fail_until_open(2 * HEALTHY[4]).await.expect("it opens at last"));
    }
    let slides = needed[1..].iter().all(|failures| *failures <= WINDOW / 2 + 1);
    let seen: Vec<_> = needed.iter().map(|failures| with_commas(*failures as u64)).collect();
    Cell::when(slides, seen.join(" / "))
}

async fn cost(of: Crate) -> Cell {
    let mut nanos = Vec::new();
    for records in [1_000, 10_000] {
        let settings = Settings { rule: Rule::Time(Duration::from_secs(60)), open: STAYS_OPEN, cancelled_after: None };
        let breaker = match of.build(settings) {
            Ok(breaker) => breaker,
            Err(Unbuilt::NoSuchRule(why)) => return Cell::none(why),
            Err(Unbuilt::Refused(why)) => panic!("{of:?}: {why}"),
        };
        calls(&breaker, records).await;
        let mut least = Duration::MAX;
        for _ in 0..10 {
            least = least.min(timed(&breaker, 100).await);
        }
        nanos.push(least.as_nanos());
    }
    let grows = 2 * nanos[1] > 3 * nanos[0];
    Cell::when(!grows, if grows { "grows" } else { "does not grow" })
}

/// Makes calls of which two of five fail; none may be rejected.
async fn calls(breaker: &Breaker, calls: usize) {
    for i in 0..calls {
        let answer = if i % 5 < 3 { breaker.succeed().await } else { breaker.fail().await };
        assert!(!answer.is_rejected(), "40 % are below the threshold");
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is real time")]
async fn timed(breaker: &Breaker, number: usize) -> Duration {
    let begin = Instant::now();
    calls(breaker, number).await;
    begin.elapsed()
}
