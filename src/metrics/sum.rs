//! The numbers of all circuits of one name, added up.

use std::time::Duration;

#[cfg(feature = "keyed")]
use crate::registry::Forgotten;
use crate::{
    machine::{Ledger, Rejections, Snapshot, WindowSnapshot},
    state::{Mode, State},
};

/// The numbers of all circuits of one name.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) totals: Totals,
    pub(super) circuits: u32,
    /// How many circuits are in each state, in the order of [`State::ALL`].
    pub(super) states: [u32; 4],
    /// … and in each mode, in the order of [`MODES`].
    pub(super) modes: [u32; 5],
    pub(super) in_flight: u32,
    pub(super) failure_rate: Mean,
    pub(super) slow_rate: Mean,
    pub(super) window_calls: u64,
    /// How long a failing call takes, in seconds; circuits that reject more say more.
    pub(super) failure_time: Mean,
    /// The age of the oldest outage.
    pub(super) outage: Duration,
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) ledger: Ledger,
    pub(super) times_opened: u64,
    pub(super) time_in: [Duration; 4],
}

pub(super) const MODES: [Mode; 5] =
    [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly];

impl Sum {
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        self.circuits += 1;
        self.totals.add(snapshot.ledger, snapshot.times_opened, snapshot.time_in);
        for (count, state) in self.states.iter_mut().zip(State::ALL) {
            *count += u32::from(state == snapshot.state);
        }
        for (count, mode) in self.modes.iter_mut().zip(MODES) {
            *count += u32::from(mode == snapshot.mode);
        }
        self.in_flight = self.in_flight.saturating_add(snapshot.in_flight);
        let WindowSnapshot { calls, failure_rate, slow_rate, .. } = snapshot.window;
        self.window_calls += calls;
        self.failure_rate.add(failure_rate, calls);
        self.slow_rate.add(slow_rate, calls);
        let seconds = snapshot.failure_time.map(|time| time.as_secs_f64());
        self.failure_time.add(seconds, snapshot.ledger.rejected.saturating_add(1));
        self.outage = self.outage.max(snapshot.outage.unwrap_or_default());
    }

    #[cfg(feature = "keyed")]
    pub(super) fn add_forgotten(&mut self, forgotten: &Forgotten) {
        self.totals.add(forgotten.ledger, forgotten.times_opened, forgotten.time_in);
    }
}

impl Totals {
    fn add(&mut self, ledger: Ledger, times_opened: u64, time_in: [Duration; 4]) {
        self.ledger += ledger;
        self.times_opened += times_opened;
        for (sum, time) in self.time_in.iter_mut().zip(time_in) {
            *sum = sum.saturating_add(time);
        }
    }

    /// Grows to what has been counted by now. What is less than before stays: a circuit is gone, or was just going.
    pub(super) fn grow_to(&mut self, now: Self) {
        let Ledger { succeeded, failed, ignored, cancelled, late, slow, rejected, rejected_by, would_reject } =
            &mut self.ledger;
        let Rejections { forced, half_open, not_ready, open, recovering } = rejected_by;
        let by = now.ledger.rejected_by;
        for (line, now) in [
            (succeeded, now.ledger.succeeded),
            (failed, now.ledger.failed),
            (ignored, now.ledger.ignored),
            (cancelled, now.ledger.cancelled),
            (late, now.ledger.late),
            (slow, now.ledger.slow),
            (rejected, now.ledger.rejected),
            (forced, by.forced),
            (half_open, by.half_open),
            (not_ready, by.not_ready),
            (open, by.open),
            (recovering, by.recovering),
            (would_reject, now.ledger.would_reject),
            (&mut self.times_opened, now.times_opened),
        ] {
            *line = now.max(*line);
        }
        for (time, now) in self.time_in.iter_mut().zip(now.time_in) {
            *time = now.max(*time);
        }
    }
}

/// The mean of what circuits say, each by the weight of its calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    calls: f64,
    value: f64,
}

impl Mean {
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    fn add(&mut self, value: Option<f64>, calls: u64) {
        let Some(value) = value else { return };
        self.calls += calls as f64;
        // A mean that moves, so that the value of one circuit stays exactly what it is.
        self.value += (value - self.value) * (calls as f64 / self.calls.max(1.0));
    }

    /// The mean; none if no circuit had one to tell.
    pub(super) fn value(self) -> Option<f64> {
        (self.calls > 0.0).then_some(self.value)
    }
}
