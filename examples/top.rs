//! All circuits of a program in a terminal: state, reason, rates, rejections, when the next probe goes, the last events.
//!
//! `cargo run --all-features --example top -- http://127.0.0.1:3000/circuits` looks at any program that serves its dashboard, such
//! as `cargo run --release --features axum --example checkout -- --serve 127.0.0.1:3000`. Keys: `q` quits, `s` sorts by another
//! column, `f` leaves out what is closed, `/` asks for a part of the name.
//!
//! Without an address it looks at a server of its own, whose back end refuses all calls, prints one screen as text and ends.

use std::{collections::BTreeMap, error::Error, thread, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ratatui::{
    Frame, Terminal,
    backend::TestBackend,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::interval};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{Circuit, CircuitBreakerLayer, Config, config::Consecutive, dashboard::Dashboard};

const EVERY: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(url) = std::env::args().nth(1) else { return demo().await };
    let source = Source::new(&url)?;
    let (sender, mut keys) = mpsc::unbounded_channel();
    let mut terminal = ratatui::init();
    // Reading keys blocks, and needs no end: the process has one.
    thread::spawn(move || while event::read().is_ok_and(|event| sender.send(event).is_ok()) {});
    let (mut board, mut ticks) = (Board::default(), interval(EVERY));
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, &board)) {
            break Err(error.into());
        }
        tokio::select! {
            _ = ticks.tick() => board.take(source.look().await),
            event = keys.recv() => match event {
                Some(Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if interrupt || !board.press(key.code) {
                        break Ok(());
                    }
                }
                Some(_) => {}
                None => break Err("the keyboard is gone".into()),
            },
        }
    };
    ratatui::restore();
    ended
}

/// Where the circuits are looked at.
struct Source {
    client: Client<HttpConnector, Empty<Bytes>>,
    circuits: Uri,
    events: Uri,
}

impl Source {
    fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        let url = url.trim_end_matches('/');
        let (circuits, events) = (url.parse()?, format!("{url}/events").parse()?);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build_http(), circuits, events })
    }

    async fn look(&self) -> Result<(Value, Value), Box<dyn Error>> {
        Ok((self.get(&self.circuits).await?, self.get(&self.events).await?))
    }

    async fn get(&self, uri: &Uri) -> Result<Value, Box<dyn Error>> {
        let answer = tokio::time::timeout(4 * EVERY, self.client.get(uri.clone())).await??;
        if answer.status() != StatusCode::OK {
            return Err(format!("{uri} answers {}", answer.status()).into());
        }
        Ok(serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?)
    }
}

/// What is on the screen.
#[derive(Default)]
struct Board {
    circuits: Vec<Value>,
    events: Vec<Value>,
    now_ms: f64,
    /// Calls and rejections in a second, by id.
    rates: BTreeMap<String, (f64, f64)>,
    error: Option<String>,
    sort: usize,
    only_troubled: bool,
    part: String,
    /// A part of a name is being typed.
    typing: bool,
}

/// By what the circuits are sorted: the worst first.
const SORTS: [&str; 4] = ["state", "name", "calls", "rejected"];

impl Board {
    fn take(&mut self, look: Result<(Value, Value), Box<dyn Error>>) {
        let (circuits, events) = match look {
            Ok(look) => look,
            Err(error) => return self.error = Some(error.to_string()),
        };
        let now_ms = circuits["now_ms"].as_f64().unwrap_or_default();
        let passed = (now_ms - self.now_ms) / 1_000.0;
        let new: Vec<Value> = circuits["circuits"].as_array().cloned().unwrap_or_default();
        self.rates = new
            .iter()
            .filter_map(|circuit| {
                let old = self.circuits.iter().find(|old| old["id"] == circuit["id"])?;
                // Less than before where a circuit was made anew.
                let rate = |count: fn(&Value) -> f64| (count(circuit) - count(old)).max(0.0) / passed.max(0.001);
                Some((text(&circuit["id"]).to_owned(), (rate(ended), rate(rejected))))
            })
            .collect();
        let events = events["events"].as_array().cloned().unwrap_or_default();
        (self.circuits, self.events, self.now_ms, self.error) = (new, events, now_ms, None);
    }

