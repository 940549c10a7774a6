//! Times that a noisy neighbour has not touched: the thread's own time, between two glances at the bare service.

use std::{collections::VecDeque, time::Duration};

use cpu_time::ThreadTime;

use crate::support::{
    machine::nanos,
    payload::Number,
    peers,
    runner::{NEVER, Runner},
};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// How long a sample lasts.
    pub(crate) sample: Duration,
}

impl Effort {
    pub(crate) fn new(quick: bool) -> Self {
        let (rounds, millis) = if quick { (5, 1) } else { (21, 4) };
        Self { rounds, sample: Duration::from_millis(millis) }
    }
}

/// Nanoseconds per call in the thread's own time: what others take from the thread is not in it.
pub(crate) fn cost(calls: u64, run: impl FnOnce(u64)) -> f64 {
    let start = ThreadTime::now();
    run(calls);
    per_call(start.elapsed(), calls)
}

pub(crate) fn per_call(time: Duration, calls: u64) -> f64 {
    nanos(time) / float(calls)
}

/// A number of calls, which is far below 2^53.
pub(crate) fn float(calls: u64) -> f64 {
    calls as f64
}

/// How many calls fill a sample.
pub(crate) fn calls_in(effort: Effort, cost: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "a positive number far below 2^64")]
    let calls = (nanos(effort.sample) / cost.max(0.1)) as u64;
    calls.max(16)
}

/// Keeps a sample only if the machine was at full speed directly before and after it.
///
/// What others do to the caches, to the clock rate and to the other thread of the core is in the thread's own time, and
/// the bare service feels it as well.
pub(crate) struct Sampler {
    bare: Box<dyn Runner>,
    canary: Canary,
    kept: u64,
    thrown: u64,
}

/// How often a sample is repeated before it is given up.
pub(crate) const TRIES: usize = 20;

impl Sampler {
    const CANARY_CALLS: u64 = 20_000;

    pub(crate) fn new() -> Self {
        let mut new = Self { bare: peers::bare::<Number>(), canary: Canary::default(), kept: 0, thrown: 0 };
        for _ in 0..Canary::REMEMBERED {
            new.is_calm();
        }
        new
    }

    /// Returns what was measured in a calm moment, or none if there was none.
    pub(crate) fn sample(&mut self, mut measure: impl FnMut() -> f64) -> Option<f64> {
        for _ in 0..TRIES {
            let before = self.is_calm();
            let sample = measure();
            if before && self.is_calm() {
                self.kept += 1;
                return Some(sample);
            }
            self.thrown += 1;
        }
        None
    }

    fn is_calm(&mut self) -> bool {
        let bare = &mut self.bare;
        self.canary.is_calm(cost(Self::CANARY_CALLS, |calls| bare.calls(calls, NEVER)))
    }

    /// Prints how many samples there were since the last report.
    pub(crate) fn report(&mut self) {
        println!("{} samples kept, {} thrown away (the machine was not at full speed)\n", self.kept, self.thrown);
        (self.kept, self.thrown) = (0, 0);
    }
}

/// Knows what the bare service costs when nothing disturbs it.
#[derive(Default)]
pub(crate) struct Canary(VecDeque<f64>);

impl Canary {
    const REMEMBERED: usize = 200;
    /// How much slower it may be.
    const TOLERANCE: f64 = 1.1;

    /// Returns whether this is about the speed of its best moments. The very best is no measure: it may be a fluke.
    pub(crate) fn is_calm(&mut self, cost: f64) -> bool {
        if self.0.len() == Self::REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(cost);
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        cost <= sorted[sorted.len() / 10] * Self::TOLERANCE
    }
}
