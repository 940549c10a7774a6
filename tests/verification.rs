//! `docs/verification.md` names the proof of each promise: what it names must be there.
#![cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_test_that_is_named_as_a_proof_exists() {
    let text = fs::read_to_string(root().join("docs/verification.md")).expect("it is there");
    let tables = text.lines().filter(|line| line.starts_with('|'));
    let named: Vec<&str> = tables.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let missing: Vec<_> = named.iter().filter(|name| is_proof(name) && !exists(name)).collect();
    assert!(missing.is_empty(), "these do not exist: {missing:#?}");
    let proofs = named.iter().filter(|name| is_proof(name)).count();
    assert!(proofs > 100, "only {proofs} are named");
}

#[test]
fn each_promise_and_each_property_is_named_once_in_order() {
    let text = fs::read_to_string(root().join("docs/verification.md")).expect("it is there");
    let promises: Vec<u32> =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    assert_eq!(promises, (1..=14).collect::<Vec<_>>());
    let number = |line: &str| line.strip_prefix("| P")?.split(' ').next()?.parse::<u32>().ok();
    let mut properties: Vec<u32> = text.lines().filter_map(number).collect();
    properties.sort_unstable();
    let later = [38, 39, 40, 42, 44, 45, 46, 47, 48, 49];
    let wanted = (1..=30).chain(33..=35).chain(later).chain(51..=54).chain(56..=65).filter(|p| *p != 27);
    assert_eq!(properties, wanted.collect::<Vec<_>>(), "27 has a paragraph of its own");
}

#[test]
fn a_name_that_is_wrong_is_found() {
    assert!(exists("it::events::an_observer_that_panics_harms_nobody"));
    assert!(!exists("it::events::an_observer_that_panics_harms_somebody"));
    assert!(exists("scenarios::a_success_never_opens") && !exists("scenarios::a_success_opens"));
    assert!(!exists("loom::an_observer_that_panics_harms_nobody"), "it is a test of another target");
    assert!(exists("ci/long.sh") && !exists("ci/short.sh"));
}

/// Whether it is a test or a file, not a word of code.
fn is_proof(name: &str) -> bool {
    name.contains("::") || name.contains('/')
}

fn exists(name: &str) -> bool {
    let Some((target, rest)) = name.split_once("::") else { return root().join(name).exists() };
    let test = rest.rsplit("::").next().expect("a name has an end");
    if target == "scenarios" && root().join(format!("tests/scenarios/{test}.txt")).exists() {
        return true;
    }
    let folder = if target == "lib" { root().join("src") } else { root().join("tests").join(target) };
    let mut files = files_in(&folder);
    files.push(folder.with_extension("rs"));
    let test = format!("fn {test}(");
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| text.contains(&test))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
