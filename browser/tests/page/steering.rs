//! What an operator does.

use std::time::Duration;

use tower_breaker::{Circuit, Config, Mode};
use tower_breaker_browser::{Page, Program, Server, look};

const FORCE_OPEN: &str = ".more [data-action=force_open]";

async fn one_circuit() -> (Program, Circuit) {
    let program = Program::new();
    let circuit = program.circuit("payments", Config::new());
    (program, circuit)
}

async fn confirm(page: &Page) {
    page.until("document.getElementById('sure').open").await;
    page.click("#sure [value=yes]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_is_forced_open_for_a_time_and_let_go() {
    let (program, circuit) = one_circuit().await;
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        page.find(".for").await.send_keys("30s").await.unwrap();
        page.click(FORCE_OPEN).await;
        page.until("document.getElementById('sure').open").await;
        assert_eq!(page.text("#sure-title").await, "Force payments open?");
        assert_eq!(page.text("#sure-text").await, "Every call will be rejected, for 30s.");
        page.click("#sure [value=no]").await;
        page.settle().await;
        assert_eq!(circuit.mode(), Mode::Auto, "cancelled");

        page.click(FORCE_OPEN).await;
        confirm(page).await;
        page.until_state("payments", "forced open").await;
        assert_eq!(circuit.mode(), Mode::ForcedOpen);
        let left = circuit.snapshot().mode_ends_in.expect("for a time");
        assert!(left <= Duration::from_secs(30) && left > Duration::from_secs(5), "{left:?}");
        assert!(page.says("payments", ".due").await.ends_with(" s left"));
        assert_eq!(page.says("payments", ".measured").await, "measured: closed");
        page.until("document.querySelector('.said[role=status]').textContent === 'Force open: done, for 30s.'").await;
        page.until("document.querySelector('[data-action=force_open]').ariaPressed === 'true'").await;
        page.until("document.getElementById('events').textContent.includes('mode auto → forced open')").await;

        page.click(".more [data-action=auto]").await;
        page.until_state("payments", "closed").await;
        assert_eq!(circuit.mode(), Mode::Auto);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_button_does_what_it_says_at_once() {
    let (program, circuit) = one_circuit().await;
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        let modes = [
            ("force_closed", "forced closed", Mode::ForcedClosed),
            ("metrics_only", "metrics only", Mode::MetricsOnly),
            ("disable", "disabled", Mode::Disabled),
            ("auto", "closed", Mode::Auto),
        ];
        for (action, word, mode) in modes {
            page.click(&format!(".more [data-action={action}]")).await;
            page.until_state("payments", word).await;
            assert_eq!(circuit.mode(), mode, "{action}");
        }
        let epoch = circuit.snapshot().epoch;
        page.click(".more [data-action=reset]").await;
        page.until("document.querySelector('.said[role=status]').textContent === 'Reset: done.'").await;
        assert_eq!(circuit.snapshot().epoch, epoch + 1, "it was reset");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_shown_with_its_reason() {
    let (program, circuit) = one_circuit().await;
    let server = Server::start(program.dashboard.control(|_| false).router()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        page.click(FORCE_OPEN).await;
        confirm(page).await;
        page.until("document.querySelector('.said[role=alert]').textContent").await;
        assert_eq!(
            page.text(".said[role=alert]").await,
            "Force open was refused (403): you may not steer circuits here"
        );
        assert_eq!(circuit.mode(), Mode::Auto);
        page.expect_failed_requests().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_duration_is_shown_with_what_is_wrong_with_it() {
    let (program, circuit) = one_circuit().await;
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        page.find(".for").await.send_keys("soon").await.unwrap();
        page.click(".more [data-action=disable]").await;
        page.until("document.querySelector('.said[role=alert]').textContent").await;
        let said = page.text(".said[role=alert]").await;
        assert!(said.starts_with("Disable was refused (400): ") && said.contains("soon"), "{said}");
        assert_eq!(circuit.mode(), Mode::Auto);
        page.expect_failed_requests().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_control_there_are_no_buttons_for_it() {
    let (program, _circuit) = one_circuit().await;
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        assert_eq!(page.text("#readonly").await, "read-only");
        assert_eq!(page.eval("document.querySelector('.control').checkVisibility()").await, false);
    })
    .await;
}
