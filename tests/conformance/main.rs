//! The behaviour of four other breakers, as vectors, against the pure machine and the circuit. See README.md.

mod other_parts;
#[path = "../../examples/conformance/runner/mod.rs"]
mod runner;

use std::{collections::BTreeSet, fs, path::Path};

use runner::{Fault, Judged, LISTED, Listed, Note, Report, Verdict, run};

/// How many scenarios of a file pass, how many of these have something waived, how many differ, how many do not apply.
const FILES: [(&str, [usize; 4]); 4] = [
    ("gobreaker.json", [15, 12, 1, 0]),
    ("hystrix.json", [31, 0, 0, 0]),
    ("polly.json", [96, 0, 6, 2]),
    ("resilience4j.json", [89, 14, 12, 3]),
];

#[test]
fn every_scenario_passes_or_is_listed_with_its_reason() {
    let mut faults = Vec::new();
    let mut elsewhere = BTreeSet::new();
    let mut known = BTreeSet::new();
    for (name, expected) in FILES {
        let Ok(Report::Scenarios { system, commit, judged }) = run(&read(name)) else { panic!("{name} has scenarios") };
        let mut counts = [0; 4];
        for Judged { id, verdict, notes, not_ours } in &judged {
            known.insert(id.clone());
            match verdict {
                Verdict::Passed => {
                    counts[0] += 1;
                    counts[1] += usize::from(notes.iter().any(|note| matches!(note, Note::Waived(_))));
                }
                Verdict::Differs { fault, reason } => {
                    assert!(!reason.is_empty() && !fault.what.is_empty(), "{id} differs for no reason");
                    counts[2] += 1;
                }
                Verdict::NotApplicable(reason) => {
                    assert!(!reason.is_empty(), "{id} does not apply for no reason");
                    counts[3] += 1;
                    elsewhere.insert(id.clone());
                }
                Verdict::Failed(fault) => faults.push(format!("{id}: {fault:?}; not ours: {not_ours:?}")),
            }
        }
        if counts != expected {
            faults.push(format!("{name}, {system} at {commit}: {counts:?} instead of {expected:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let listed = |which: fn(&Listed) -> bool| {
        LISTED.iter().filter(move |(_, listed)| which(listed)).map(|(id, _)| (*id).to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        elsewhere,
        listed(|listed| *listed == Listed::NotApplicable),
        "what does not apply is listed, and no more"
    );
    let unknown: Vec<_> = listed(|_| true).difference(&known).cloned().collect();
    assert!(unknown.is_empty(), "no file has {unknown:?}");
    assert_eq!(LISTED.len(), listed(|_| true).len(), "each stands in the list once");
}

#[test]
fn the_advised_switches_are_ours_but_for_parts_that_we_do_not_have() {
    let Ok(Report::Profile { not_ours }) = run(&read("profile-recommended.json")) else { panic!("it is a profile") };
    assert_eq!(not_ours, ["illegal_force=error", "budget_arithmetic=scaled"]);
}

#[test]
fn every_file_of_the_folder_is_run() {
    let there: BTreeSet<String> = fs::read_dir(folder())
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".json") && !name.starts_with("profile"))
        .collect();
    assert_eq!(there, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
}

#[test]
fn a_wrong_expectation_fails_with_its_step() {
    let failing = r#"{"op": "call", "outcome": "failure"}"#;
    for (steps, step, what) in [
        (format!(r#"{failing}, {{"op": "expect", "state": "closed"}}"#), "2", "the state is open"),
        (format!(r#"{failing}, {{"op": "call", "outcome": "success", "expect": "permitted"}}"#), "2", "rejected"),
        (r#"{"op": "call", "outcome": "success", "expect": "rejected"}"#.into(), "1", "permitted"),
        (r#"{"op": "expect", "counts": {"total": 1}}"#.into(), "1", "Total is 0"),
        (r#"{"op": "expect", "failure_rate": 0}"#.into(), "1", "there is no failure rate"),
        (format!(r#"{failing}, {{"op": "expect", "failure_rate": null}}"#), "2", "failure rate is 1"),
        (format!(r#"{failing}, {{"op": "expect", "open_wait_ms": 999}}"#), "2", "is 1000"),
        (format!(r#"{failing}, {{"op": "call", "outcome": "success", "retry_after_ms": null}}"#), "2", "is 1000"),
        (format!(r#"{failing}, {{"op": "expect", "reason": "slow_call_rate"}}"#), "2", "the reason is"),
        (r#"{"op": "expect_events", "equals": ["state:closed->open"]}"#.into(), "1", "the events were []"),
        (r#"{"op": "expect_event_count", "type": "success", "equals": 1}"#.into(), "1", "there were 0"),
        (
            r#"{"op": "repeat", "count": 3, "steps": [
                {"op": "call", "outcome": "success"}, {"op": "expect", "counts": {"success": 1}}]}"#
                .into(),
            "1 (turn 2).2",
            "Success is 2",
        ),
    ] {
        let Fault { step: at, what: said } = fault_of(&vector("a-new-one", &steps));
        assert!(at == step && said.contains(what), "{steps}\n  fails at {at}: {said}");
    }
}

#[test]
fn a_listed_scenario_that_holds_is_a_fault() {
    let holds = vector("polly7-huge-wait", r#"{"op": "expect", "state": "closed"}"#);
    assert_eq!(fault_of(&holds).step, "list");
    let elsewhere = vector("r4j-closed-to-half-open-is-illegal", r#"{"op": "expect", "state": "closed"}"#);
    assert_eq!(fault_of(&elsewhere).step, "list");
    let at_another_step = vector("polly7-huge-wait", r#"{"op": "expect", "state": "open"}"#);
    assert_eq!(fault_of(&at_another_step).step, "1");
}

#[test]
fn what_the_schema_does_not_name_is_refused() {
    let good = vector("a-new-one", r#"{"op": "call", "outcome": "success", "expect": "permitted"}"#);
    assert!(matches!(&judged(&good)[0].verdict, Verdict::Passed));
    let with = |step: &str| vector("a-new-one", step);
    for (bad, word) in [
        (with(r#"{"op": "call", "outcome": "success", "expects": "permitted"}"#), "expects"),
        (with(r#"{"op": "cal", "outcome": "success"}"#), "cal"),
        (with(r#"{"op": "call", "outcome": "succes"}"#), "succes"),
        (with(r#"{"op": "call", "outcome": "success", "on": "nobody"}"#), "nobody"),
        (with(r#"{"op": "expect", "state": "close"}"#), "step 1"),
        (with(r#"{"op": "expect", "counts": {"totals": 1}}"#), "totals"),
        (with(r#"{"op": "expect", "reason": "because"}"#), "because"),
        (with(r#"{"op": "expect_events", "equals": ["states:closed->open"]}"#), "states"),
        (with(r#"{"op": "expect_event_count", "type": "states", "equals": 1}"#), "states"),
        (with(r#"{"op": "force", "to": "ajar"}"#), "ajar"),
        (with(r#"{"op": "repeat", "count": 1, "steps": [{"op": "cal"}]}"#), "cal"),
        (good.replace("count_window", "counting_window"), "counting_window"),
        (good.replace("minimum_calls", "minimal_calls"), "minimal_calls"),
        (good.replace("permitted_calls", "permited_calls"), "permited_calls"),
        (good.replace(r#""semantics": {}"#, r#""semantics": {"evaluate": "any"}"#), "evaluate"),
        (good.replace(r#""semantics": {}"#, r#""semantics": {"evaluate_on": "some"}"#), "some"),
        (good.replace(r#""concept""#, r#""subject": "fuse", "concept""#), "fuse"),
        (good.replace(r#""concept""#, r#""expect_valid": true, "concept""#), "expect_valid"),
        (good.replace("breaker-conformance/1", "breaker-conformance/2"), "breaker-conformance/2"),
        (good.replace(r#""about""#, r#""abuot""#), "abuot"),
    ] {
        match run(&bad) {
            Ok(_) => panic!("it is not refused:\n{bad}"),
            Err(fault) => assert!(fault.contains(word), "{fault}"),
        }
    }
}

/// A file with one scenario: a window of calls that one failure opens, for a second.
fn vector(id: &str, steps: &str) -> String {
    format!(
        r#"{{"schema": "breaker-conformance/1", "system": "a test", "repo": "", "commit": "", "about": "",
            "semantics": {{}}, "scenarios": [{{"id": "{id}", "source": "", "concept": "",
                "config": {{"trip": {{"kind": "count_window", "window": 9, "minimum_calls": 1, "failure_rate": 0.5}},
                    "open": {{"wait_ms": 1000}}, "half_open": {{"permitted_calls": 1}}}},
                "steps": [{steps}]}}]}}"#
    )
}

fn judged(text: &str) -> Vec<Judged> {
    match run(text) {
        Ok(Report::Scenarios { judged, .. }) => judged,
        Ok(Report::Profile { .. }) => panic!("it is no profile"),
        Err(fault) => panic!("it is refused: {fault}"),
    }
}

fn fault_of(text: &str) -> Fault {
    match judged(text).remove(0).verdict {
        Verdict::Failed(fault) => fault,
        other => panic!("it does not fail: {other:?}"),
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("it is there")
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}
