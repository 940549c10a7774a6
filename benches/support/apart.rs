//! Two threads with a circuit each: what they cost each other though they share nothing of ours.

use super::runner::{NEVER, Runner, Sizes};

/// A runner whose twin is made anew.
pub(crate) struct Apart {
    runner: Box<dyn Runner>,
    make: fn() -> Box<dyn Runner>,
}

impl Apart {
    pub(crate) fn boxed(make: fn() -> Box<dyn Runner>) -> Box<dyn Runner> {
        Box::new(Self { runner: make(), make })
    }
}

impl Runner for Apart {
    fn calls(&mut self, calls: u64, every: u64) {
        self.runner.calls(calls, every);
    }

    fn clones(&mut self, calls: u64) {
        self.runner.clones(calls);
    }

    fn refuses(&mut self) -> bool {
        self.runner.refuses()
    }

    /// Closed and warm.
    fn twin(&self) -> Box<dyn Runner> {
        let mut twin = (self.make)();
        twin.calls(1_000, NEVER);
        twin
    }

    fn sizes(&self) -> Sizes {
        self.runner.sizes()
    }
}
