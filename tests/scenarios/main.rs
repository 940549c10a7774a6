//! Behaviour as text: each file in this folder is a scenario, run against the pure machine and against the circuit.
//!
//! README.md beside this file says how a scenario is written. After each step both subjects must also agree in every
//! number of their snapshots. `SCENARIO=part_of_a_name` runs only those files.

mod oracle;
mod parse;
mod subject;

use std::{fs, path::Path, time::Duration};

use parse::{Expected, Line, Scenario, Step};
use subject::{Answer, Both};
use tower_breaker::{Instant, machine::Event};

#[test]
fn every_scenario_holds_for_the_machine_and_for_the_circuit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(&wanted))
        .collect();
    files.sort();
    let faults: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).expect("it can be read");
            let name = path.file_name().unwrap().to_string_lossy();
            Scenario::parse(&text).and_then(|scenario| run(&scenario)).err().map(|fault| format!("{name}:{fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{} of {} scenarios fail:\n{}", faults.len(), files.len(), faults.join("\n"));
    let least = if wanted.is_empty() { 60 } else { 1 };
    assert!(files.len() >= least, "there are {} scenarios", files.len());
    println!("{} scenarios hold", files.len());
}

#[test]
fn a_wrong_expectation_fails_with_its_line() {
    for (step, word) in [
        ("0s call -> failure # open", "closed"),
        ("0s call # closed", "admitted"),
        ("0s call -> failure # closed; calls 7", "calls"),
        ("0s call -> failure # closed: refused", "admitted"),
    ] {
        let text = format!("# A wrong one.\nfailures 2\n{step}\n");
        let fault = Scenario::parse(&text).and_then(|scenario| run(&scenario)).expect_err("it is wrong");
        assert!(fault.starts_with("3:") && fault.contains(word), "{fault}");
    }
}

#[test]
fn what_is_misspelt_is_refused() {
    for line in ["failurs 2", "0s cal -> failure", "0s call -> failed", "0s call -> failure # close", "0s look # lat 3"]
    {
        let fault = Scenario::parse(&format!("# Misspelt.\n{line}\n")).expect_err("nobody knows it");
        assert!(fault.starts_with("2:"), "{fault}");
    }
}

fn run(scenario: &Scenario) -> Result<(), String> {
    let mut both = Both::new(scenario.config, scenario.mode).map_err(|error| format!("1: {error}"))?;
    let mut now = Instant::ZERO;
    for line in &scenario.lines {
        let at = |fault: String| format!("{}: {fault}\n    {}", line.number, line.text);
        if line.at < now && !matches!(line.step, Step::Clock) {
            return Err(at("time runs backwards; use `clock` where that is meant".into()));
        }
        now = line.at;
        both.set_clock(now);
        step(&mut both, line, &mut now).map_err(at)?;
        both.agree().map_err(at)?;
    }
    Ok(())
}

fn step(both: &mut Both, line: &Line, now: &mut Instant) -> Result<(), String> {
    let mut answer = None;
    match &line.step {
        Step::Clock | Step::Look => {}
        Step::Call { outcome, lasting, times, apart } => {
            for i in 0..*times {
                *now = now.after(if i == 0 { Duration::ZERO } else { *apart });
                both.set_clock(*now);
                answer = Some(both.begin("a call")?);
                if let (Some(Answer::Admitted), Some(outcome)) = (&answer, outcome) {
                    *now = now.after(*lasting);
                    both.set_clock(*now);
                    both.end("a call", Some(*outcome))?;
                } else {
                    break;
                }
            }
            match (&answer, outcome) {
                (Some(Answer::Admitted), None) => return Err("the call was admitted, not refused".into()),
                (Some(Answer::Refused(rejection)), Some(_)) => {
                    return Err(format!("the call was refused: {rejection:?}"));
                }
                _ => {}
            }
        }
        Step::Begin { names } => {
            for name in names {
                answer = Some(both.begin(name)?);
                if let Some(Answer::Refused(rejection)) = &answer {
                    return Err(format!("{name} was refused: {rejection:?}"));
                }
            }
        }
        Step::End { names, outcome } => names.iter().try_for_each(|name| both.end(name, *outcome))?,
        Step::Mode { mode, lasting } => both.set_mode(*mode, lasting.map(|lasting| now.after(lasting)), *now),
        Step::Reset => both.reset(),
        Step::Restart(gap) => {
            both.restart(*gap)?;
            *now = now.after(*gap);
        }
        Step::Configure(config) => both.reconfigure(**config)?,
        Step::Events(expected) => {
            let seen: Vec<String> = both.take_events().iter().map(describe).collect();
            if seen != *expected {
                return Err(format!("the events were: {}", seen.join(", ")));
            }
        }
    }
    match &line.expected {
        Some(expected) => check(both, expected, answer.as_ref()),
        None => Ok(()),
    }
}

fn check(both: &Both, expected: &Expected, answer: Option<&Answer>) -> Result<(), String> {
    let snapshot = both.snapshot();
    if snapshot.state != expected.state {
        return Err(format!("the state is {}", snapshot.state));
    }
    if expected.refused {
        let Some(Answer::Refused(rejection)) = answer else { return Err("the call was admitted, not refused".into()) };
        if let Some(reason) = &expected.refused_because {
            if rejection.reason.as_str() != reason {
                return Err(format!("it was refused because: {}", rejection.reason));
            }
        }
        if let Some(wait) = expected.retry_after {
            wait.check("the wait", rejection.retry_after)?;
        }
    }
    expected.facts.iter().try_for_each(|fact| fact.check(&snapshot))
}

/// `closed>open:failure_rate`, or `mode:forced_open`.
fn describe(event: &Event) -> String {
    match event {
        Event::ModeChanged { to, .. } => format!("mode:{to}"),
        Event::Transition(transition) => {
            format!("{}>{}:{}", transition.from, transition.to, transition.reason.as_str())
        }
        _ => "unknown".into(),
    }
}
