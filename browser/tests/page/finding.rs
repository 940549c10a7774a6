//! Finding one circuit among many: filter, states, order.

use fantoccini::key::Key;
use tower_breaker::{Config, config::FailureRate};
use tower_breaker_browser::{Program, Server, calls, look};

fn rate() -> Config {
    Config::new().without_evidence().failure_rate(FailureRate::new(0.9).minimum_calls(10))
}

/// Names in the order a, B, z2, z10; a is the worst of the closed, z10 is open, B is forced closed.
fn four() -> Program {
    let program = Program::new();
    let [z10, z2, a, b] = ["z10", "z2", "a", "B"].map(|name| program.circuit(name, rate()));
    calls(&z10, 10, true);
    calls(&z2, 19, false);
    calls(&z2, 1, true);
    calls(&a, 10, false);
    calls(&a, 10, true);
    b.force_closed();
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_come_first_unless_another_order_is_asked_for() {
    let program = four();
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        assert_eq!(page.listed().await, ["z10", "B", "a", "z2"]);
        let sort = page.find("#sort").await;
        sort.select_by_value("name").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, ["a", "B", "z2", "z10"], "as people count");
        sort.select_by_value("failures").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, ["z10", "a", "z2", "B"]);
        sort.select_by_value("rejected").await.unwrap();
        let refused = program.circuit("refused", rate());
        refused.force_open();
        page.until("document.querySelectorAll('#rows .name').length === 5").await;
        page.until("document.querySelector('#rows .name').textContent !== 'refused'").await;
        let busy = tokio::spawn(async move {
            loop {
                calls(&refused, 1, false);
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        });
        page.until("document.querySelector('#rows .name').textContent === 'refused'").await;
        busy.abort();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_and_a_state_narrow_the_list_and_stand_in_the_address() {
    let program = four();
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        assert_eq!(
            page.text("#kinds").await.split_whitespace().collect::<Vec<_>>().join(" "),
            "4 all 1 open 0 half-open 0 recovering 1 overridden 2 closed"
        );
        assert_eq!(page.eval("document.title").await, "(1 open) Circuits");
        page.find("#find").await.send_keys("Z").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, ["z10", "z2"]);
        page.click("#kinds .closed").await;
        page.settle().await;
        assert_eq!(page.listed().await, ["z2"]);
        assert_eq!(page.text("#shown").await, "1 of 4 circuits shown");

        let address = page.eval("location.hash").await;
        page.open(address.as_str().unwrap()).await;
        assert_eq!(page.listed().await, ["z2"], "by {address}");

        page.find("#find").await.send_keys("nothing").await.unwrap();
        page.settle().await;
        assert_eq!(page.text("#blank-title").await, "No circuit matches");
        page.click("#blank-button").await;
        page.settle().await;
        assert_eq!(page.listed().await.len(), 4);
        page.find("#find").await.send_keys("z10").await.unwrap();
        page.press([Key::Escape.into()]).await;
        assert_eq!(page.listed().await.len(), 4, "Escape empties the filter");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_leads_to_its_circuit() {
    let program = four();
    let server = Server::start(program.read_only()).await;
    look(&server.origin(), async |page| {
        page.find("#find").await.send_keys("a").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, ["a"]);
        page.click("#events li:last-child .go").await;
        page.until("document.querySelectorAll('#rows .name').length === 4").await;
        assert_eq!(page.focused().await, "z10");
        page.until("document.querySelector('.past').innerText.includes('closed → open')").await;
    })
    .await;
}
