//! Runs one test, with or without a bug.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    copy::PLANTED,
    exhibit::{Symptom, Test},
};

/// The test that runs the scenarios, and how it is told which.
const SCENARIOS: &str = "every_scenario_holds_for_the_machine_and_for_the_circuit";
const SCENARIO: &str = "SCENARIO";

/// No test takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// A test that should hang has been seen to hang after this time; without the bug it takes less than a second.
const HANGS: Duration = Duration::from_secs(5);

/// How a test has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An assertion of the test has failed.
    Failed(Duration),
    /// It has failed in another way, which the text tells.
    Broke(Duration, String),
    Passed,
    TimedOut,
}

impl End {
    /// The time to see the bug, or why it was not seen.
    pub(crate) fn killed(self, symptom: Symptom) -> Result<Duration, String> {
        match (self, symptom) {
            (Self::Failed(took), Symptom::Fails | Symptom::Panics) | (Self::Broke(took, _), Symptom::Panics) => {
                Ok(took)
            }
            (Self::TimedOut, Symptom::Hangs) => Ok(HANGS),
            (Self::Passed, _) => Err("survived: the test passes".into()),
            (Self::TimedOut, _) => Err(format!("does not end within {LIMIT:?}")),
            (Self::Failed(_) | Self::Broke(..), Symptom::Hangs) => Err("fails and does not hang".into()),
            (Self::Broke(_, how), Symptom::Fails) => Err(format!("fails, but by no assertion: {how}")),
        }
    }
}

/// The executables of the tests.
pub(crate) struct Runner {
    pub(crate) copy: PathBuf,
    pub(crate) executables: BTreeMap<String, PathBuf>,
}

impl Runner {
    /// Runs a test; `planted` is the bug, if any.
    pub(crate) fn run(&self, test: &Test, planted: Option<&str>, symptom: Symptom) -> Result<End, String> {
        let executable = &self.executables[&test.target];
        let mut command = Command::new(executable);
        if test.name.ends_with(".txt") {
            command.args(["--exact", SCENARIOS]).env(SCENARIO, &test.name);
        } else {
            command.args(["--exact", &test.name]);
        }
        command.current_dir(&self.copy).env(PLANTED, planted.unwrap_or_default()).env("RUST_BACKTRACE", "0");
        let limit = if symptom == Symptom::Hangs && planted.is_some() { HANGS } else { LIMIT };
        let (took, code, output) = run(command, limit).map_err(|error| format!("{}: {error}", executable.display()))?;
        if !output.contains("running 1 test\n") {
            return Err(format!("there is no test `{}` in {}", test.name, test.target));
        }
        let Some(code) = code else { return Ok(End::TimedOut) };
        Ok(match code {
            Code::Exit(0) if output.contains("1 passed") => End::Passed,
            Code::Exit(101) if by_assertion(test, &output) => End::Failed(took),
            Code::Exit(_) | Code::Signal => End::Broke(took, panics(&output).collect::<Vec<_>>().join(" | ")),
        })
    }
}

/// How a process has ended.
enum Code {
    Exit(i32),
    Signal,
}

/// Whether the test has panicked, not the crate under it. A unit test stands in the same file as what it tests, so there
/// nobody can tell.
fn by_assertion(test: &Test, output: &str) -> bool {
    let place = if test.target == "lib" { "panicked at src" } else { "panicked at tests" };
    output.contains("test result: FAILED") && panics(output).any(|line| line.contains(place))
}

fn panics(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| line.contains("panicked at "))
}

/// Runs to the end or to the limit; returns the time, how it ended, and all that was printed.
fn run(mut command: Command, limit: Duration) -> std::io::Result<(Duration, Option<Code>, String)> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status.code().map_or(Code::Signal, Code::Exit)),
            None if began.elapsed() >= limit => {
                child.kill()?;
                child.wait()?;
                break None;
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let took = began.elapsed();
    let text = [out, err].map(|reader| reader.join().unwrap_or_default()).concat();
    Ok((took, status, text))
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read until then is enough.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Where the package is: the folder above this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the museum stands in the package")
}
