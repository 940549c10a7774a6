//! Events and states on the spans of OpenTelemetry. Alone in its process: tracing may forget a line that another thread, without
//! a subscriber, comes upon first. For its metrics see `tests/metrics/otel.rs`.

use std::time::Duration;

use futures_util::FutureExt;
use opentelemetry::{
    KeyValue,
    trace::{Event, TracerProvider},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower::{Layer, Service, service_fn};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Failure,
    classify::ErrorsAsFailures,
    clock::ManualClock,
    config::{Probing, Recovery},
};
use tracing::{field, info_span};
use tracing_subscriber::{Registry, prelude::*};

const SECOND: Duration = Duration::from_secs(1);

/// An attribute as text.
fn value<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>, key: &str) -> Option<String> {
    attributes.into_iter().find(|found| found.key.as_str() == key).map(|found| found.value.to_string())
}

#[test]
fn an_outage_is_seen_on_the_spans_of_the_calls_that_were_in_it() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let clock = ManualClock::new();
    let config = Config::without_rules().probing(Probing::fixed(10 * SECOND)).recovery(Recovery::Probes);
    let circuit = Circuit::builder("payments").config(config).clock(clock.clone()).build().expect("within bounds");
    let inner = service_fn(|answer: Result<(), &'static str>| async move { answer });
    let mut service = CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()).layer(inner);
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        for name in ["trips", "rejected", "probe"] {
            let span = info_span!("request", otel.name = name, circuit.state = field::Empty);
            span.in_scope(|| match name {
                "trips" => circuit.try_acquire().expect("closed").record(Failure::new().tripping()),
                "rejected" => assert!(service.call(Ok(())).now_or_never().expect("at once").is_err()),
                _ => {
                    clock.advance(10 * SECOND);
                    assert!(service.call(Ok(())).now_or_never().expect("at once").is_ok());
                }
            });
        }
    });
    let spans = exporter.get_finished_spans().expect("in memory");
    let [trips, rejected, probe] = &spans[..] else { panic!("three spans, not {spans:#?}") };

    let [opened] = events(trips) else { panic!("one event, not {:#?}", trips.events) };
    let said = |event: &Event, key: &str| value(&event.attributes, key);
    assert_eq!(opened.name, "the circuit has opened: one failure asked for it");
    let expected = [
        ("level", "WARN"),
        ("target", "tower_breaker"),
        ("circuit.name", "payments"),
        ("circuit.from", "closed"),
        ("circuit.to", "open"),
        ("circuit.reason", "demanded"),
        ("circuit.epoch", "2"),
        ("circuit.retry_after_ms", "10000"),
        ("circuit.detected_after_ms", "0"),
    ];
    for (key, text) in expected {
        assert_eq!(said(opened, key).as_deref(), Some(text), "{key} in {opened:#?}");
    }
    assert_eq!(value(&trips.attributes, "circuit.state"), None, "the circuit was closed");

    let [line] = events(rejected) else { panic!("one event, not {:#?}", rejected.events) };
    assert_eq!((&*line.name, said(line, "level").as_deref()), ("a call has been rejected", Some("DEBUG")));
    assert_eq!(said(line, "circuit.reason").as_deref(), Some("open"));
    assert_eq!(said(line, "circuit.retry_after_ms").as_deref(), Some("10000"));
    assert_eq!(value(&rejected.attributes, "circuit.state").as_deref(), Some("open"));

    let told: Vec<_> = events(probe).iter().filter_map(|event| said(event, "circuit.to")).collect();
    assert_eq!(told, ["half_open", "closed"]);
    assert_eq!(value(&probe.attributes, "circuit.state").as_deref(), Some("half_open"));
}

fn events(span: &SpanData) -> &[Event] {
    &span.events.events
}
