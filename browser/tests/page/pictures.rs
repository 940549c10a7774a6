//! What it looks like. The pictures are in `target/screenshots`, for people.

use std::{fs, path::Path};

use tower_breaker_browser::{Page, Server, Shop, look};

#[tokio::test(flavor = "multi_thread")]
async fn all_states_in_both_sizes_and_both_schemes() {
    let shop = Shop::open().await;
    let server = Server::start(shop.program.steered()).await;
    look(&server.origin(), async |page| {
        let states = ["open", "half-open", "recovering", "closed", "forced open", "metrics only"];
        for word in states {
            page.until(&format!(
                "[...document.querySelectorAll('.state')].some(state => state.textContent === {word:?})"
            ))
            .await;
        }
        for scheme in ["light", "dark"] {
            page.prefer("prefers-color-scheme", scheme).await;
            for (size, width, height) in [("desktop", 1280, 800), ("phone", 390, 844)] {
                page.resize(width, height).await;
                page.open("").await;
                page.until("tick > SAMPLES").await;
                keep(page, &format!("{size}-{scheme}"), width, height).await;
                page.unfold("payments").await;
                page.resize(width, 1300).await;
                page.eval("document.activeElement.blur() ?? window.scrollTo(0, 0)").await;
                page.until("document.querySelector('.past').innerText !== ''").await;
                page.settle().await;
                keep(page, &format!("{size}-{scheme}-unfolded"), width, 1300).await;
            }
        }
    })
    .await;
}

async fn keep(page: &Page, name: &str, width: u32, height: u32) {
    let png = page.screenshot().await;
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four are"));
    assert_eq!((size(16), size(20)), (width, height), "the size in the head of {name}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join(name).with_extension("png"), png).expect("there is room");
}
