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
/// The timeout outside the breaker.
const GIVES_UP: Duration = Duration::from_millis(40);
const CANCELLED_AFTER: Duration = Duration::from_millis(30);

pub(super) const BLACK_HOLE: Row = Row {
    name: "who hung up: a black hole behind an outer timeout",
    note: "A server takes the request and never answers; a timeout of 40 ms stands outside the breaker. Does it open within 50 \
calls? Ours needs `cancelled_after` for it, here 30 ms; by default a dropped call is neutral, as in tower-resilience, failsafe and \
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
    let sent = sent_into_a_black_hole(of, settings()).await;
    let mut seen = match sent {
        CALLS => format!("{CALLS} of {CALLS} sent"),
        sent => format!("opens after {sent}"),
    };
    if of == Crate::Ours {
        let unset = sent_into_a_black_hole(of, Settings::run_of_five(STAYS_OPEN)).await;
        seen += &format!(" (`cancelled_after` not set: {unset} of {CALLS} sent)");
    }
    Cell::when(sent < CALLS, seen)
}

async fn sent_into_a_black_hole(of: Crate, settings: Settings) -> usize {
    let breaker = built(of, settings);
    let hole = Dependency::start(Behaviour::BlackHole).await.expect("loopback");
    for _ in 0..CALLS {
        if let Ok(answer) = timeout(GIVES_UP, breaker.call(hole.get())).await {
            assert!(answer.is_rejected(), "a black hole does not answer: {answer:?}");
            break;
        }
    }
    hole.reached()
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
