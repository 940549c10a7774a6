//! From sums to the recorder.

use metrics::{Key, Label, Level, Metadata, Recorder, SharedString};

use super::{
    kept::Of,
    names::{self, Kind, METRICS, Metric},
    sources::Sums,
    sum::{MODES, Mean, Sum, Totals},
    tally::{Counts, Tally},
};
use crate::{machine::RejectReason, state::State, sync::Arc};

const METADATA: Metadata<'static> = Metadata::new("tower_breaker", Level::INFO, Some("tower_breaker"));

/// Tells the recorder everything anew, since it may have been installed a moment ago. `kept` goes along with the sums.
pub(super) fn publish(sums: &Sums, kept: &[Of], tally: &Tally) {
    let counted = tally.read();
    metrics::with_recorder(|recorder| {
        METRICS.iter().for_each(|metric| describe(recorder, metric));
        for ((name, sum), of) in sums.0.iter().zip(kept) {
            Publisher { recorder, name }.sum(sum, of);
        }
        for (name, counts) in &counted {
            Publisher { recorder, name }.counts(counts);
        }
    });
}

fn describe(recorder: &dyn Recorder, metric: &Metric) {
    let Metric { name, kind, unit, labels: _, description } = *metric;
    match kind {
        Kind::Counter => recorder.describe_counter(name.into(), Some(unit), description.into()),
        Kind::Gauge => recorder.describe_gauge(name.into(), Some(unit), description.into()),
    }
}

/// Publishes the numbers of one name.
struct Publisher<'a> {
    recorder: &'a dyn Recorder,
    name: &'a Arc<str>,
}

impl Publisher<'_> {
    fn sum(&self, sum: &Sum, of: &Of) {
        let Totals { ledger, times_opened, time_in } = sum.totals;
        for (outcome, count) in [
            ("success", ledger.succeeded),
            ("failure", ledger.failed),
            ("ignored", ledger.ignored),
            ("cancelled", ledger.cancelled),
        ] {
            self.count(&names::CALLS, &[outcome], count);
        }
        self.count(&names::SLOW_CALLS, &[], ledger.slow);
        self.count(&names::LATE, &[], ledger.late);
        for reason in RejectReason::ALL {
            self.count(&names::REJECTED, &[reason.as_str()], ledger.rejected_by.of(*reason));
        }
        self.count(&names::SAVED, &[], of.saved.as_secs());
        self.count(&names::WOULD_REJECT, &[], ledger.would_reject);
        self.count(&names::OPENED, &[], times_opened);
        for (i, state) in State::ALL.into_iter().enumerate() {
            self.count(&names::STATE_SECONDS, &[state.as_str()], time_in[i].as_secs());
            self.set(&names::STATE, &[state.as_str()], sum.states[i].into());
        }
        for (mode, count) in MODES.into_iter().zip(sum.modes) {
            self.set(&names::MODE, &[mode.as_str()], count.into());
        }
        self.set(&names::CIRCUITS, &[], sum.circuits.into());
        self.set_known(&names::FAILURE_RATE, sum.failure_rate, of.had.failure_rate);
        self.set_known(&names::SLOW_RATE, sum.slow_rate, of.had.slow_rate);
        self.set_known(&names::FAILURE_TIME, sum.failure_time, of.had.failure_time);
        self.set(&names::WINDOW_CALLS, &[], count_as_f64(sum.window_calls));
        self.set(&names::IN_FLIGHT, &[], sum.in_flight.into());
        self.set(&names::OUTAGE, &[], sum.outage.as_secs_f64());
    }

    fn counts(&self, counts: &Counts) {
        for (way, count) in &counts.transitions {
            self.count(&names::TRANSITIONS, &[way.from.as_str(), way.to.as_str(), way.reason], *count);
        }
        self.count(&names::DETECTIONS, &[], counts.detected.count);
        self.count(&names::DETECTION_SECONDS, &[], counts.detected.time.as_secs());
        self.count(&names::RECOVERIES, &[], counts.recovered.count);
        self.count(&names::RECOVERY_SECONDS, &[], counts.recovered.time.as_secs());
    }

    /// `values` are those of the labels after the name.
    fn count(&self, metric: &Metric, values: &[&'static str], count: u64) {
        self.recorder.register_counter(&self.key(metric, values), &METADATA).absolute(count);
    }

    fn set(&self, metric: &Metric, values: &[&'static str], value: f64) {
        self.recorder.register_gauge(&self.key(metric, values), &METADATA).set(value);
    }

    /// Publishes what is not always known. No recorder forgets a gauge, so it stays away until it has a value.
    fn set_known(&self, metric: &Metric, mean: Mean, had: bool) {
        if had {
            self.set(metric, &[], mean.value().unwrap_or(f64::NAN));
        }
    }

    fn key(&self, metric: &Metric, values: &[&'static str]) -> Key {
        let name = SharedString::from_shared(Arc::clone(self.name));
        let values = std::iter::once(name).chain(values.iter().copied().map(SharedString::const_str));
        let labels: Vec<Label> =
            metric.labels.iter().copied().zip(values).map(|(key, value)| Label::new(key, value)).collect();
        Key::from_parts(metric.name, labels)
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn count_as_f64(count: u64) -> f64 {
    count as f64
}
