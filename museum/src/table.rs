//! The table of all exhibits, in README.md and on the screen.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use crate::exhibit::{Exhibit, Test};

const BEGIN: &str = "<!-- the table: written by `cargo run --manifest-path museum/Cargo.toml -- --write` -->\n";
const END: &str = "<!-- the end of the table -->\n";

/// All exhibits; a time for each if they have been run.
pub(crate) fn table(exhibits: &[Exhibit], times: &[Result<Duration, String>]) -> String {
    let mut text = String::from("| id | what went wrong | where | killed by |");
    text += if times.is_empty() { "\n|---|---|---|---|\n" } else { " in |\n|---|---|---|---|---|\n" };
    for (i, Exhibit { id, title, from, killers, .. }) in exhibits.iter().enumerate() {
        let killers: Vec<String> = killers.iter().map(Test::shown).collect();
        let _ = write!(text, "| {id} | {title} | {from} | {} |", killers.join(", "));
        match times.get(i) {
            None => {}
            Some(Ok(time)) => _ = write!(text, " {} ms |", time.as_millis()),
            Some(Err(fault)) => _ = write!(text, " **{}** |", fault.replace('|', "/").replace('\n', " ")),
        }
        text += "\n";
    }
    text
}

/// The middle one of the times to kill.
pub(crate) fn median(times: &[Result<Duration, String>]) -> Option<Duration> {
    let mut times: Vec<Duration> = times.iter().filter_map(|time| time.clone().ok()).collect();
    times.sort();
    times.get(times.len() / 2).copied()
}

/// Puts the table into the README, or checks that it is the one there.
pub(crate) fn in_readme(readme: &Path, exhibits: &[Exhibit], write: bool) -> Result<(), String> {
    let named = |error| format!("{}: {error}", readme.display());
    let text = fs::read_to_string(readme).map_err(|error| named(error.to_string()))?;
    let begin = text.find(BEGIN).map(|at| at + BEGIN.len());
    let (Some(begin), Some(end)) = (begin, text.find(END)) else { return Err(named("it has no place for it".into())) };
    let table = table(exhibits, &[]);
    if text[begin..end] == table {
        return Ok(());
    }
    if !write {
        return Err(named("its table is not that of the exhibits; run with --write".into()));
    }
    fs::write(readme, [&text[..begin], &table, &text[end..]].concat()).map_err(|error| named(error.to_string()))
}

impl Test {
    fn shown(&self) -> String {
        format!("`{}` {}", self.target, self.name)
    }
}
