//! What a reporter keeps of each name between two publications.

use std::{collections::BTreeMap, time::Duration};

use super::sum::{Sum, Totals};
use crate::sync::Arc;

/// What has been published of each name.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<Arc<str>, Of>);

/// What is to be published of a name beside its sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Of {
    /// So that no counter goes down.
    totals: Totals,
    /// The waiting time saved.
    pub(super) saved: Duration,
    /// How many rejections stand for it.
    saving: u64,
    /// Which gauges have had a value: one that had none yet stays away.
    pub(super) had: Had,
}

/// Which gauges have had a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Had {
    pub(super) failure_rate: bool,
    pub(super) slow_rate: bool,
    pub(super) failure_time: bool,
}

impl Kept {
    /// Takes what circuits of this name have counted by now, and keeps counters up that would go down.
    pub(super) fn keep_up(&mut self, name: &Arc<str>, sum: &mut Sum) -> Of {
        let of = self.0.entry(Arc::clone(name)).or_default();
        of.totals.grow_to(sum.totals);
        sum.totals = of.totals;
        of.had.failure_rate |= sum.failure_rate.value().is_some();
        of.had.slow_rate |= sum.slow_rate.value().is_some();
        of.had.failure_time |= sum.failure_time.value().is_some();
        // What was rejected before anybody knew how long a call takes that fails is made up for when it is known.
        if let Some(seconds) = sum.failure_time.value() {
            let calls = of.totals.ledger.rejected - std::mem::replace(&mut of.saving, of.totals.ledger.rejected);
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let saved = Duration::try_from_secs_f64(calls as f64 * seconds).unwrap_or(Duration::MAX);
            of.saved = of.saved.saturating_add(saved);
        }
        *of
    }
}
