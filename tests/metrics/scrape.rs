//! As Prometheus sees it: text over HTTP, from a recorder that was installed after the first calls.

use axum::{Router, routing};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tower_breaker::{Outcome, config::FailureRate, metrics::Reporter};

use super::{SECOND, THREE, call, circuit, trip};

/// Serves `/metrics` on loopback and returns where.
async fn serve(reporter: Reporter, prometheus: PrometheusHandle) -> String {
    let scrape = move || {
        reporter.publish();
        let text = prometheus.render();
        async { text }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let app = Router::new().route("/metrics", routing::get(scrape));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/metrics")
}

async fn scrape(url: &str) -> Vec<String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
    let response = client.get(url.parse().expect("a URL")).await.expect("it is served");
    assert_eq!(response.status(), 200);
    let bytes = response.into_body().collect().await.expect("it is whole").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text").lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_lines(text: &[String], expected: &[&str]) {
    for line in expected {
        assert!(text.iter().any(|found| found == line), "no `{line}` in\n{}", text.join("\n"));
    }
}

#[track_caller]
fn assert_absent(text: &[String], series: &str) {
    assert!(!text.iter().any(|line| line.starts_with(series)), "`{series}` in\n{}", text.join("\n"));
}

/// The only test here that installs the recorder of the process.
#[tokio::test]
async fn a_scrape_shows_an_outage_from_its_first_call() {
    let reporter = Reporter::new();
    let config = THREE.failure_rate(FailureRate::new(0.9).minimum_calls(3));
    let (payments, clock) = circuit("payments", config, |circuit| circuit.observe(reporter.observer()));
    reporter.add(payments.clone());
    call(&payments, Outcome::Success);
    trip(&payments);
    assert!(payments.try_acquire().is_err());
    clock.advance(4 * SECOND);

    let prometheus = PrometheusBuilder::new().install_recorder().expect("nobody else installs one");
    let url = serve(reporter, prometheus).await;
    let text = scrape(&url).await;
    assert_lines(
        &text,
        &[
            "# TYPE circuit_breaker_calls_total counter",
            "# HELP circuit_breaker_rejected_total Calls that were not made, by reason: calls saved.",
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"success\"} 1",
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"failure\"} 1",
            "circuit_breaker_rejected_total{name=\"payments\",reason=\"open\"} 1",
            "circuit_breaker_opened_total{name=\"payments\"} 1",
            "circuit_breaker_state_seconds_total{name=\"payments\",state=\"open\"} 4",
            "circuit_breaker_transitions_total{name=\"payments\",from=\"closed\",to=\"open\",reason=\"demanded\"} 1",
            "# TYPE circuit_breaker_state gauge",
            "circuit_breaker_state{name=\"payments\",state=\"open\"} 1",
            "circuit_breaker_state{name=\"payments\",state=\"closed\"} 0",
            "circuit_breaker_outage_seconds{name=\"payments\"} 4",
        ],
    );
    assert_absent(&text, "circuit_breaker_failure_rate{");

    // A probe fails and tells how long that takes.
    clock.advance(6 * SECOND);
    let probe = payments.try_acquire().expect("the first probe");
    clock.advance(3 * SECOND);
    probe.record(Outcome::failure());
    assert_lines(
        &scrape(&url).await,
        &[
            "# TYPE circuit_breaker_failure_seconds gauge",
            "circuit_breaker_failure_seconds{name=\"payments\"} 3",
            "circuit_breaker_saved_seconds_total{name=\"payments\"} 3",
            "circuit_breaker_rejected_total{name=\"payments\",reason=\"half_open\"} 0",
        ],
    );

    // It recovers, and the next scrape of the same recorder says so.
    clock.advance(10 * SECOND);
    (0..4).for_each(|_| call(&payments, Outcome::Success));
    let text = scrape(&url).await;
    assert_lines(
        &text,
        &[
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"success\"} 5",
            "circuit_breaker_rejected_total{name=\"payments\",reason=\"open\"} 1",
            "circuit_breaker_state{name=\"payments\",state=\"open\"} 0",
            "circuit_breaker_state{name=\"payments\",state=\"closed\"} 1",
            "circuit_breaker_recoveries_total{name=\"payments\"} 1",
            "circuit_breaker_recovery_seconds_total{name=\"payments\"} 23",
            "circuit_breaker_failure_rate{name=\"payments\"} 0",
        ],
    );

    // The calls have left the window: the series stays, and has no value.
    clock.advance(60 * SECOND);
    assert_lines(&scrape(&url).await, &["circuit_breaker_failure_rate{name=\"payments\"} NaN"]);
}
