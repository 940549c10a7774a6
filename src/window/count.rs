//! The last n calls, however old they are.

use crate::window::{Entry, Totals};

/// A ring of the last n calls with running sums: O(1) whatever n is.
#[derive(Clone, Debug)]
pub(crate) struct CountWindow {
    ring: Box<[Entry]>,
    /// How many calls were recorded since the window was last empty.
    recorded: u64,
    /// invariant: the sums over the entries that are in the ring.
    failures: u64,
    slow: u64,
}

impl CountWindow {
    /// A window of no calls is one of one call (`Config::check` refuses it).
    pub(crate) fn new(calls: u32) -> Self {
        Self { ring: vec![Entry::default(); calls.max(1) as usize].into(), recorded: 0, failures: 0, slow: 0 }
    }

    pub(crate) fn record(&mut self, entry: Entry) {
        let len = self.ring.len() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "below the length of a slice")]
        let place = &mut self.ring[(self.recorded % len) as usize];
        if self.recorded >= len {
            self.failures -= u64::from(place.failures);
            self.slow -= u64::from(place.slow);
        }
        *place = entry;
        self.failures += u64::from(entry.failures);
        self.slow += u64::from(entry.slow);
        self.recorded += 1;
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals { calls: self.recorded.min(self.ring.len() as u64), failures: self.failures, slow: self.slow }
    }

    /// Forgets all calls.
    pub(crate) fn begin(&mut self) {
        self.recorded = 0;
        self.failures = 0;
        self.slow = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_leaves_when_a_new_one_comes() {
        let mut window = CountWindow::new(3);
        for _ in 0..10_000 {
            window.record(Entry::default());
        }
        window.record(Entry { failures: 100, slow: true });
        window.record(Entry { failures: 50, slow: false });
        assert_eq!(window.totals(), Totals { calls: 3, failures: 150, slow: 1 });
        window.record(Entry::default());
        window.record(Entry::default());
        assert_eq!(window.totals(), Totals { calls: 3, failures: 50, slow: 0 }, "the first failure has slid out");
        window.begin();
        window.record(Entry::default());
        assert_eq!(window.totals(), Totals { calls: 1, failures: 0, slow: 0 });
    }
}
