//! One thread: closed, closed with failures, open, and a clone for each call.

use crate::{
    sampler::{Effort, Sampler, calls_in, cost},
    support::{
        contenders::{Contender, Scene, Who, run},
        runner::Runner,
        table::{Measured, Table, digits, shown},
    },
};

const SCENES: [Scene; 4] = [Scene::Success, Scene::Failures(10), Scene::Open, Scene::Clones];

/// Nanoseconds per call of each row in each scene.
pub(crate) struct Single(Vec<(Who, [Option<Measured>; 4])>);

impl Single {
    /// Returns the cost of a closed success over the bare service.
    pub(crate) fn over_bare(&self, who: Who) -> Option<f64> {
        Some(self.success(who)? - self.success(Who::Bare)?)
    }

    fn success(&self, who: Who) -> Option<f64> {
        let (_, cells) = self.0.iter().find(|(row, _)| *row == who)?;
        cells[0].map(|measured| measured.median)
    }
}

/// Measures all rows in all scenes, round by round.
///
/// Each time it is a new breaker, and the old ones are kept, so that it is at another place in memory: by how a place lies
/// to the stack the same code was seen to take a fifth longer.
pub(crate) fn measure(payload: &str, rows: &[Contender], sampler: &mut Sampler, effort: Effort) -> Single {
    let mut samples: Vec<[Vec<f64>; 4]> = rows.iter().map(|_| Default::default()).collect();
    let mut kept = Vec::new();
    for _ in 0..effort.rounds {
        for (row, samples) in rows.iter().zip(&mut samples) {
            for (scene, samples) in SCENES.into_iter().zip(samples) {
                if let Some(runner) = row.ready(scene) {
                    kept.push(runner);
                    samples.extend(sample(sampler, row, scene, kept.last_mut().expect("just put there"), effort));
                }
            }
        }
    }
    let cells = |samples: [Vec<f64>; 4]| samples.map(|samples| Measured::of(&samples));
    let single = Single(rows.iter().map(|row| row.who).zip(samples.into_iter().map(cells)).collect());
    print(payload, rows, &single, effort);
    sampler.report();
    single
}

fn sample(
    sampler: &mut Sampler,
    row: &Contender,
    scene: Scene,
    runner: &mut Box<dyn Runner>,
    effort: Effort,
) -> Option<f64> {
    if row.grows() && scene != Scene::Open {
        return sampler.sample(|| {
            let mut runner = row.ready(scene).expect("it was made before");
            cost(1_000, |calls| run(&mut *runner, scene, calls))
        });
    }
    let calls = calls_in(effort, cost(1_000, |calls| run(&mut **runner, scene, calls)));
    let sample = sampler.sample(|| cost(calls, |calls| run(&mut **runner, scene, calls)));
    row.check(scene, &mut **runner);
    sample
}

fn print(payload: &str, rows: &[Contender], single: &Single, effort: Effort) {
    let title = format!(
        "{payload}, one thread: ns per call (median of {} interleaved samples, ± half the interquartile range)",
        effort.rounds
    );
    let mut table = Table::new(
        &title,
        &["contender", "closed, success", "over bare", "ratio", "closed, 10 % failures", "open", "a clone per call"],
    );
    for (row, (who, [success, failures, open, clones])) in rows.iter().zip(&single.0) {
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        let ratio = single.success(*who).zip(single.success(Who::Bare)).map(|(own, bare)| own / bare);
        table.row(&[
            row.name.to_owned(),
            shown(*success),
            cell(single.over_bare(*who)),
            cell(ratio),
            shown(*failures),
            shown(*open),
            shown(*clones),
        ]);
    }
    table.print();
}
