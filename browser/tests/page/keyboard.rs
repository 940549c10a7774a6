//! All of it without a mouse.

use fantoccini::key::Key;
use tower_breaker::{Config, Mode};
use tower_breaker_browser::{Program, Server, look};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_is_found_opened_and_forced_by_keys_alone() {
    let program = Program::new();
    let payments = program.circuit("payments", Config::new());
    for name in ["mail", "search"] {
        program.circuit(name, Config::new());
    }
    let server = Server::start(program.steered()).await;
    look(&server.origin(), async |page| {
        page.press([TAB]).await;
        assert_eq!(page.focused().await, "Skip to the circuits");
        page.press([ENTER]).await;
        page.press([TAB]).await;
        assert_eq!(page.focused().await, "mail", "past all that is above the list");
        page.press([Key::Down.into()]).await;
        assert_eq!(page.focused().await, "payments");
        page.press([Key::Up.into()]).await;
        assert_eq!(page.focused().await, "mail");

        page.press(['/']).await;
        page.press("pay".chars()).await;
        assert_eq!(page.eval("document.activeElement.value").await, "pay", "the slash is not part of it");
        page.press([Key::Down.into()]).await;
        assert_eq!(page.focused().await, "payments");
        page.press([ENTER]).await;
        assert_eq!(page.eval("document.activeElement.ariaExpanded").await, "true");
        page.press([TAB, TAB]).await;
        assert_eq!(page.focused().await, "Force open");
        page.press([ENTER]).await;
        assert_eq!(page.focused().await, "Cancel", "what does no harm has the focus");
        page.press([TAB, ENTER]).await;
        page.until_state("payments", "forced open").await;
        assert_eq!(payments.mode(), Mode::ForcedOpen);
        assert_eq!(page.focused().await, "Force open", "the focus is back where it was");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_is_seen() {
    let program = Program::new();
    program.circuit("payments", Config::new());
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.press(['/', Key::Down.into()]).await;
        assert_eq!(page.focused().await, "payments");
        let outline = "getComputedStyle(document.activeElement, '::after').outlineStyle";
        assert_eq!(page.eval(outline).await, "solid");
        page.press(['/', TAB, TAB]).await;
        assert_eq!(page.focused().await, "Events");
        assert_ne!(page.eval("getComputedStyle(document.activeElement).outlineStyle").await, "none");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_under_the_keys_and_the_focus_goes_along_when_it_does() {
    let program = Program::new();
    let [_, _, third] = ["first", "second", "third"].map(|name| program.circuit(name, Config::new()));
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.press(['/', Key::Down.into(), Key::Down.into(), Key::Down.into()]).await;
        third.force_open();
        page.until_state("third", "forced open").await;
        assert_eq!(page.listed().await, ["first", "second", "third"], "the key was pressed just now");
        page.until("document.querySelector('#rows .name').textContent === 'third'").await;
        assert_eq!(page.focused().await, "third");
    })
    .await;
}
