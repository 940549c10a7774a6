//! A gateway as a process of its own, seen from the process that measures.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::timeout,
};
use tower_breaker::{BoxError, State};

use crate::clock::{self, Instant};

/// A running gateway; it ends when this is dropped.
pub(crate) struct GatewayProcess {
    process: Child,
    address: SocketAddr,
    desk: Option<SocketAddr>,
    lines: UnboundedReceiver<Line>,
}

/// What a gateway has said, and when that was heard.
type Line = (Instant, Value);

/// A circuit has changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) at: Instant,
    pub(crate) from: State,
    pub(crate) to: State,
    /// With its numbers.
    pub(crate) reason: String,
    /// How many calls it has let through since it began.
    pub(crate) calls: u64,
    /// How many it has rejected.
    pub(crate) rejected: u64,
}

impl GatewayProcess {
    /// Starts a gateway and waits until it listens.
    pub(crate) async fn start(back_end: SocketAddr, breaker: bool, desk: SocketAddr) -> Result<Self, BoxError> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--gateway", &back_end.to_string(), if breaker { "with" } else { "without" }, &desk.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sender, mut lines) = mpsc::unbounded_channel();
        if let Some(stdout) = process.stdout.take() {
            std::thread::spawn(move || read_lines(stdout, &sender));
        }
        let first = timeout(Duration::from_secs(10), lines.recv()).await;
        let line = first.ok().flatten().map(|(_, line)| line).unwrap_or_default();
        let address = |what: &str| line[what].as_str().and_then(|address| address.parse().ok());
        match address("listens") {
            Some(listens) => Ok(Self { process, address: listens, desk: address("desk"), lines }),
            None => {
                let _ = process.kill();
                Err("the gateway did not start".into())
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its dashboard is; none without the feature `axum`.
    pub(crate) fn desk(&self) -> Option<SocketAddr> {
        self.desk
    }

    /// Waits for the next change of its circuit.
    ///
    /// # Errors
    ///
    /// If it has ended, or if changes were missed: the figures would be wrong.
    pub(crate) async fn change(&mut self) -> Result<Change, BoxError> {
        let (at, line) = self.lines.recv().await.ok_or("a gateway has ended")?;
        Change::read(at, &line).ok_or_else(|| format!("a gateway said {line}").into())
    }

    /// Returns the most memory it has had resident, in bytes; none where the system has no `/proc`.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }
}

impl Change {
    fn read(at: Instant, line: &Value) -> Option<Self> {
        let state = |key: &str| State::ALL.into_iter().find(|state| line[key] == state.as_str());
        Some(Self {
            at,
            from: state("from")?,
            to: state("to")?,
            reason: line["reason"].as_str()?.to_owned(),
            calls: line["calls"].as_u64()?,
            rejected: line["rejected"].as_u64()?,
        })
    }

    /// Whether it only begins or fails a probe; there are many in an outage.
    pub(crate) fn is_probe(&self) -> bool {
        matches!((self.from, self.to), (State::Open, State::HalfOpen) | (State::HalfOpen, State::Open))
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_lines(stdout: ChildStdout, lines: &UnboundedSender<Line>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
        if lines.send((clock::now(), value)).is_err() {
            return;
        }
    }
}
