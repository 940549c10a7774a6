//! Names and reasons that an attacker has chosen.

use fantoccini::key::Key;
use tower_breaker::{Circuit, Config, Mode, machine::WindowSnapshot};
use tower_breaker_browser::{Program, Server, calls, look};

const NAMES: [&str; 8] = [
    "<img src=x onerror=\"window.hurt = 1\">",
    "</script><script>window.hurt = 1</script>",
    "\"'><svg onload=window.hurt=1>",
    "a/b?c=d#e%2F&f",
    "__proto__",
    "javascript:window.hurt=1",
    "{{hurt}} ${window.hurt=1}",
    "{\"id\":\"\u{2028}\"}",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_text_and_nothing_else() {
    let program = Program::new();
    let circuits = NAMES.map(|name| program.circuit(name, Config::new()));
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        assert_eq!(page.listed().await.len(), NAMES.len());
        for (name, circuit) in NAMES.iter().zip(&circuits) {
            circuit.metrics_only();
            page.until_state(name, "metrics only").await;
            page.unfold(name).await;
        }
        let listed = page.listed().await;
        for name in &NAMES[..7] {
            assert!(listed.iter().any(|listed| listed == name), "{name} among {listed:?}");
        }
        // What happens to all of them is told, listed and asked for again.
        page.until("document.getElementById('say').textContent").await;
        page.until("document.querySelectorAll('#events li').length >= 8").await;
        page.find("#find").await.send_keys("onerror").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, [NAMES[0]]);
        assert_eq!(page.eval("window.hurt === undefined && {}.hurt === undefined").await, true);
        assert_eq!(page.eval("document.querySelectorAll('img, #rows script, svg[onload], [onerror]').length").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reaches_the_circuit_that_it_is_for() {
    let program = Program::new();
    let [odd, other] = [NAMES[3], "a"].map(|name| program.circuit(name, Config::new()));
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        page.unfold(NAMES[3]).await;
        page.click(".more [data-action=disable]").await;
        page.until_state(NAMES[3], "disabled").await;
        assert_eq!((odd.mode(), other.mode()), (Mode::Disabled, Mode::Auto));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_is_shown_by_its_number() {
    let program = Program::new();
    program.circuit("pay\u{202e}stnem\u{200b}\n", Config::new());
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        assert_eq!(page.listed().await, ["pay\\u{202e}stnem\\u{200b}\\u{a}"]);
        page.press(['/', Key::Down.into(), Key::Enter.into()]).await;
        page.until("document.querySelector('.more')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_is_text_too() {
    let program = Program::new();
    let reason = "<img src=x onerror=window.hurt=1>";
    let quotes = move |_: &WindowSnapshot| Some(reason.to_owned());
    let builder = Circuit::builder("quotes").rule(quotes).observe(program.dashboard.observer());
    let circuit = builder.build().unwrap();
    program.dashboard.add(circuit.clone());
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        calls(&circuit, 1, true);
        page.until_state("quotes", "open").await;
        page.unfold("quotes").await;
        assert_eq!(page.says("quotes", ".reason").await, reason);
        assert!(page.says("quotes", ".why").await.contains(reason));
        page.until("document.querySelector('#events .text').textContent.startsWith('<img')").await;
        assert_eq!(page.eval("window.hurt === undefined && !document.querySelector('img')").await, true);
    })
    .await;
}
