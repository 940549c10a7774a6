//! The answers as one Markdown table, and what they mean for the exit code.

use std::{fmt::Write, process::ExitCode};

use crate::{crates::Crate, rows::Row};

/// What came of one test for one crate.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) verdict: Verdict,
    /// What was seen.
    pub(crate) seen: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fail,
    /// A figure that nobody passes or fails.
    Measured,
    /// The crate has nothing that the test could be put to.
    None,
    Pass,
}

impl Cell {
    /// A pass if the condition holds.
    pub(crate) fn when(passed: bool, seen: impl Into<String>) -> Self {
        Self { verdict: if passed { Verdict::Pass } else { Verdict::Fail }, seen: seen.into() }
    }

    pub(crate) fn measured(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::Measured, seen: seen.into() }
    }

    pub(crate) fn none(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::None, seen: why.into() }
    }
}

/// The answers of all crates to one row.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) row: &'static Row,
    pub(crate) cells: Vec<(Crate, Cell)>,
}

impl Answers {
    fn ours(&self) -> Option<&Cell> {
        self.cells.iter().find(|(of, _)| *of == Crate::Ours).map(|(_, cell)| cell)
    }

    fn ours_fails(&self) -> bool {
        self.ours().is_some_and(|cell| cell.verdict == Verdict::Fail)
    }
}

/// The table, the settings behind it and the notes.
pub(crate) fn markdown(answers: &[Answers]) -> String {
    let mut text = String::from("| test |");
    for of in Crate::ALL {
        let _ = write!(text, " {} {} |", of.column(), version(of));
    }
    text += "\n|---|---|---|---|---|---|\n";
    for answers in answers {
        let _ = write!(text, "| {} |", answers.row.name);
        for (of, cell) in &answers.cells {
            let gap = *of == Crate::Ours && answers.row.known_gap.is_some();
            let word = match cell.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail if gap => "**not yet**",
                Verdict::Fail => "**fail**",
                Verdict::Measured => "measured",
                Verdict::None => "–",
            };
            let _ = write!(text, " {word}: {} |", cell.seen);
        }
        text.push('\n');
    }
    text += "\nSettings (`open` = 100 ms, 30 s where it must stay open):\n\n";
    for of in Crate::ALL {
        let _ = writeln!(text, "- {}: {}", of.column(), of.configuration());
    }
    text += "\nNotes:\n\n";
    for answers in answers {
        let _ = writeln!(text, "- **{}**: {}", answers.row.name, answers.row.note);
    }
    text
}

/// 12,345 for 12345, below a million.
pub(crate) fn with_commas(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// What differs between the table and the one in a document: rows, versions and verdicts, not what was seen.
pub(crate) fn differences(table: &str, document: &str) -> Vec<String> {
    let (here, there) = (verdicts(table), verdicts(document));
    let only = |of: &[String], other: &[String], side: char| -> Vec<String> {
        of.iter().filter(|line| !other.contains(line)).map(|line| format!("{side} {line}")).collect()
    };
    [only(&there, &here, '-'), only(&here, &there, '+')].concat()
}

/// The lines of the table, each cell up to its colon.
fn verdicts(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("| test |")).take_while(|line| line.starts_with('|'));
    let short = |line: &str| {
        let (name, cells) = line[1..].split_once('|').unwrap_or((line, ""));
        let cells = cells.split('|').map(|cell| cell.split(": ").next().unwrap_or(cell).trim());
        [name.trim()].into_iter().chain(cells).collect::<Vec<_>>().join(" | ")
    };
    lines.map(short).collect()
}

/// 0: ours passes every row. 1: it fails one that it is said to pass, or passes one that is listed as a gap. 2: it fails
/// the listed gaps only.
pub(crate) fn judge(answers: &[Answers]) -> ExitCode {
    let mut code = 0;
    for answers in answers {
        match (answers.ours_fails(), answers.row.known_gap) {
            (false, None) => {}
            (true, Some(gap)) => {
                eprintln!("known gap of tower-breaker: {}: {gap}", answers.row.name);
                code = code.max(2);
            }
            (true, None) => eprintln!("tower-breaker FAILS: {}", answers.row.name),
            (false, Some(_)) => {
                eprintln!("tower-breaker passes {}: it is no gap any more, list it no longer", answers.row.name)
            }
        }
    }
    let wrong = answers.iter().any(|answers| answers.ours_fails() != answers.row.known_gap.is_some());
    ExitCode::from(if wrong { 1 } else { code })
}

/// The version that was built, from the lock file.
fn version(of: Crate) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{}\"", of.package());
    let version = lock.lines().skip_while(|line| **line != name).nth(1);
    version.and_then(|line| line.split('"').nth(1)).unwrap_or("?")
}
