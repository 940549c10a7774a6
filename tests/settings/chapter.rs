//! The table of keys in `docs/settings.md` is the truth, and the whole of it.

use std::{collections::BTreeSet, fs, path::Path};

use tower_breaker::settings::Draft;

use crate::{App, read};

/// Everything is on, so that each key can be set alone.
const ALL: &str = "
[bases.all]
burst.threshold = 0.5
slow_calls.duration = '1s'
consecutive_failures.failures = 7
failure_count = { failures = 7, period = '10s' }
half_open.verdict = { probes = 5, threshold = 0.6 }
bulkhead = { limit = 9, queue = 1, max_wait = '1s' }
[bases.backoff]
base = 'all'
probing = { kind = 'backoff', base = '2s', max = '2m' }
[bases.fixed]
base = 'all'
probing = { kind = 'fixed', wait = '1s' }
";

pub(crate) const BASES: [&str; 3] = ["all", "backoff", "fixed"];

pub(crate) fn file(base: &str, line: &str) -> String {
    // The key `base` is one that can be set, too.
    let base = if line.starts_with("base ") { String::new() } else { format!("base = '{base}'\n") };
    format!("{ALL}\n[by_name.it]\n{base}{line}")
}

fn chapter() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    fs::read_to_string(path).expect("it is there")
}

/// The rows of the table: key, the bases it can be set with, example, default.
pub(crate) fn rows() -> Vec<(String, Vec<&'static str>, String, String)> {
    let text = chapter();
    let table = text.lines().skip_while(|line| !line.starts_with("| key ")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let words: Vec<&str> = cells[1].split('`').skip(1).step_by(2).collect();
        let bases = BASES.into_iter().filter(|base| words.contains(base)).collect::<Vec<_>>();
        let bases = if bases.is_empty() { vec!["all"] } else { bases };
        (words[0].to_owned(), bases, cells[2].trim_matches('`').to_owned(), cells[3].to_owned())
    });
    rows.collect()
}

/// The keys that a table knows, by what it says to one that it does not; none if there is no such table.
pub(crate) fn known(base: &str, table: &str) -> Option<Vec<String>> {
    // It has been given, as text.
    if table == "base" {
        return None;
    }
    let line = if table.is_empty() { "zzz = 1".to_owned() } else { format!("{table}.zzz = 1") };
    let draft: Draft = toml::from_str(&file(base, &line)).expect("it is TOML");
    let error = draft.check().expect_err("there is no zzz");
    let fault = error.faults().iter().find(|fault| fault.field().ends_with(".zzz"))?;
    Some(fault.bound().split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// All keys that can be set, and the tables they stand in.
fn accepted() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut keys, mut tables) = (BTreeSet::new(), BTreeSet::new());
    for base in BASES {
        let mut open = vec![String::new()];
        while let Some(table) = open.pop() {
            for key in known(base, &table).expect("a table") {
                let path = if table.is_empty() { key } else { format!("{table}.{key}") };
                if known(base, &path).is_some() {
                    tables.insert(path.clone());
                    open.push(path);
                } else {
                    keys.insert(path);
                }
            }
        }
    }
    (keys, tables)
}

#[test]
fn each_key_of_the_table_is_accepted_with_its_example_and_has_an_effect() {
    for (key, bases, example, _) in rows() {
        for base in bases {
            let config = read(&file(base, &format!("{key} = {example}")));
            let before = read(&file(base, ""));
            // What is on or off already, and what the mode and the base say, is no change of a number.
            let same = ["failure_rate", "probing.kind"].contains(&key.as_str());
            assert_eq!(config.by_name("it") == before.by_name("it"), same, "{key} = {example}");
        }
    }
}

#[test]
fn each_key_that_is_accepted_is_in_the_table() {
    let rows: BTreeSet<String> = rows().into_iter().map(|(key, ..)| key).collect();
    let (keys, tables) = accepted();
    let missing: Vec<_> = keys.difference(&rows).collect();
    assert!(missing.is_empty(), "docs/settings.md does not name {missing:?}");
    let more: Vec<_> = rows.iter().filter(|row| !keys.contains(*row) && !tables.contains(*row)).collect();
    assert!(more.is_empty(), "docs/settings.md names {more:?}");
    assert!(keys.len() > 50, "{keys:?}");
}

#[test]
fn the_file_at_its_head_is_good() {
    let text = chapter();
    let toml = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a file in TOML");
    let config = toml::from_str::<App>(toml).expect("it is good").circuits;
    assert_eq!(config.names().collect::<Vec<_>>(), ["payments", "search"]);
}
