//! Who hung up: a timeout that gives up on a dead dependency, or a caller who has no patience with a healthy one?

use std::time::Duration;

use tokio::time::timeout;

use super::{Row, STAYS_OPEN, built};
use crate::{
    breaker::Settings,
    crates::Crate,
    dependency::{Behaviour, Dependency},
    table::Cell,
};

const CALLS: usize = 50;
/// How many are under way at once, so that 50 timeouts do not take long.
const AT_ONCE: usize = 10;
/// The timeout outside the breaker: far from 1 ms, so that a busy machine does not make patience of impatience.
const GIVES_UP: Duration = Duration::from_millis(400);
const CANCELLED_AFTER: Duration = Duration::from_millis(300);

pub(super) const BLACK_HOLE: Row = Row {
    name: "who hung up: a black hole behind an outer timeout",
    note: "A server takes the request and never answers; a timeout of 400 ms stands outside the breaker. Does it open within 50 \
calls, ten at a time? Ours needs `cancelled_after` for it, here 300 ms; by default a dropped call is neutral, as in tower-resilience, failsafe and \
recloser, and its guide too says that the timeout belongs inside. throttle-net documents that it counts a dropped call as a failure.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(black_hole(of)),
};

pub(super) const IMPATIENT: Row = Row {
    name: "who hung up: callers leave a healthy dependency",
    note: "With the same settings 50 callers leave after 1 ms of a healthy call of 20 ms. Does it stay closed? throttle-net \
documents that they count, and that such calls should be settled by hand.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(impatient(of)),
};

fn settings() -> Settings {
    Settings { cancelled_after: Some(CANCELLED_AFTER), ..Settings::run_of_five(STAYS_OPEN) }
}

async fn black_hole(of: Crate) -> Cell {
    let by_default = Settings { cancelled_after: None, ..settings() };
    let (sent, unset) = tokio::join!(sent_into_a_black_hole(of, settings()), sent_into_a_black_hole(of, by_default));
    let mut seen = seen(sent);
    if of == Crate::Ours {
        seen += &format!(" (`cancelled_after` not set: {})", self::seen(unset));
    }
    Cell::when(sent < CALLS, seen)
}

fn seen(sent: usize) -> String {
    if sent < CALLS { format!("opens after {sent}") } else { format!("{CALLS} of {CALLS} sent") }
}

/// How many of the calls are made.
async fn sent_into_a_black_hole(of: Crate, settings: Settings) -> usize {
    let breaker = built(of, settings);
    let hole = Dependency::start(Behaviour::BlackHole).await.expect("loopback");
    let mut sent = 0;
    for _ in 0..CALLS / AT_ONCE {
        let calls: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (breaker, call) = (breaker.clone(), hole.get());
                tokio::spawn(async move { timeout(GIVES_UP, breaker.call(call)).await })
            })
            .collect();
        for call in calls {
            match call.await.expect("callers do not panic") {
                Ok(answer) => assert!(answer.is_rejected(), "a black hole does not answer: {answer:?}"),
                Err(_) => sent += 1,
            }
        }
    }
    sent
}

async fn impatient(of: Crate) -> Cell {
    let breaker = built(of, settings());
    let healthy = Dependency::start(Behaviour::Healthy(Duration::from_millis(20))).await.expect("loopback");
    for left in 0..CALLS {
        match timeout(Duration::from_millis(1), breaker.call(healthy.get())).await {
            Ok(answer) if answer.is_rejected() => return Cell::when(false, format!("opens after {left}")),
            // A caller who was late to leave has its answer.
            Ok(_) | Err(_) => {}
        }
    }
    let stays = !breaker.call(healthy.get()).await.is_rejected();
    Cell::when(stays, if stays { "stays closed" } else { "opens" })
}
