//! Where and what was measured, for the head of the tables; and what was asked for on the command line.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Returns the arguments, or none if this is no run of `cargo bench` and there is nothing to do.
///
/// `cargo test --all-targets` starts benches too, to see that they start.
pub(crate) fn arguments() -> Option<Vec<String>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let before = arguments.len();
    arguments.retain(|argument| argument != "--bench");
    if arguments.len() == before {
        println!("nothing is measured unless by `cargo bench`");
        return None;
    }
    Some(arguments)
}

/// Prints what the figures below it belong to.
pub(crate) fn print_head(title: &str) {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let dirty = if output("git", &["status", "--porcelain", "src"]).is_empty() { "" } else { " with changes" };
    println!("## {title}\n");
    println!(
        "{cores} CPUs {} (family {} model {}), {}, commit {}{dirty}\n",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        output("rustc", &["--version"]),
        output("git", &["rev-parse", "--short", "HEAD"]),
    );
}

/// The first line of what a program prints, empty if it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// The time of the machine, not that of a circuit.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds, as a number to reckon with.
pub(crate) fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
