//! The page in a browser: what is on it, what is done to it, and whether it complains.

use std::{
    fmt,
    panic::{AssertUnwindSafe, resume_unwind},
    time::{Duration, Instant},
};

use fantoccini::{
    Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    wd::WebDriverCompatibleCommand,
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use url::Url;

use crate::Chrome;

/// The page, open in a browser.
pub struct Page {
    chrome: Chrome,
    origin: String,
}

/// The longest that anything may take to appear. Generous: other tests and browsers have the same cores.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens the page of a server, at a desktop's width, and does with it what the test says. Whatever that is: no script may
/// fail, and nothing may be asked of another server.
pub async fn look(origin: &str, test: impl AsyncFnOnce(&Page)) {
    let chrome = Chrome::start().await;
    let page = Page { chrome, origin: origin.to_owned() };
    let tested = AssertUnwindSafe(async {
        page.resize(1280, 800).await;
        page.open("").await;
        test(&page).await;
        page.assert_quiet().await;
    });
    let outcome = tested.catch_unwind().await;
    page.chrome.close().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Page {
    /// Loads the page anew, with this behind its address (`#sort=name`), and waits for the first figures.
    pub async fn open(&self, hash: &str) {
        self.goto(&format!("{}/circuits/dashboard{hash}", self.origin)).await;
        self.until("document.getElementById('link').textContent === 'connected'").await;
        self.settle().await;
    }

    /// Loads an address from scratch.
    pub async fn goto(&self, url: &str) {
        // From elsewhere, since a change of the hash alone loads nothing.
        self.chrome.client.goto("about:blank").await.expect("there is always this");
        self.chrome.client.goto(url).await.expect("the server answers");
    }

    /// The value of an expression.
    pub async fn eval(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.chrome.client.execute(&script, Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn until(&self, expression: &str) {
        let began = Instant::now();
        while !truthy(&self.eval(expression).await) {
            if began.elapsed() > PATIENCE {
                panic!("never true: {expression}; the page says:\n{}", self.text("body").await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until all that has come is on the page.
    pub async fn settle(&self) {
        let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))";
        self.chrome.client.execute_async(script, Vec::new()).await.expect("frames are drawn");
    }

    /// The text of the first element of a selector, as it is seen.
    pub async fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({selector:?})?.innerText ?? '(nothing)'")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The ids of the circuits that are listed, in their order.
    pub async fn listed(&self) -> Vec<String> {
        let names = self.eval("[...document.querySelectorAll('#rows .name')].map(name => name.textContent)").await;
        names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The element of a selector.
    pub async fn find(&self, selector: &str) -> Element {
        self.chrome.client.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks where the element is: what covers it gets the click.
    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks on the name of a circuit, and waits for its details.
    pub async fn unfold(&self, id: &str) {
        let row = row(id);
        self.eval(&format!("{row}.scrollIntoView({{block: 'center'}})")).await;
        self.eval(&format!("{row}.setAttribute('data-here', '')")).await;
        self.click("[data-here] .name").await;
        self.until(&format!("{row}.querySelector('.more')")).await;
        self.eval(&format!("{row}.removeAttribute('data-here')")).await;
    }

    /// What one cell of a circuit says: `.state`, `.due`, …
    pub async fn says(&self, id: &str, cell: &str) -> String {
        let text = self.eval(&format!("{}?.querySelector({cell:?})?.textContent ?? '(nothing)'", row(id))).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the state of a circuit is this word.
    pub async fn until_state(&self, id: &str, word: &str) {
        self.until(&format!("{}?.querySelector('.state').textContent === {word:?}", row(id))).await;
    }

    /// Presses keys, one after the other, wherever the focus is: letters, or such as `Key::Tab.into()`.
    pub async fn press(&self, keys: impl IntoIterator<Item = char>) {
        let mut actions = KeyActions::new("keys".into());
        for value in keys {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.chrome.client.perform_actions(actions).await.expect("keys can be pressed");
        self.settle().await;
    }

    /// The name, as a screen reader has it, of what has the focus.
    pub async fn focused(&self) -> String {
        let tag =
            self.eval("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText").await;
        tag.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Gives the page another size, that of a phone if it is narrow.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Says what its reader prefers: `("prefers-color-scheme", "dark")`.
    pub async fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// What is seen, as a PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.chrome.client.screenshot().await.expect("there is something to see")
    }

    /// All controls of the accessibility tree, as role and name.
    pub async fn controls(&self) -> Vec<(String, String)> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().expect("it is a tree");
        let word = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        seen.map(|node| (word(node, "role"), word(node, "name"))).collect()
    }

    /// A command of the protocol of Chromium's developer tools.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let sent = self.chrome.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await;
        sent.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Forgets requests that failed until now, because the test wanted them to.
    ///
    /// # Panics
    ///
    /// If something else was wrong.
    pub async fn expect_failed_requests(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.iter().any(|(source, _)| source == "network"), "no request has failed");
        let others: Vec<_> = complaints.iter().filter(|(source, _)| source != "network").collect();
        assert!(others.is_empty(), "{others:?}");
    }

    async fn assert_quiet(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the console says {complaints:?}");
        let requests = self.requests().await;
        assert!(
            requests.iter().any(|url| url.ends_with("/circuits/events")),
            "the log of requests is empty: {requests:?}"
        );
        let outside = |url: &&String| !url.starts_with(&self.origin) && !url.starts_with("data:");
        let outside: Vec<_> = requests.iter().filter(outside).collect();
        assert!(outside.is_empty(), "the page has asked others: {outside:?}");
    }

    /// What stands in the console since it was asked last: source and text.
    async fn complaints(&self) -> Vec<(String, String)> {
        let log = self.log("browser").await;
        let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        log.iter().map(|entry| (word(entry, "source"), word(entry, "message"))).collect()
    }

    /// What has been asked for, by address.
    async fn requests(&self) -> Vec<String> {
        let log = self.log("performance").await;
        let messages = log.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        sent.filter_map(|message| Some(message["message"]["params"]["request"]["url"].as_str()?.to_owned()))
            .filter(|url| url != "about:blank")
            .collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let got = self.chrome.client.issue_cmd(Vendor { path: "se/log", body: json!({ "type": kind }) }).await;
        got.expect("chromedriver keeps logs").as_array().expect("it is a list").clone()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// An expression for the row of a circuit.
fn row(id: &str) -> String {
    let id = Value::from(id);
    format!("[...document.querySelectorAll('#rows > .c')].find(row => row.circuit.id === {id})")
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != ""
}

/// A command that only chromedriver knows.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
