//! Does a call cost more where the window is longer, or holds more calls?

use crate::{
    sampler::{Effort, Sampler, calls_in, cost, float, per_call},
    support::{
        contenders::{MINUTE, Refusal, Rule},
        machine::now,
        ours,
        payload::Number,
        peers,
        runner::{Around, NEVER, Runner},
        table::{Measured, Table, shown},
    },
};

const LENGTHS: [u32; 4] = [10, 100, 1_000, 100_000];
const HELD: [u64; 4] = [100, 1_000, 10_000, 50_000];
const EVERY: [u64; 2] = [NEVER, 10];

/// Nanoseconds per call of one row: for each length, with successes only and with 10 % failures.
pub(crate) type Cells = [[Option<Measured>; 2]; 4];

type Make = fn(u32) -> Box<dyn Runner>;

/// Count windows that are full. The last row is ours.
pub(crate) fn measure_counts(sampler: &mut Sampler, effort: Effort) -> Cells {
    let rows: [(&str, Make); 3] = [
        ("tower-resilience", |calls| peers::tower_resilience::<Number>(Rule::Count(calls), Around::Nothing)),
        ("recloser", peers::recloser::<Number>),
        ("ours", |calls| ours::guarded::<Number>(ours::circuit(Rule::Count(calls)), Refusal::Boxed)),
    ];
    let mut samples: [[[Vec<f64>; 2]; 4]; 3] = Default::default();
    // At another place each time, see `single`.
    let mut kept = Vec::new();
    for _ in 0..effort.rounds {
        for ((_, make), row) in rows.iter().zip(&mut samples) {
            for (length, cells) in LENGTHS.into_iter().zip(row) {
                for (every, samples) in EVERY.into_iter().zip(cells) {
                    let mut runner = make(length);
                    runner.calls(u64::from(length), every);
                    let calls = calls_in(effort, cost(1_000, |calls| runner.calls(calls, every)));
                    samples.extend(sampler.sample(|| cost(calls, |calls| runner.calls(calls, every))));
                    assert!(!runner.refuses(), "a tenth of failures opens nothing");
                    kept.push(runner);
                }
            }
        }
    }
    let rows: Vec<_> = rows.iter().map(|(name, _)| *name).zip(samples.map(measured)).collect();
    print("Count window of n calls, full (u64)", LENGTHS.map(u64::from), &rows);
    sampler.report();
    rows.last().expect("three rows").1
}

/// Windows of 60 s into which all calls have come at once. The last row is ours.
pub(crate) fn measure_times(sampler: &mut Sampler, effort: Effort) -> Cells {
    let rows: [(&str, Make, bool); 2] = [
        ("tower-resilience", |_| peers::tower_resilience::<Number>(Rule::Time(MINUTE), Around::Nothing), true),
        ("ours", |_| ours::guarded::<Number>(ours::circuit(Rule::Time(MINUTE)), Refusal::Boxed), false),
    ];
    let empty = overhead();
    let mut samples: [[[Vec<f64>; 2]; 4]; 2] = Default::default();
    for round in 0..effort.rounds * 3 {
        for ((_, make, slow), row) in rows.iter().zip(&mut samples) {
            for (held, cells) in HELD.into_iter().zip(row) {
                // To fill the longest takes a second where each call walks the window.
                if *slow && round >= if held < 10_000 { effort.rounds } else { 2 } {
                    continue;
                }
                for (every, samples) in EVERY.into_iter().zip(cells) {
                    let mut runner = make(0);
                    runner.calls(held, every);
                    samples.extend(sampler.sample(|| batch(&mut *runner, (held / 10).clamp(64, 1_000), every, empty)));
                    assert!(!runner.refuses(), "a tenth of failures opens nothing");
                }
            }
        }
    }
    let rows: Vec<_> = rows.iter().map(|(name, ..)| *name).zip(samples.map(measured)).collect();
    print("Time window of 60 s that holds n calls (u64)", HELD, &rows);
    sampler.report();
    rows.last().expect("two rows").1
}

/// Few calls, so that the window still holds about as many: by the wall clock, whose own cost is small and taken off.
fn batch(runner: &mut dyn Runner, calls: u64, every: u64, empty: f64) -> f64 {
    let start = now();
    runner.calls(calls, every);
    per_call(now() - start, calls) - empty / float(calls)
}

/// What two looks at the wall clock cost.
fn overhead() -> f64 {
    let samples: Vec<f64> = (0..1_000)
        .map(|_| {
            let start = now();
            per_call(now() - start, 1)
        })
        .collect();
    Measured::of(&samples).expect("a thousand samples").median
}

fn measured(row: [[Vec<f64>; 2]; 4]) -> Cells {
    row.map(|cells| cells.map(|samples| Measured::of(&samples)))
}

fn print(title: &str, lengths: [u64; 4], rows: &[(&str, Cells)]) {
    let mut head = vec!["contender".to_owned()];
    head.extend(lengths.iter().flat_map(|n| [format!("{n}, success"), format!("{n}, 10 % failures")]));
    let mut table = Table::new(&format!("{title}: ns per call"), &head);
    for (name, cells) in rows {
        let mut row = vec![(*name).to_owned()];
        row.extend(cells.iter().flatten().map(|cell| shown(*cell)));
        table.row(&row);
    }
    table.print();
}
