//! As OpenTelemetry sees it, through a bridge that keeps its counters.

use metrics_opentelemetry::{OpenTelemetryMetrics, OpenTelemetryRecorder};
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ResourceMetrics},
};
use tower_breaker::{Outcome, metrics::Reporter};

use super::{SECOND, THREE, call, circuit, trip};

/// The numbers of the last export: those of `name` whose attributes are these, added up.
fn number(exported: &[ResourceMetrics], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let scopes = exported.last()?.scope_metrics();
    let metric = scopes.flat_map(|scope| scope.metrics()).find(|metric| metric.name() == name)?;
    let fits = |attributes: &mut dyn Iterator<Item = &KeyValue>| {
        let attributes: Vec<_> = attributes.collect();
        labels.iter().all(|(key, text)| {
            attributes.iter().any(|found| found.key.as_str() == *key && found.value.as_str() == *text)
        })
    };
    #[expect(clippy::cast_precision_loss, reason = "the counts of a test are small")]
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic(), "{name} is a counter");
            let point = sum.data_points().find(|point| fits(&mut point.attributes()))?;
            Some(point.value() as f64)
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            Some(gauge.data_points().find(|point| fits(&mut point.attributes()))?.value())
        }
        other => panic!("{name} is neither a counter nor a gauge: {other:?}"),
    }
}

#[test]
fn what_circuits_count_becomes_metrics_and_publishing_twice_counts_nothing_twice() {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(3_600 * SECOND).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let recorder = OpenTelemetryRecorder::new(OpenTelemetryMetrics::new(provider.meter("test")));
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit.observe(reporter.observer()));
    reporter.add(payments.clone());
    let publish = || {
        metrics::with_local_recorder(&recorder, || reporter.publish());
        provider.force_flush().expect("in memory");
        exporter.get_finished_metrics().expect("in memory")
    };

    call(&payments, Outcome::Success);
    trip(&payments);
    (0..3).for_each(|_| assert!(payments.try_acquire().is_err()));
    clock.advance(4 * SECOND);
    publish();
    let exported = publish();
    let of = |name: &str, labels: &[(&str, &str)]| number(&exported, name, labels);
    let name = ("name", "payments");
    assert_eq!(of("circuit_breaker_calls_total", &[name, ("outcome", "success")]), Some(1.0));
    assert_eq!(of("circuit_breaker_calls_total", &[name, ("outcome", "failure")]), Some(1.0));
    assert_eq!(of("circuit_breaker_rejected_total", &[name, ("reason", "open")]), Some(3.0));
    assert_eq!(of("circuit_breaker_state", &[name, ("state", "open")]), Some(1.0));
    assert_eq!(of("circuit_breaker_state", &[name, ("state", "closed")]), Some(0.0));
    assert_eq!(of("circuit_breaker_state_seconds_total", &[name, ("state", "open")]), Some(4.0));
    let way = [name, ("from", "closed"), ("to", "open"), ("reason", "demanded")];
    assert_eq!(of("circuit_breaker_transitions_total", &way), Some(1.0));
    assert_eq!(of("circuit_breaker_failure_rate", &[name]), None, "no rule looks at one");

    // It goes on from there.
    assert!(payments.try_acquire().is_err());
    let exported = publish();
    assert_eq!(number(&exported, "circuit_breaker_rejected_total", &[name, ("reason", "open")]), Some(4.0));
}
