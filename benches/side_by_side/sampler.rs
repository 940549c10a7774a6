//! Times that a noisy neighbour has not touched: the thread's own time, between two glances at the bare service.

use std::time::Duration;

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
    canary: Box<dyn Runner>,
    best: f64,
    kept: u64,
    thrown: u64,
}

/// How much slower than ever the bare service may be around a sample.
pub(crate) const TOLERANCE: f64 = 1.15;
/// How often a sample is repeated before it is given up.
pub(crate) const TRIES: usize = 8;

impl Sampler {
    const CANARY_CALLS: u64 = 30_000;

    pub(crate) fn new() -> Self {
        let mut new = Self { canary: peers::bare::<Number>(), best: f64::INFINITY, kept: 0, thrown: 0 };
        for _ in 0..200 {
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
        let canary = &mut self.canary;
        let now = cost(Self::CANARY_CALLS, |calls| canary.calls(calls, NEVER));
        self.best = self.best.min(now);
        now <= self.best * TOLERANCE
    }

    pub(crate) fn report(&self) {
        println!("{} samples kept, {} thrown away (the machine was not at full speed)\n", self.kept, self.thrown);
    }
}
