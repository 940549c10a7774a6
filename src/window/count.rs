//! The last n calls, however old they are.

use std::collections::VecDeque;

use crate::window::{Entry, Totals};

/// The last n calls, of which only those that are no plain successes are kept, each with its number.
///
/// A plain success takes the next number and nothing else, so any number of them is counted at once, and neither the cost
/// of a call nor the memory grows with n.
#[derive(Clone, Debug)]
pub(crate) struct CountWindow {
    calls: u64,
    /// How many calls were recorded since the window was last empty.
    recorded: u64,
    /// invariant: sorted by number, and all of them among the last `calls`.
    notable: VecDeque<(u64, Entry)>,
    /// invariant: the sums over `notable`.
    failures: u64,
    slow: u64,
}

impl CountWindow {
    /// A window of no calls is one of one call (`Config::check` refuses it).
    pub(crate) fn new(calls: u32) -> Self {
        Self { calls: calls.max(1).into(), recorded: 0, notable: VecDeque::new(), failures: 0, slow: 0 }
    }

    pub(crate) fn record(&mut self, entry: Entry) {
        self.successes(1);
        if entry == Entry::default() {
            return;
        }
        self.notable.push_back((self.recorded, entry));
        self.failures += u64::from(entry.failures);
        self.slow += u64::from(entry.slow);
    }

    /// Records plain successes.
    pub(crate) fn successes(&mut self, calls: u64) {
        self.recorded += calls;
        while let Some((number, entry)) = self.notable.front() {
            if number + self.calls > self.recorded {
                break;
            }
            self.failures -= u64::from(entry.failures);
            self.slow -= u64::from(entry.slow);
            self.notable.pop_front();
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals { calls: self.recorded.min(self.calls), failures: self.failures, slow: self.slow }
    }

    /// Forgets all calls.
    pub(crate) fn begin(&mut self) {
        self.notable.clear();
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
        window.successes(10_000);
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

    #[test]
    fn successes_that_are_counted_at_once_leave_what_as_many_single_ones_leave() {
        for calls in [1, 2, 63, 64, 65] {
            let (mut one_by_one, mut at_once) = (CountWindow::new(calls), CountWindow::new(calls));
            for successes in (0..100).chain([1, 0, 0, 200, 3]) {
                let failed = Entry { failures: successes + 1, slow: successes % 2 == 0 };
                one_by_one.record(failed);
                at_once.record(failed);
                (0..successes).for_each(|_| one_by_one.record(Entry::default()));
                at_once.successes(successes.into());
                assert_eq!(one_by_one.totals(), at_once.totals(), "{calls} calls, {successes} successes");
            }
        }
    }
}
