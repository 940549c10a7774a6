//! The browser: chromedriver on a free port, and what it starts.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};

/// A chromedriver of its own, and one browser. Both end with it.
pub struct Chrome {
    driver: Child,
    pub(crate) client: Client,
}

impl Chrome {
    /// Starts both, without a window and without a profile.
    ///
    /// # Panics
    ///
    /// If chromedriver or Chromium are not there.
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: apt-get install chromium chromium-driver");
        let said = BufReader::new(driver.stdout.take().expect("it is piped"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says on which port it listens");
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities().as_object().expect("it is one").clone())
            .connect(&format!("http://127.0.0.1:{port}/"))
            .await
            .expect("Chromium starts");
        Self { driver, client }
    }

    /// Ends the browser. Dropping ends the driver only.
    pub async fn close(self) {
        // If it is gone already there is nothing to end.
        let _ = self.client.clone().close().await;
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities() -> Value {
    // As root there is no sandbox; in a container /dev/shm is small. Chromium ends when the pipe to its driver does.
    let args = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--remote-debugging-pipe",
    ];
    let mut options = json!({ "args": args });
    if Path::new(CHROMIUM).exists() {
        options["binary"] = CHROMIUM.into();
    }
    json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" } })
}

/// Where Debian has it; elsewhere the driver finds its own.
const CHROMIUM: &str = "/usr/bin/chromium";
