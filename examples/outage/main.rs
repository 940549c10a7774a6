//! The same outage past two gateways, one without and one with a circuit breaker, and what the breaker changes.
//!
//! `cargo run --release --example outage` takes about 50 s. It prints what the back end does, a line whenever the circuit
//! changes, a table, and a sentence. `--help` tells the options. It fails (exit code 1) if a phase did not behave.
//!
//! Read `gateway.rs` for how the crate is used; the other files break things and measure.

mod args;
mod back_end;
mod checks;
mod clock;
mod desk;
mod gateway;
mod live;
mod load;
mod measure;
mod process;
mod report;
mod run;
mod screen;
mod sides;
mod timeline;

use std::process::ExitCode;

use serde_json::json;
use tower_breaker::BoxError;

use crate::{
    args::{Command, HELP, Options},
    checks::Check,
    live::Live,
    load::CALLS_PER_SECOND,
    measure::Figures,
    screen::Screen,
};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Gateway { back_end, breaker, desk }) => gateway::run(back_end, breaker, desk).await.map(|()| true),
        Ok(Command::Help) => {
            println!("{HELP}");
            Ok(true)
        }
        Ok(Command::Show(options)) => show(options).await,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the outage and shows it. Returns whether every phase behaved.
async fn show(options: Options) -> Result<bool, BoxError> {
    let screen = Screen::new(options.json);
    let timeline = timeline::timeline();
    let lasts = timeline.last().map(|phase| phase.ends).unwrap_or_default();
    report::introduce(&screen, lasts);
    let desk = options.serve.unwrap_or(desk::ANYWHERE);
    let record = run::run(&timeline, &mut Live::new(&screen, options.probes, lasts), desk).await?;
    let figures = Figures::new(&timeline, &record);
    let checks = checks::all(&figures);
    report::conclude(&screen, &figures, &checks);
    let held = checks.iter().all(|check| check.holds);
    if options.json {
        let timeline: Vec<_> = timeline.iter().map(|phase| phase.to_json()).collect();
        let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
        println!(
            "{}",
            json!({ "calls_per_second": CALLS_PER_SECOND, "timeline": timeline, "figures": figures.to_json(), "checks": checks, "ok": held })
        );
    }
    if options.serve.is_some() {
        screen.line(&format!("Until it is interrupted: {}", desk::sign(record.gateway.desk())));
        std::future::pending::<()>().await;
    }
    Ok(held)
}