    /// Does what a key says; false if that is to end.
    fn press(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Enter if self.typing => self.typing = false,
            KeyCode::Esc => (self.typing, self.part) = (false, String::new()),
            KeyCode::Backspace if self.typing => drop(self.part.pop()),
            KeyCode::Char(typed) if self.typing => self.part.push(typed),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('f') => self.only_troubled = !self.only_troubled,
            KeyCode::Char('q') => return false,
            KeyCode::Char('s') => self.sort = (self.sort + 1) % SORTS.len(),
            _ => {}
        }
        true
    }

    fn rates(&self, circuit: &Value) -> (f64, f64) {
        self.rates.get(text(&circuit["id"])).copied().unwrap_or_default()
    }

    /// The circuits that are wanted, in the order that is wanted.
    fn shown(&self) -> Vec<&Value> {
        let wanted = |circuit: &&Value| text(&circuit["id"]).contains(&self.part);
        let mut shown: Vec<_> = self.circuits.iter().filter(wanted).collect();
        if self.only_troubled {
            shown.retain(|circuit| urgency(circuit) > 0);
        }
        let falling = |of: &dyn Fn(&Value) -> f64, a: &Value, b: &Value| of(b).total_cmp(&of(a));
        // Stable, so what is equal stays in the order of the ids.
        shown.sort_by(|a, b| match SORTS[self.sort] {
            "state" => urgency(b).cmp(&urgency(a)),
            "calls" => falling(&|it| self.rates(it).0, a, b),
            "rejected" => falling(&|it| self.rates(it).1, a, b),
            _ => std::cmp::Ordering::Equal,
        });
        shown
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn ended(circuit: &Value) -> f64 {
    ["succeeded", "failed", "ignored", "cancelled", "late"]
        .iter()
        .filter_map(|line| circuit["ledger"][line].as_f64())
        .sum()
}

fn rejected(circuit: &Value) -> f64 {
    circuit["ledger"]["rejected"].as_f64().unwrap_or_default()
}

/// How much a circuit needs to be looked at.
fn urgency(circuit: &Value) -> u8 {
    match (text(&circuit["mode"]), text(&circuit["state"])) {
        ("forced_open", _) | (_, "open") => 4,
        (_, "half_open") => 3,
        (_, "recovering") => 2,
        ("auto", _) => 0,
        _ => 1,
    }
}

fn colour(urgency: u8) -> Color {
    match urgency {
        4 => Color::Red,
        2 | 3 => Color::Yellow,
        1 => Color::Cyan,
        _ => Color::Green,
    }
}

/// A time as people say it.
fn lasting(ms: &Value) -> String {
    match ms.as_u64() {
        None => "-".into(),
        Some(ms @ ..10_000) => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        Some(ms @ ..120_000) => format!("{} s", ms / 1_000),
        Some(ms @ ..7_200_000) => format!("{} min", ms / 60_000),
        Some(ms) => format!("{} h", ms / 3_600_000),
    }
}

fn draw(frame: &mut Frame<'_>, board: &Board) {
    let events = Constraint::Length((frame.area().height / 3).clamp(3, 10));
    let [head, table, below, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), events, Constraint::Length(1)])
            .areas(frame.area());
    let open = board.circuits.iter().filter(|circuit| urgency(circuit) == 4).count();
    let mut line = vec![Span::from(format!("{} circuits, {open} open", board.circuits.len())).bold()];
    line.extend(board.error.as_ref().map(|error| Span::from(format!("  {error}")).red().bold()));
    frame.render_widget(Line::from(line), head);
    draw_circuits(frame, board, table);

    let lines = board.events.iter().rev().take(usize::from(below.height.saturating_sub(1))).map(|event| {
        let since = (board.now_ms - event["at_ms"].as_f64().unwrap_or_default()) / 1_000.0;
        let (from, to) = (text(&event["from"]), text(&event["to"]));
        Line::from(format!("{since:>6.0} s ago  {}: {from} to {to}  {}", text(&event["circuit"]), text(&event["text"])))
    });
    let title = Block::new().title("last events".bold());
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(title), below);

    let filter = if board.only_troubled { "all" } else { "what is not closed" };
    let part = if board.typing { format!("{}_", board.part) } else { board.part.clone() };
    let help = format!("q quit   s sort (by {})   f show {filter}   / name: {part}", SORTS[board.sort]);
    frame.render_widget(Line::from(help).dim(), keys);
}

fn draw_circuits(frame: &mut Frame<'_>, board: &Board, area: ratatui::layout::Rect) {
    let rows = board.shown().into_iter().map(|circuit| {
        let (calls, rejected) = board.rates(circuit);
        let mode = text(&circuit["mode"]);
        let state = text(&circuit["state"]);
        let word = if mode == "auto" { state.to_owned() } else { format!("{mode} ({state})") };
        let failed = circuit["window"]["failure_rate"]
            .as_f64()
            .map_or_else(|| "-".into(), |rate| format!("{:.0} %", rate * 100.0));
        Row::new([
            Cell::from(word).style(Style::new().fg(colour(urgency(circuit))).add_modifier(Modifier::BOLD)),
            Cell::from(text(&circuit["id"])),
            Cell::from(format!("{calls:.1}")),
            Cell::from(failed),
            Cell::from(format!("{rejected:.1}")),
            Cell::from(lasting(&circuit["in_state_ms"])),
            Cell::from(lasting(&circuit["retry_after_ms"])),
            Cell::from(text(&circuit["reason"]["text"])),
        ])
    });
    let widths = [Constraint::Length(12), Constraint::Min(12)].into_iter();
    let widths = widths.chain([9, 7, 11, 9, 10].map(Constraint::Length)).chain([Constraint::Fill(1)]);
    let head = ["state", "circuit", "calls/s", "failed", "rejected/s", "for", "next probe", "why"];
    frame.render_widget(Table::new(rows, widths).header(Row::new(head).bold()), area);
}

