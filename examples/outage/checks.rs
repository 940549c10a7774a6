//! What must hold, so that the example is a test as well.
//!
//! The bounds leave room for a busy machine with two cores: times may be two to five times what an idle one needs. None
//! can be met by a circuit that does nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    measure::{Figures, Outage, Recovery, SETTLED},
    report::{number, percent, wait},
    sides::Sides,
};

/// A sentence that holds or does not, with the figure it was found by.
pub(crate) struct Check {
    pub(crate) says: String,
    pub(crate) holds: bool,
}

/// Returns all checks.
pub(crate) fn all(figures: &Figures) -> Vec<Check> {
    let outages = figures.outages.iter().flat_map(of_outage);
    let recoveries = figures.recoveries.iter().flat_map(of_recovery);
    outages.chain(recoveries).chain(of_the_whole(figures)).collect()
}

impl Check {
    fn new(holds: bool, says: String) -> Self {
        Self { says, holds }
    }

    fn within(bound: Duration, measured: Option<Duration>, what: &str) -> Self {
        let found = measured.map_or_else(|| "never".into(), wait);
        Self::new(measured.is_some_and(|time| time <= bound), format!("{what} within {}: {found}", wait(bound)))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "says": self.says, "holds": self.holds })
    }
}

/// An idle machine needs 0.3 to 0.7 s to detect, and some 10 % of the calls get through.
fn of_outage(outage: &Outage) -> Vec<Check> {
    let back_end = outage.behaviour.as_str();
    let Sides { without, with } = outage.reached;
    let served = outage.served.without;
    let p50 = outage.settled_waits.with.p50;
    vec![
        Check::within(SETTLED, outage.detected, &format!("{back_end}: opens")),
        Check::new(
            without > 0 && with * 10 <= without * 4,
            format!("{back_end}: at most 40 % of the calls reach it: {} of {}", number(with), number(without)),
        ),
        Check::new(served < 0.5, format!("{back_end}: hurts users without the breaker: {} served", percent(served))),
        Check::new(
            p50 < Duration::from_millis(50),
            format!("{back_end}: half of the users with the breaker wait less than 50 ms: {}", wait(p50)),
        ),
    ]
}

/// An idle machine needs 0.1 to 0.5 s for full traffic, and 1 s more, the probation, to close.
fn of_recovery(recovery: &Recovery) -> Vec<Check> {
    let after = recovery.after.as_str();
    let full = recovery.full_traffic.with;
    vec![
        Check::within(Duration::from_millis(1_500), full, &format!("{after}, then works: full traffic")),
        Check::within(Duration::from_millis(3_300), recovery.closed, &format!("{after}, then works: closed")),
    ]
}

fn of_the_whole(figures: &Figures) -> Vec<Check> {
    let first = figures.served_at_first;
    let reached = figures.reached;
    let p99 = figures.settled_waits.map(|waits| waits.p99);
    let tenth = figures.served_at_tenth;
    let mut checks = vec![
        Check::new(
            first.without >= 0.98 && first.with >= 0.98,
            format!("before all outages 98 % are served: {} and {}", percent(first.without), percent(first.with)),
        ),
        Check::new(
            reached.with * 4 <= reached.without,
            format!("in all outages at most 25 % reach it: {} of {}", number(reached.with), number(reached.without)),
        ),
        Check::new(
            p99.with * 2 <= p99.without,
            format!("{} into outages p99 is at most half: {} of {}", wait(SETTLED), wait(p99.with), wait(p99.without)),
        ),
        // It can carry half of the load; a circuit that lets it have the load, or nothing, gets none.
        Check::new(
            tenth.with >= 0.25 && tenth.with >= 2.0 * tenth.without,
            format!("at a tenth 25 % are served: {}, {} without", percent(tenth.with), percent(tenth.without)),
        ),
        Check::new(
            figures.closed_at_tenth == 0 && figures.opened_at_tenth <= 2,
            format!(
                "at a tenth it does not close, and opens at most twice: {} and {} times",
                figures.closed_at_tenth, figures.opened_at_tenth
            ),
        ),
        Check::new(
            figures.false_opens == 0,
            format!("it never opens while all is well: {} times", figures.false_opens),
        ),
    ];
    if let Sides { without: Some(without), with: Some(with) } = figures.peak_memory {
        checks.push(Check::new(
            with <= without + 4 * 1024 * 1024,
            format!("at most 4 MiB more memory: {} bytes, {} without", number(with), number(without)),
        ));
    }
    checks
}
