//! What happens to circuits is seen on the page.

use std::time::Duration;

use tower_breaker::{
    Config,
    config::{Consecutive, Probing, Recovery, RecoveryWindow},
};
use tower_breaker_browser::{Backend, Program, Server, look};

/// Opens after ten failures, and takes its time in each state, so that it can be seen.
fn slow_enough_to_be_seen() -> Config {
    Config::new()
        .without_evidence()
        .consecutive_failures(Consecutive::new(10))
        .probing(Probing::fixed(Duration::from_millis(1500)))
        .recovery(Recovery::Window(RecoveryWindow::new().probation(Duration::from_millis(1500))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_dies_and_recovers() {
    let mut backend = Backend::start().await;
    let program = Program::new();
    let circuit = program.circuit("payments", slow_enough_to_be_seen());
    let calling = backend.called_through(&circuit);
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.until_state("payments", "closed").await;
        page.until("parseFloat(document.querySelector('.calls').textContent) > 0").await;
        backend.die();
        page.until_state("payments", "open").await;
        page.until("/^probe (in|is)/.test(document.querySelector('.due').textContent)").await;
        page.until("parseFloat(document.querySelector('.rejections').textContent) > 0").await;
        assert!(page.says("payments", ".reason").await.contains("failures in a row"), "the reason is there");
        backend.recover().await;
        page.until_state("payments", "recovering").await;
        page.until_state("payments", "closed").await;
        let events = page.text("#events").await;
        for seen in ["closed → open", "open → half-open", "half-open → recovering", "recovering → closed"] {
            assert!(events.contains(seen), "{seen} is missing among {events}");
        }
        page.until("document.getElementById('say').textContent.includes('payments is open')").await;
        // The stream says nothing while nothing changes: the page must know that there are no calls.
        calling.abort();
        page.until("document.querySelector('.calls').textContent === '0 calls/s'").await;
    })
    .await;
}
