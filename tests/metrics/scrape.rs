//! As Prometheus sees it: text over HTTP, from a recorder that was installed after the first calls.

use axum::{Router, routing};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tower_breaker::{Outcome, metrics::Reporter};

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

/// The only test here that installs the recorder of the process.
#[tokio::test]
async fn a_scrape_shows_an_outage_from_its_first_call() {
    let reporter = Reporter::new();
    let (payments, clock) = circuit("payments", THREE, |circuit| circuit.observe(reporter.observer()));
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
            "# HELP circuit_breaker_rejected_total Calls that were not made: calls saved.",
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"success\"} 1",
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"failure\"} 1",
            "circuit_breaker_rejected_total{name=\"payments\"} 1",
            "circuit_breaker_opened_total{name=\"payments\"} 1",
            "circuit_breaker_state_seconds_total{name=\"payments\",state=\"open\"} 4",
            "circuit_breaker_transitions_total{name=\"payments\",from=\"closed\",to=\"open\",reason=\"demanded\"} 1",
            "# TYPE circuit_breaker_state gauge",
            "circuit_breaker_state{name=\"payments\",state=\"open\"} 1",
            "circuit_breaker_state{name=\"payments\",state=\"closed\"} 0",
            "circuit_breaker_outage_seconds{name=\"payments\"} 4",
            "circuit_breaker_failure_rate{name=\"payments\"} NaN",
        ],
    );

    // It recovers, and the next scrape of the same recorder says so.
    clock.advance(6 * SECOND);
    call(&payments, Outcome::Success);
    let text = scrape(&url).await;
    assert_lines(
        &text,
        &[
            "circuit_breaker_calls_total{name=\"payments\",outcome=\"success\"} 2",
            "circuit_breaker_rejected_total{name=\"payments\"} 1",
            "circuit_breaker_state{name=\"payments\",state=\"open\"} 0",
            "circuit_breaker_state{name=\"payments\",state=\"closed\"} 1",
            "circuit_breaker_recoveries_total{name=\"payments\"} 1",
            "circuit_breaker_recovery_seconds_total{name=\"payments\"} 10",
        ],
    );
}
