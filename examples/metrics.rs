//! Metrics of one circuit and of one for each tenant, scraped over HTTP as Prometheus does.
//!
//! `cargo run --all-features --example metrics` serves `/metrics` on loopback, lets a dependency fail, scrapes, and ends by
//! itself. It prints what a scrape says, among it
//!
//! ```text
//! circuit_breaker_state{name="payments",state="open"} 1
//! circuit_breaker_rejected_total{name="payments",reason="open"} 5
//! circuit_breaker_transitions_total{name="payments",from="closed",to="open",reason="consecutive_failures"} 1
//! circuit_breaker_circuits{name="tenants"} 100
//! ```

use std::error::Error;

use axum::{Router, routing};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tower_breaker::{Circuit, Config, Outcome, Registry, config::Consecutive, metrics::Reporter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let reporter = Reporter::new();
    let config = Config::new().consecutive_failures(Consecutive::new(3));
    let payments = Circuit::builder("payments").config(config).observe(reporter.observer()).build()?;
    let each = reporter.clone();
    let tenants =
        Registry::by_key("tenants").each(move |_: &String, circuit| circuit.observe(each.observer())).build()?;
    reporter.add(payments.clone());
    reporter.add(tenants.clone());

    for _ in 0..8 {
        // Three failures open it; five calls are not made.
        if let Ok(permit) = payments.try_acquire() {
            permit.record(Outcome::failure());
        }
    }
    for tenant in 0..100 {
        tenants.circuit(&format!("tenant {tenant}")).try_acquire()?.record(Outcome::Success);
    }

    // The recorder may come late: it sees what was counted before.
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let scrape = move || {
        reporter.publish();
        let text = prometheus.render();
        async { text }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let app = Router::new().route("/metrics", routing::get(scrape));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
    let response = client.get(format!("http://{server}/metrics").parse()?).await?;
    let text = String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?;
    print!("{text}");
    assert!(text.contains("circuit_breaker_state{name=\"payments\",state=\"open\"} 1\n"));
    assert!(text.contains("circuit_breaker_rejected_total{name=\"payments\",reason=\"open\"} 5\n"));
    Ok(())
}
