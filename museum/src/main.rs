//! Plants the bugs of other circuit breakers in a copy of ours and sees each of them killed by the tests that are named
//! for it.
//!
//! `cargo run --release --manifest-path museum/Cargo.toml [-- [--only ID …] [--write]]`. See README.md beside this crate.

mod copy;
mod exhibit;
mod plant;
mod run;
mod suite;
mod table;

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use exhibit::{Exhibit, Symptom, Test};
use run::{End, Runner, root};

/// Half of the bugs must be seen sooner.
const MEDIAN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match visit() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("museum: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn visit() -> Result<(), String> {
    let museum = root().join("museum");
    let all = Exhibit::read_all(&museum.join("exhibits"))?;
    let wish = Wish::read(env::args().skip(1), &all)?;
    table::in_readme(&museum.join("README.md"), &all, wish.write)?;
    if wish.write {
        return Ok(());
    }
    // All are planted, whichever are run: then the build is the same.
    let copy = museum.join("target/copy");
    copy::copy(root(), &copy, &all)?;
    let exhibits: Vec<Exhibit> = all.into_iter().filter(|exhibit| wish.wants(&exhibit.id)).collect();
    let runner = build(copy, &museum, &exhibits)?;
    without_bugs(&runner, &exhibits)?;
    let times = exhibits.iter().map(|exhibit| kill(&runner, exhibit)).collect::<Result<Vec<_>, _>>()?;
    println!("{}", table::table(&exhibits, &times));
    let survivors = times.iter().filter(|time| time.is_err()).count();
    let median = table::median(&times).unwrap_or_default();
    println!("{} of {} bugs killed, half of them within {median:?}", times.len() - survivors, times.len());
    match survivors {
        0 if median < MEDIAN => Ok(()),
        0 => Err(format!("half of them should be killed within {MEDIAN:?}")),
        survivors => Err(format!("{survivors} survive")),
    }
}

fn build(copy: PathBuf, museum: &Path, exhibits: &[Exhibit]) -> Result<Runner, String> {
    let targets: BTreeSet<&str> = exhibits.iter().flat_map(|exhibit| &exhibit.killers).map(Test::target).collect();
    eprintln!("museum: building {} with all bugs in it", targets.iter().copied().collect::<Vec<_>>().join(", "));
    // An absolute path, since cargo runs in the copy.
    let into = env::var_os("CARGO_TARGET_DIR").map_or_else(|| Ok(museum.join("target/planted")), std::path::absolute);
    let into = into.map_err(|error| format!("CARGO_TARGET_DIR: {error}"))?;
    let executables = suite::build(&copy, &into, &targets)?;
    Ok(Runner { copy, executables })
}

/// Each test must pass where no bug is planted, or its failure says nothing.
fn without_bugs(runner: &Runner, exhibits: &[Exhibit]) -> Result<(), String> {
    let tests: BTreeSet<&Test> = exhibits.iter().flat_map(|exhibit| &exhibit.killers).collect();
    eprintln!("museum: running {} tests without a bug", tests.len());
    for test in tests {
        let end = runner.run(test, None, Symptom::Fails)?;
        if end != End::Passed {
            return Err(format!("`{}` in {} does not pass without a bug: {end:?}", test.name, test.target));
        }
    }
    Ok(())
}

/// The time until the last of its tests has seen the bug, or why one has not.
fn kill(runner: &Runner, exhibit: &Exhibit) -> Result<Result<Duration, String>, String> {
    let mut slowest = Duration::ZERO;
    for test in &exhibit.killers {
        match runner.run(test, Some(&exhibit.id), exhibit.symptom)?.killed(exhibit.symptom) {
            Ok(time) => slowest = slowest.max(time),
            Err(fault) => {
                eprintln!("museum: {}: `{}` {fault}", exhibit.id, test.name);
                return Ok(Err(fault));
            }
        }
    }
    Ok(Ok(slowest))
}

impl Test {
    fn target(&self) -> &str {
        &self.target
    }
}

/// What the visitor wants.
struct Wish {
    /// These exhibits; all if there are none.
    only: Vec<String>,
    /// To write the table into the README, and no more.
    write: bool,
}

impl Wish {
    fn read(args: impl Iterator<Item = String>, exhibits: &[Exhibit]) -> Result<Self, String> {
        let mut wish = Self { only: Vec::new(), write: false };
        let mut only = false;
        for arg in args {
            match arg.as_str() {
                "--only" => only = true,
                "--write" => wish.write = true,
                id if only && exhibits.iter().any(|exhibit| exhibit.id == id) => wish.only.push(arg),
                other => return Err(format!("nobody knows `{other}`; try [--only ID …] [--write]")),
            }
        }
        if only && wish.only.is_empty() { Err("--only needs an id".into()) } else { Ok(wish) }
    }

    fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_snippet_is_in_the_sources_and_every_exhibit_in_the_readme() {
        let museum = root().join("museum");
        let all = Exhibit::read_all(&museum.join("exhibits")).expect("they are well written");
        copy::copy(root(), &museum.join("target/checked"), &all).expect("every snippet is there once");
        table::in_readme(&museum.join("README.md"), &all, false).expect("the table is up to date");
    }
}
