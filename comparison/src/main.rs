//! The same tests against five circuit breakers.
//!
//! ```sh
//! cargo run --release --manifest-path comparison/Cargo.toml
//! ```
//!
//! Prints one Markdown table. Exit code: 0 if tower-breaker passes every row, 2 if it fails those that are listed as known
//! gaps and no other, 1 if it fails another, or passes one that is listed as a gap. What the others do decides nothing.

mod breaker;
mod crates;
mod dependency;
mod rows;
mod table;

use std::process::ExitCode;

use tokio::task::JoinHandle;

use crate::{
    crates::Crate,
    table::{Answers, Cell},
};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let mut answers = Vec::new();
    for row in rows::ALL {
        eprintln!("{} …", row.name);
        answers.push(Answers { row, cells: ask(row).await });
    }
    println!("{}", table::markdown(&answers));
    table::judge(&answers)
}

/// Puts a row to all crates: at the same time where it mostly waits, one after the other where it is timed.
async fn ask(row: &'static rows::Row) -> Vec<(Crate, Cell)> {
    let mut cells = Vec::new();
    if row.alone {
        for of in Crate::ALL {
            cells.push((of, finished(tokio::spawn((row.ask)(of))).await));
        }
    } else {
        let asked: Vec<_> = Crate::ALL.into_iter().map(|of| (of, tokio::spawn((row.ask)(of)))).collect();
        for (of, asked) in asked {
            cells.push((of, finished(asked).await));
        }
    }
    cells
}

/// A panic is an answer too.
async fn finished(asked: JoinHandle<Cell>) -> Cell {
    asked.await.unwrap_or_else(|_| Cell::when(false, "panics"))
}
