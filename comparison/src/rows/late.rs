//! Late results: a call that began before the trip must not answer for the probe.

use super::{Held, OPEN, Row, bad, built, good, open};
use crate::{breaker::Settings, crates::Crate, table::Cell};

pub(super) const ONE: Row = Row {
    name: "late results: one success from before the trip",
    note: "A call begins while the breaker is closed; it trips; the call succeeds while the probe is under way, and the probe then \
fails. Is it open afterwards? As many probes as the crate needs for its verdict, which is found out first: two for recloser.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(late(of, 1)),
};

pub(super) const TEN: Row = Row {
    name: "late results: ten successes from before the trip",
    note: "The same with ten calls from before the trip, as a dependency under load has them.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(late(of, 10)),
};

async fn late(of: Crate, successes: usize) -> Cell {
    let probes = probes_for_a_verdict(of).await;
    let breaker = built(of, Settings::run_of_five(OPEN));
    let (old, probe) = (Held::new(), Held::new());
    let begin = |held: &Held, job| {
        let (breaker, held) = (breaker.clone(), held.clone());
        tokio::spawn(async move { breaker.call(held.job(job)).await })
    };

    let before: Vec<_> = (0..successes).map(|_| begin(&old, good)).collect();
    old.until_started(successes).await;
    open(&breaker).await;
    let probing: Vec<_> = (0..probes).map(|_| begin(&probe, bad)).collect();
    probe.until_started(probes).await;
    for (held, calls) in [(old, before), (probe, probing)] {
        held.let_go();
        for call in calls {
            assert!(!call.await.expect("no panic").is_rejected(), "it had begun");
        }
    }

    let opened = breaker.succeed().await.is_rejected();
    Cell::when(opened, if opened { "open again" } else { "calls pass after the failed probe" })
}

/// How many failed probes open it again when nothing is late.
async fn probes_for_a_verdict(of: Crate) -> usize {
    let breaker = built(of, Settings::run_of_five(OPEN));
    open(&breaker).await;
    breaker.fail_until_open(20).await.expect("failed probes open it again")
}
