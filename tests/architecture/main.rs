//! The law of the house: storeys, homes of foreign crates, length of files, and a map that is true.

mod homes;

use std::{
    fs,
    path::{Path, PathBuf},
};

use homes::HOMES;

/// The storeys, lowest first. A module may know those below, not its neighbours.
const STOREYS: &[&[&str]] = &[
    &["chain", "outcome", "rng", "state", "time"],
    &["config"],
    &["window"],
    &["machine"],
    &["overloaded", "rejected", "sync"],
    &["clock"],
    &["classify", "observe", "once_ready"],
    &["circuit"],
    &["registry"],
    &["bulkhead", "dashboard", "metrics", "service", "timeout"],
    &["fallback", "retry"],
    &["stack"],
    &["settings"],
];

const LONGEST: usize = 400;

#[test]
fn imports_point_down_only() {
    let faults: Vec<String> = source_lines()
        .flat_map(|line| {
            let own = line.module.clone();
            let above = move |known: &String| *known != own && storey(known) >= storey(&own);
            let text = format!("{}: {} may not know", line.place(), line.module);
            modules_in(&line.text)
                .into_iter()
                .filter(above)
                .map(move |known| format!("{text} {known}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn foreign_crates_are_named_at_home_only() {
    let mut faults = Vec::new();
    for line in source_lines() {
        for (name, homes) in HOMES.iter().copied() {
            // A handle that counts its owners is no lock.
            let text = line.text.replace("std::sync::Arc", "").replace("sync::Arc", "");
            if !text.contains("use self::") && names(&text, name) && !is_at_home(homes, &line.file) {
                faults.push(format!("{}: {name} lives in {homes:?}", line.place()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let files = ["src", "tests", "examples", "benches"].into_iter().flat_map(|folder| files_in(&root().join(folder)));
    let long: Vec<String> = files
        .map(|file| (fs::read_to_string(&file).expect("it can be read").lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, file)| format!("{}: {lines} lines, at most {LONGEST}", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_map_in_architecture_md_names_every_file_and_no_other() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let named: Vec<&str> = map.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs")).collect();
    let there: Vec<String> = files_in(&root().join("src")).iter().map(|file| relative(file)).collect();
    let missing: Vec<_> = there.iter().filter(|file| !named.contains(&file.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
    let known = |file: &str| there.iter().any(|there| there == file) || root().join(file).exists();
    let gone: Vec<_> = named.into_iter().filter(|file| !known(file)).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names {gone:?}, which do not exist");
}

/// The compiler says nothing about syntax newer than `rust-version`.
#[test]
fn the_code_is_no_newer_than_its_rust_version() {
    let newer: Vec<String> =
        source_lines().filter(|line| line.text.contains("&& let ")).map(|line| line.place()).collect();
    assert!(newer.is_empty(), "let chains came with 1.88: {newer:?}");
}

#[test]
fn the_law_finds_what_breaks_it() {
    assert_eq!(modules_in("use crate::{circuit::Circuit, time::Instant};"), ["circuit", "time"]);
    assert_eq!(modules_in("    crate::sync::Mutex::new(crate::machine::Line::Late)"), ["sync", "machine"]);
    assert!(names("use tokio::time;", "tokio") && names("    tokio::spawn(", "tokio"));
    assert!(!names("use crate::clock::tokio::TokioClock;", "tokio"));
    assert!(
        names("    sync::atomic::AtomicU64, std::sync::Mutex", "std::sync")
            && !names("tower_service::Service", "tower")
    );
}

struct Line {
    file: String,
    number: usize,
    module: String,
    text: String,
}

impl Line {
    fn place(&self) -> String {
        format!("src/{}:{}", self.file, self.number)
    }
}

/// All statements of the library, `use` trees joined to one line, without comments, tests and `lib.rs`.
fn source_lines() -> impl Iterator<Item = Line> {
    files_in(&root().join("src"))
        .into_iter()
        .map(|file| (relative(&file), file))
        .filter(|(name, _)| !["lib.rs", "guide.rs"].contains(&name.as_str()))
        .flat_map(|(file, path)| {
            let text = fs::read_to_string(path).expect("it can be read");
            let module = file.split(['/', '.']).next().expect("a name").to_owned();
            let mut lines: Vec<Line> = Vec::new();
            let mut open = false;
            for (i, text) in text.lines().enumerate() {
                let text = text.split("//").next().unwrap_or_default().trim_end();
                if text.contains("#[cfg(test)]") {
                    break;
                }
                match lines.last_mut() {
                    Some(last) if open => last.text += text.trim_start(),
                    _ => lines.push(Line {
                        file: file.clone(),
                        number: i + 1,
                        module: module.clone(),
                        text: text.into(),
                    }),
                }
                let start = lines.last().is_some_and(|line| {
                    line.text.trim_start().starts_with("use ")
                        || line.text.contains("pub use ")
                        || line.text.contains("pub(crate) use ")
                });
                open = start && !text.ends_with(';');
            }
            lines
        })
}

/// The modules of the crate that a statement names.
fn modules_in(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let Some(tree) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in tree.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && c.is_alphabetic() => {
                    found.push(word(&tree[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|name| STOREYS.concat().contains(&name.as_str()));
    found
}

fn storey(module: &str) -> usize {
    STOREYS.iter().position(|storey| storey.contains(&module)).unwrap_or_else(|| panic!("{module} stands on no storey"))
}

fn is_at_home(homes: &[&str], file: &str) -> bool {
    homes.iter().any(|home| file == *home || home.ends_with('/') && file.starts_with(home))
}

/// Whether a statement names a crate or a path of the standard library.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        begins && after.starts_with("::")
            || begins && name.contains("::") && !after.starts_with(|c: char| c.is_alphanumeric())
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    let file = file.strip_prefix(root().join("src")).expect("below src");
    file.to_string_lossy().replace('\\', "/")
}

/// All Rust files below a folder, sorted; none if it does not exist.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("it can be read").path())
        .flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    files.sort();
    files
}
