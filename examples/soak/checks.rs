//! What must hold at the end, and the report.

use std::process::ExitCode;

use crate::{book::Fate, run::Found};

/// How much more memory the second half may end with than it began with. What an allocator keeps back varies by less; in
/// ten minutes at 400 calls a second a leak of 70 bytes a call is found.
const GROWTH: u64 = 4 * 1024 * 1024;

/// Prints what was found and returns whether all holds.
pub(crate) fn report(found: &Found) -> ExitCode {
    let Found { sums, snapshot, .. } = found;
    let ledger = &snapshot.ledger;
    println!(
        "  {} calls in {:.0} s: {} served, {} failed, {} ignored, {} dropped by their users, {} rejected; {} never came in",
        sums.sent,
        found.lasted.as_secs_f64(),
        sums.of(Fate::Served),
        sums.of(Fate::Failed),
        sums.of(Fate::Ignored),
        sums.of(Fate::Dropped),
        sums.of(Fate::Rejected),
        sums.of(Fate::Unknown),
    );
    println!("  the ledger: {ledger:?}");
    println!(
        "  {} transitions, opened {} times; {} calls were rejected at the instant of a transition",
        snapshot.epoch - 1,
        snapshot.times_opened,
        found.at_transition,
    );
    let mut held = true;
    for (holds, says) in checks(found) {
        println!("  {}  {says}", if holds { "ok    " } else { "FAILED" });
        held &= holds;
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn checks(found: &Found) -> Vec<(bool, String)> {
    let Found { sums, snapshot, rounds, faults, tasks: [tasks, tasks_now], .. } = found;
    let ledger = &snapshot.ledger;
    let mut checks = vec![
        (faults.is_empty(), format!("the books balance exactly after each of {rounds} rounds {}", list(faults))),
        (
            found.healed.is_some(),
            format!(
                "it closes once all is well: {}",
                found.healed.map_or("never".into(), |time| format!("{time:.1?}"))
            ),
        ),
        (tasks_now <= tasks, format!("no task is left: {tasks} before, {tasks_now} after")),
    ];
    if let Some([files, files_now]) = found.files {
        checks.push((files_now <= files, format!("no socket is left: {files} files before, {files_now} after")));
    }
    if let Some((before, after)) = halves(&found.memory) {
        let (holds, bound) = (after <= before + GROWTH, mebibytes(GROWTH));
        let (before, after) = (mebibytes(before), mebibytes(after));
        checks.push((
            holds,
            format!("memory is flat: {before} in the third quarter, {after} at the end, at most {bound} more"),
        ));
    }
    // Where nothing happened nothing was shown.
    let happened = [
        ("opened", snapshot.times_opened),
        ("rejected", ledger.rejected),
        ("succeeded", ledger.succeeded),
        ("failed", ledger.failed),
        ("ignored", ledger.ignored),
        ("cancelled", ledger.cancelled),
    ];
    let missing: Vec<_> =
        happened.into_iter().filter(|(_, times)| *times == 0).map(|(what, _)| what.to_owned()).collect();
    checks.push((missing.is_empty() && sums.impatient > 0, format!("everything has happened {}", list(&missing))));
    checks
}

/// The least memory in the third quarter of the run and in the last one: what is freed sooner or later is no leak.
fn halves(memory: &[u64]) -> Option<(u64, u64)> {
    let quarter = (memory.len() / 4).max(1);
    let last = memory.get(memory.len().checked_sub(quarter)?..)?;
    let third = memory.get(memory.len() / 2..memory.len() - quarter)?;
    Some((*third.iter().min()?, *last.iter().min()?))
}

fn list(faults: &[String]) -> String {
    let shown: Vec<_> = faults.iter().take(8).map(String::as_str).collect();
    if shown.is_empty() { String::new() } else { format!("({} in all: {})", faults.len(), shown.join("; ")) }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}
