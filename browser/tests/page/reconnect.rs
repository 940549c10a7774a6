//! The server goes, and comes back.

use tower_breaker::Config;
use tower_breaker_browser::{Program, Server, look};

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_comes_back_with_what_happened_meanwhile() {
    let program = Program::new();
    let circuit = program.circuit("payments", Config::new());
    circuit.metrics_only();
    circuit.auto();
    let mut server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.until("document.querySelectorAll('#events li').length === 2").await;
        server.die();
        page.until("document.getElementById('link').textContent.startsWith('reconnecting; figures of ')").await;
        circuit.force_open();
        assert_eq!(page.says("payments", ".state").await, "closed", "what it was when it was last heard of");
        server.restart().await;
        page.until("document.getElementById('link').textContent === 'connected'").await;
        page.until_state("payments", "forced open").await;
        page.until("document.querySelectorAll('#events li').length === 3").await;
        page.expect_failed_requests().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_in_its_place_replaces_all() {
    let program = Program::new();
    let stays = program.circuit("stays", Config::new());
    program.circuit("goes", Config::new());
    for _ in 0..5 {
        stays.force_open();
        stays.auto();
    }
    let mut server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.until("document.querySelectorAll('#events li').length === 10").await;
        let next = Program::new();
        next.circuit("stays", Config::new());
        // Its only event has a number that the page has seen.
        next.circuit("comes", Config::new()).force_closed();
        server.replace(next.read_only());
        server.restart().await;
        page.until_state("comes", "forced closed").await;
        assert_eq!(page.listed().await, ["comes", "stays"]);
        page.until("document.querySelectorAll('#events li').length === 1").await;
        assert!(page.text("#events").await.starts_with("comes"));
        page.expect_failed_requests().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn circuits_come_and_go_while_it_is_open() {
    let program = Program::new();
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        assert_eq!(page.text("#blank-title").await, "No circuits yet");
        let tenants = tower_breaker::Registry::by_key("tenants").build().unwrap();
        program.dashboard.add(tenants.clone());
        tenants.circuit("acme");
        page.until_state("tenants[\"acme\"]", "closed").await;
        assert_eq!(page.eval("document.getElementById('blank').checkVisibility()").await, false);
        tenants.remove("acme");
        page.until("document.querySelectorAll('#rows .name').length === 0").await;
    })
    .await;
}
