//! It fits a phone, and says what everything is to who cannot see it.

use tower_breaker_browser::{Page, Program, Server, Shop, look};

async fn assert_no_sideways(page: &Page, what: &str) {
    let excess = page.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
    assert_eq!(excess, 0, "it scrolls sideways: {what}");
    let outside = "[...document.querySelectorAll('button, input, select, .pill, .num, .due')].filter(e => \
                   e.checkVisibility() && e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML)";
    let outside = page.eval(outside).await;
    assert_eq!(outside.as_array().map(Vec::len), Some(0), "outside of the screen, {what}: {outside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_all_without_scrolling_sideways() {
    let shop = Shop::open().await;
    let long = "a-name-without-end-".repeat(40);
    shop.program.circuit(&long, tower_breaker::Config::new());
    let server = Server::start(shop.program.steered()).await;
    look(&server.origin(), async |page| {
        for width in [360, 390, 600, 768, 1024, 1280] {
            page.resize(width, 800).await;
            page.open("").await;
            assert_no_sideways(page, &format!("{width} px")).await;
            page.unfold("payments").await;
            page.unfold(&long).await;
            page.click("#log-button").await;
            page.settle().await;
            assert_no_sideways(page, &format!("{width} px, unfolded")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_has_a_name_and_every_column_a_head() {
    let shop = Shop::open().await;
    let server = Server::start(shop.program.steered()).await;
    look(&server.origin(), async |page| {
        page.unfold("payments").await;
        let nodes = page.controls().await;
        let controls = ["button", "textbox", "searchbox", "combobox", "link", "ComboBoxMenuButton"];
        for (role, name) in &nodes {
            assert!(!controls.contains(&role.as_str()) || !name.is_empty(), "a {role} without a name among {nodes:?}");
        }
        let has = |role: &str, name: &str| nodes.iter().any(|node| node.0 == role && node.1.starts_with(name));
        let expected = [
            ("searchbox", "Filter by name"),
            ("combobox", "Sort by"),
            ("button", "Events"),
            ("button", "1 open"),
            ("button", "payments"),
            ("button", "Force open"),
            ("button", "Reset"),
            ("combobox", "For how long"),
            ("group", "Steer payments"),
            ("table", "Circuits"),
            ("columnheader", "State"),
            ("rowheader", "payments"),
            ("cell", "open"),
            ("heading", "Circuits"),
            ("status", ""),
            ("log", ""),
            ("main", ""),
        ];
        for (role, name) in expected {
            assert!(has(role, name), "no {role} called {name} among {nodes:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_motion_gets_none() {
    let program = Program::new();
    let circuit = program.circuit("payments", tower_breaker::Config::new());
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        let moves = "document.getAnimations().length > 0";
        circuit.force_open();
        page.until(moves).await;
        page.prefer("prefers-reduced-motion", "reduce").await;
        circuit.auto();
        page.until_state("payments", "closed").await;
        assert_eq!(page.eval(moves).await, false);
        let times = page.eval("getComputedStyle(document.querySelector('.meter i')).transitionDuration").await;
        assert_eq!(times, "0s");
    })
    .await;
}
