//! A recorder in memory, and what it has seen.

use std::collections::BTreeMap;

use metrics::Unit;
use metrics_util::{
    CompositeKey, MetricKind,
    debugging::{DebugValue, DebuggingRecorder},
};
use tower_breaker::metrics::Reporter;

/// What a recorder was told: the value of each series, and the unit and the description of its name.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) values: BTreeMap<String, f64>,
    pub(super) kinds: BTreeMap<String, MetricKind>,
    pub(super) told: BTreeMap<String, (Option<Unit>, Option<String>)>,
    /// The labels of each name, in order.
    pub(super) labels: BTreeMap<String, Vec<String>>,
}

/// Publishes to a recorder that is installed this moment.
pub(super) fn publish(reporter: &Reporter) -> Seen {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || reporter.publish());
    let mut seen = Seen::default();
    for (key, unit, text, value) in recorder.snapshotter().snapshot().into_vec() {
        let value = match value {
            #[expect(clippy::cast_precision_loss, reason = "the counts of a test are small")]
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("there are no histograms"),
        };
        seen.values.insert(series(&key), value);
        let name = key.key().name().to_owned();
        seen.kinds.insert(name.clone(), key.kind());
        seen.told.insert(name.clone(), (unit, text.map(|text| text.to_string())));
        seen.labels.insert(name, key.key().labels().map(|label| label.key().to_owned()).collect());
    }
    seen
}

/// `calls_total payments success`, without what all names begin with.
fn series(key: &CompositeKey) -> String {
    let name = key.key().name();
    let values = key.key().labels().map(|label| format!(" {}", label.value()));
    name.strip_prefix("circuit_breaker_").expect("all names begin so").to_owned() + &values.collect::<String>()
}

impl Seen {
    #[track_caller]
    pub(super) fn value(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("no {series} among {:#?}", self.values))
    }

    /// The values of several series, each after its name.
    #[track_caller]
    pub(super) fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let found = self.value(series);
            assert!((found - value).abs() < 1e-9, "{series} is {found}, not {value}");
        }
    }
}
