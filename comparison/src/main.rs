//! The same tests against five circuit breakers.
//!
//! ```sh
//! cargo run --release --manifest-path comparison/Cargo.toml
//! ```
//!
//! Prints one Markdown table. Exit code: 0 if tower-breaker passes every row, 2 if it fails those that are listed as known
//! gaps and no other, 1 if it fails another, or passes one that is listed as a gap. What the others do decides nothing.
//! With `-- --check` it is also 1 if a row, a version or a verdict differs from the table in `docs/comparison.md`.

mod breaker;
mod crates;
mod dependency;
mod rows;
mod table;

use std::{env, fs, process::ExitCode};

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
    let table = table::markdown(&answers);
    println!("{table}");
    let code = table::judge(&answers);
    if env::args().any(|arg| arg == "--check") && !is_quoted(&table) { ExitCode::FAILURE } else { code }
}

/// Whether the document quotes this table, give or take what was seen.
fn is_quoted(table: &str) -> bool {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/comparison.md");
    let differences = match fs::read_to_string(document) {
        Ok(document) => table::differences(table, &document),
        Err(error) => vec![error.to_string()],
    };
    for difference in &differences {
        eprintln!("docs/comparison.md differs: {difference}");
    }
    differences.is_empty()
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
