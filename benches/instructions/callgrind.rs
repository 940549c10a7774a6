//! Callgrind, started on this same program.

use std::{env, process::Command};

/// What the program does while callgrind counts.
pub(crate) struct Job {
    pub(crate) what: [String; 3],
    pub(crate) calls: u64,
}

const FLAG: &str = "--counted";

/// Returns what to do, if this is a run that is counted.
pub(crate) fn job() -> Option<Job> {
    let mut arguments = env::args().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    let calls = arguments.next()?.parse().ok()?;
    Some(Job { what: [arguments.next()?, arguments.next()?, arguments.next()?], calls })
}

/// Returns why nothing can be counted.
pub(crate) fn check() -> Result<(), String> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`valgrind --version` ended with {}", output.status)),
        Err(error) => Err(format!("valgrind cannot be started ({error})")),
    }
}

/// Returns the instructions of one call: the difference of two runs over that of their numbers of calls.
pub(crate) fn per_call(what: &[&str; 3], calls: u64) -> Option<f64> {
    let few = count(what, calls)?;
    let many = count(what, 2 * calls)?;
    Some((many - few) / calls as f64)
}

fn count(what: &[&str; 3], calls: u64) -> Option<f64> {
    let program = env::current_exe().ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([FLAG, &calls.to_string()])
        .args(what)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.split("Collected : ").nth(1));
    match counted.and_then(|count| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Some(count),
        _ => {
            eprintln!("{what:?} could not be counted:\n{text}");
            None
        }
    }
}
