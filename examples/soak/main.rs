//! A soak: real servers for as long as you like, with faults drawn from a seed; at the end nothing is left and every answer
//! is accounted for.
//!
//! `cargo run --release --example soak -- --minutes 10 --seed 7`. A gateway (axum, the recommended stack around hyper's
//! client) calls a back end that answers, fails, hangs, resets, breaks off and is slow, while an operator meddles and users
//! lose patience. Every few seconds all is quiet for a moment, and the books must balance. Exit code 0 only if all holds.
//!
//! `book.rs` says what "accounted for" means, `checks.rs` what must hold at the end.

mod args;
mod back_end;
mod book;
mod checks;
mod clock;
mod gateway;
mod operator;
mod rng;
mod run;
mod system;
mod users;
mod weather;

use std::process::ExitCode;

use crate::args::{Command, HELP};

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Soak(options)) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    println!("soak: {:.1} min, seed {}", options.lasts.as_secs_f64() / 60.0, options.seed);
    match run::run(&options).await {
        Ok(found) => checks::report(&found),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
