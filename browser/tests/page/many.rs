//! A thousand circuits.

use std::time::{Duration, Instant};

use tower_breaker::Config;
use tower_breaker_browser::{Program, Server, calls, look};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_circuits_are_all_there_and_stay_so_while_all_change() {
    let program = Program::new();
    program.dashboard.every(Duration::from_millis(250));
    let circuits: Vec<_> = (0..1000).map(|i| program.circuit(&format!("service-{i}"), Config::new())).collect();
    let server = Server::start(program.read_only()).await;
    let all = circuits.clone();
    let busy = tokio::spawn(async move {
        for turn in 0_usize.. {
            all.iter().for_each(|circuit| calls(circuit, 1 + turn % 3, turn % 29 == 0));
            // Some change their state, so that the order changes too.
            all[turn % 1000].force_open();
            all[(turn + 990) % 1000].auto();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    look(&server.origin(), async |page| {
        let began = Instant::now();
        page.open("").await;
        page.until("document.querySelectorAll('#rows .name').length === 1000").await;
        let there = began.elapsed();
        // The log of requests would hold each message, a megabyte, and that is no business of the page.
        page.devtools("Network.disable", serde_json::json!({})).await;
        page.eval(WATCH).await;
        page.until("window.passes.length >= 40").await;
        let worst = page.eval("Math.max(...window.passes)").await;
        let usual = page.eval("window.passes.toSorted((a, b) => a - b)[window.passes.length >> 1]").await;
        let frame = page.eval("Math.max(0, ...window.frames)").await;
        println!("1,000 circuits: all rows after {there:.0?}; a pass takes {usual} ms, at worst {worst} ms; the longest frame over 50 ms: {frame} ms");

        assert_eq!(page.eval("new Set([...document.querySelectorAll('#rows .name')].map(n => n.textContent)).size").await, 1000);
        page.until("[...document.querySelectorAll('#rows > .closed .calls')].filter(cell => parseFloat(cell.textContent) > 0).length > 950").await;
        page.find("#find").await.send_keys("service-777").await.unwrap();
        page.settle().await;
        assert_eq!(page.listed().await, ["service-777"]);
        circuits[777].disable();
        page.until_state("service-777", "disabled").await;
    })
    .await;
    busy.abort();
}

/// Measures each pass of the page, and hears of long frames.
const WATCH: &str = "(() => {
    const real = window.requestAnimationFrame;
    [window.passes, window.frames] = [[], []];
    window.requestAnimationFrame = pass => real(time => {
        const began = performance.now();
        pass(time);
        window.passes.push(performance.now() - began);
    });
    new PerformanceObserver(list => window.frames.push(...list.getEntries().map(entry => entry.duration)))
        .observe({ type: 'long-animation-frame' });
})()";