/// The screen as text.
fn screen(board: &Board) -> Result<String, Box<dyn Error>> {
    let mut terminal = Terminal::new(TestBackend::new(120, 16))?;
    terminal.draw(|frame| draw(frame, board))?;
    Ok(terminal.backend().to_string())
}

/// A program whose payments fail, looked at over HTTP.
async fn demo() -> Result<(), Box<dyn Error>> {
    let dashboard = Dashboard::new();
    let config = Config::new().consecutive_failures(Consecutive::new(3));
    let payments = Circuit::builder("payments").config(config).observe(dashboard.observer()).build()?;
    dashboard.add(vec![payments.clone(), Circuit::builder("search").build()?]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let source = Source::new(&format!("http://{}/circuits", listener.local_addr()?))?;
    tokio::spawn(async move { axum::serve(listener, dashboard.router()).await });

    // Nobody listens where somebody has just gone.
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let client = ServiceBuilder::new().layer(CircuitBreakerLayer::new(payments)).service(client);
    let mut board = Board::default();
    for _ in 0..3 {
        for _ in 0..5 {
            let call = Request::get(format!("http://{nobody}/")).body(Empty::new())?;
            assert!(client.clone().oneshot(call).await.is_err(), "nobody answers");
        }
        board.take(source.look().await);
        screen(&board)?;
    }
    let screen = screen(&board)?;
    println!("{screen}");
    assert!(screen.contains("2 circuits, 1 open") && screen.contains("3 failures in a row"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn circuit(id: &str, state: &str, mode: &str, succeeded: u64, rejected: u64) -> Value {
        let reason = (state != "closed").then(|| json!({"rule": "demanded", "text": "one failure asked for it"}));
        json!({"id": id, "state": state, "mode": mode, "reason": reason, "in_state_ms": 61_000, "retry_after_ms": 1_203,
            "window": {"failure_rate": 0.8}, "ledger": {"succeeded": succeeded, "rejected": rejected}})
    }

    fn board() -> Board {
        let mut board = Board::default();
        for (now, count) in [(1_000, 100), (3_000, 120)] {
            let circuits = [
                circuit("a quiet one", "closed", "auto", 100, 0),
                circuit("payments", "open", "auto", count, 2 * count),
                circuit("search", "closed", "forced_open", 3 * count, 0),
            ];
            let events =
                [json!({"at_ms": 1_000, "circuit": "payments", "from": "closed", "to": "open", "text": "why"})];
            board.take(Ok((json!({"now_ms": now, "circuits": circuits}), json!({"events": events}))));
        }
        board
    }

    /// The lines about circuits.
    fn lines(board: &Board) -> Vec<String> {
        let screen = screen(board).expect("it is drawn");
        let circuits = screen.lines().skip(2).take_while(|line| !line.contains("last events"));
        let words = |line: &str| line.trim_matches('"').split_whitespace().collect::<Vec<_>>().join(" ");
        circuits.map(words).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn each_circuit_has_a_line_the_worst_first() {
        let expected = [
            "open payments 10.0 80 % 20.0 61 s 1.2 s one failure asked for it",
            "forced_open search 30.0 80 % 0.0 61 s 1.2 s",
            "closed a quiet one 0.0 80 % 0.0 61 s 1.2 s",
        ];
        assert_eq!(lines(&board()), expected);
        assert!(screen(&board()).expect("it is drawn").contains("2 s ago  payments: closed to open  why"));
    }

    #[test]
    fn keys_sort_filter_and_quit() {
        let mut board = board();
        let ids = |board: &Board| board.shown().iter().map(|it| text(&it["id"]).to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&board), ["payments", "search", "a quiet one"]);
        assert!(board.press(KeyCode::Char('s')));
        assert_eq!(ids(&board), ["a quiet one", "payments", "search"], "by name");
        assert!(board.press(KeyCode::Char('s')));
        assert_eq!(ids(&board), ["search", "payments", "a quiet one"], "by calls");
        assert!(board.press(KeyCode::Char('f')));
        assert_eq!(ids(&board), ["search", "payments"], "what is not closed");
        for key in ['/', 'p', 'a', 'y', 'q'] {
            assert!(board.press(KeyCode::Char(key)), "it is typed");
        }
        assert!(board.press(KeyCode::Backspace) && board.press(KeyCode::Enter));
        assert_eq!(ids(&board), ["payments"]);
        assert!(!board.press(KeyCode::Char('q')));
    }

    #[test]
    fn a_server_that_is_gone_is_told_and_what_it_said_last_stays() {
        let mut board = board();
        board.take(Err("nobody answers".into()));
        assert!(screen(&board).expect("it is drawn").contains("3 circuits, 2 open  nobody answers"));
    }
}
