//! Does a call cost more after a month in which nobody called than after a second?

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_breaker::{
    Circuit, Instant,
    clock::{Clock, Sleep},
};

use crate::{
    sampler::{Effort, Sampler, cost},
    support::{
        contenders::{MINUTE, Refusal, Rule},
        ours,
        payload::Number,
        runner::NEVER,
        table::{Measured, Table, shown},
    },
};

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Ten seconds are longer than any bucket of these rules, so that after them, as after a month, each call begins one.
const IDLE: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10), MONTH];
const RULES: [(&str, Rule); 5] = [
    ("default", Rule::Default),
    ("evidence alone", Rule::Evidence),
    ("count 100", Rule::Count(100)),
    ("time 60 s", Rule::Time(MINUTE)),
    ("5 in a row", Rule::Run(5)),
];

/// Nanoseconds per call of one rule: after each idle time, for a success and for a failure.
pub(crate) type Cells = [[Option<Measured>; 2]; 4];

/// A clock that is moved by hand. That of `test-util` would do, but then `cargo bench` would need that feature.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

impl Hand {
    fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("less than 584 years");
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

/// So many times in a sample somebody comes back. 500 months are 41 years, of the 584 that a clock can tell.
const RETURNS: u64 = 500;

pub(crate) fn measure(sampler: &mut Sampler, effort: Effort) -> Vec<(&'static str, Cells)> {
    let mut samples: [[[Vec<f64>; 2]; 4]; 5] = Default::default();
    for _ in 0..effort.rounds {
        for ((_, rule), row) in RULES.iter().zip(&mut samples) {
            for (idle, cells) in IDLE.into_iter().zip(row) {
                let [success, failure] = cells;
                success.extend(sampler.sample(|| after(*rule, idle, NEVER)));
                failure.extend(sampler.sample(|| after(*rule, idle, 3)));
            }
        }
    }
    let rows: Vec<(&str, Cells)> = RULES
        .iter()
        .zip(samples)
        .map(|((name, _), row)| (*name, row.map(|cells| cells.map(|samples| Measured::of(&samples)))))
        .collect();
    print(&rows);
    sampler.report();
    rows
}

/// After each stretch of idle time: one success, or two and a failure.
fn after(rule: Rule, idle: Duration, every: u64) -> f64 {
    let clock = Hand::default();
    let circuit = Circuit::builder("bench").config(ours::config(rule)).clock(clock.clone());
    let mut runner = ours::guarded::<Number>(circuit.build().expect("the settings are sound"), Refusal::Boxed);
    runner.calls(200, NEVER);
    let calls = if every == NEVER { 1 } else { every };
    let cost = cost(RETURNS * calls, |_| {
        for _ in 0..RETURNS {
            clock.advance(idle);
            runner.calls(calls, every);
        }
    });
    assert!(!runner.refuses(), "a third of failures opens nothing");
    cost
}

fn print(rows: &[(&'static str, Cells)]) {
    let mut table = Table::new(
        "ours, after idle time: ns per call, a step of the clock included (u64)",
        &[
            "rule",
            "no idle time, success",
            "with a failure",
            "a second, success",
            "with a failure",
            "ten seconds, success",
            "with a failure",
            "a month, success",
            "with a failure",
        ],
    );
    for (name, cells) in rows {
        let mut row = vec![(*name).to_owned()];
        row.extend(cells.iter().flatten().map(|cell| shown(*cell)));
        table.row(&row);
    }
    table.print();
}
