//! Runs the behaviour of other breakers, written down as scenarios, against this one: the pure machine and the circuit.
//!
//!     cargo run --example conformance                # the files of tests/conformance
//!     cargo run --example conformance -- FILE…       # any files of their schema
//!
//! It prints for each file what passed, what failed at which step, what differs on purpose and what does not apply, with
//! the reasons. Exit code 1 means that something failed, 2 that a file is not of the schema.

mod runner;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Display, Path, PathBuf},
    process::ExitCode,
};

use runner::{Judged, Note, Report, Verdict};

fn main() -> ExitCode {
    let mut files: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        files = own_files();
    }
    if files.is_empty() {
        println!("no file is named, and those of the project are not here");
        return ExitCode::from(2);
    }
    let mut worst = 0;
    for file in files {
        let report = fs::read_to_string(&file).map_err(|error| error.to_string()).and_then(|text| runner::run(&text));
        worst = worst.max(match report {
            Ok(Report::Profile { not_ours }) => {
                println!("{}: a profile; not ours: {}\n", name(&file), not_ours.join(", "));
                0
            }
            Ok(Report::Scenarios { system, commit, judged }) => {
                println!("{}: {system} at {}", name(&file), commit.get(..12).unwrap_or(&commit));
                u8::from(!tell(&judged))
            }
            Err(fault) => {
                println!("{}: refused: {fault}\n", name(&file));
                2
            }
        });
    }
    ExitCode::from(worst)
}

/// The files that come with the project.
fn own_files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    files.sort();
    files
}

/// A file of the project without the way to the project.
fn name(file: &Path) -> Display<'_> {
    file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(file).display()
}

/// Prints a file; true if nothing failed.
fn tell(judged: &[Judged]) -> bool {
    let (mut passed, mut differ, mut not_applicable, mut failed) = (0, 0, 0, 0);
    let mut notes: BTreeMap<Note, usize> = BTreeMap::new();
    let mut waiving = 0;
    for Judged { id, verdict, notes: noted, not_ours } in judged {
        match verdict {
            Verdict::Passed => {
                passed += 1;
                noted.iter().for_each(|note| *notes.entry(*note).or_default() += 1);
                waiving += usize::from(noted.iter().any(|note| matches!(note, Note::Waived(_))));
            }
            Verdict::Differs { fault, reason } => {
                differ += 1;
                println!("  differs         {id}, step {}: {}\n                  {reason}", fault.step, fault.what);
            }
            Verdict::NotApplicable(reason) => {
                not_applicable += 1;
                println!("  not applicable  {id}: {reason}");
            }
            Verdict::Failed(fault) => {
                failed += 1;
                println!("  FAILED          {id}, step {}: {}", fault.step, fault.what);
                println!("                  declared and not ours: {}", not_ours.join(", "));
            }
        }
    }
    println!("  {passed} passed, {differ} differ on purpose, {not_applicable} not applicable, {failed} failed");
    println!("  {waiving} of those passed ask for a number that we do not have, which is not asserted");
    for (note, times) in notes {
        match note {
            Note::By(text) => println!("    {times:3} by other means: {text}"),
            Note::Waived(text) => println!("    {times:3} not asserted: {text}"),
        }
    }
    println!();
    failed == 0
}
