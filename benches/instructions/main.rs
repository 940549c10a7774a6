//! How many instructions does a call take? Exact where times are not: a busy machine counts the same.
//!
//! `cargo bench --bench instructions [-- --quick]`. Starts itself under callgrind, twice for each cell, with two numbers
//! of calls; the difference is that of the calls alone. Needs `valgrind`, and says so where there is none. `--quick` leaves
//! HTTP out.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "another bench has other needs")]
mod support;

mod bodies;
mod callgrind;
mod limits;
mod stacks;

use support::{
    bars::Bars,
    contenders::{self, Contender, OURS, Refusal, Rule, Scene, Who, run},
    machine, ours,
    payload::Number,
    table::{Table, digits},
};

const SCENES: [(&str, Scene); 4] = [
    ("closed, success", Scene::Success),
    ("every 4th fails", Scene::Failures(4)),
    ("open", Scene::Open),
    ("a clone per call", Scene::Clones),
];

/// The lengths of a count window beside the 100 calls of the tables.
const LENGTHS: [u32; 4] = [10, 1_000, 10_000, 100_000];

fn main() {
    if let Some(job) = callgrind::job() {
        return work(&job);
    }
    let Some(arguments) = machine::arguments() else { return };
    if let Err(why) = callgrind::check() {
        return println!("instructions: skipped, since {why}");
    }
    machine::print_head("Instructions per call");
    let mut bars = Bars::new();
    table("u64", &contenders::numbers(), Some(&mut bars));
    if !arguments.iter().any(|argument| argument == "--quick") {
        table("http", &contenders::http(), None);
    }
    bodies::table(&mut bars);
    limits::table(&mut bars);
    stacks::table();
    windows(&mut bars);
    bars.print();
}

fn table(payload: &str, rows: &[Contender], mut bars: Option<&mut Bars>) {
    let mut head = vec!["contender"];
    head.extend(SCENES.map(|(name, _)| name));
    head.push("success over bare");
    let mut table = Table::new(&format!("{payload}: instructions per call"), &head);
    let mut bare = None;
    for (at, row) in rows.iter().enumerate() {
        let cells = SCENES.map(|(_, scene)| {
            let measured = scene != Scene::Open || row.is_breaker();
            let calls = if row.grows() { 1_000 } else { 10_000 };
            measured.then(|| callgrind::per_call(&[payload, &at.to_string(), code(scene)], calls)).flatten()
        });
        bare = bare.or(cells[0]);
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        let mut line = vec![row.name.to_owned()];
        line.extend(cells.map(cell));
        line.push(cell(cells[0].zip(bare).map(|(own, bare)| own - bare)));
        table.row(&line);
        if let Some(bars) = bars.as_deref_mut() {
            judge(bars, row, cells);
        }
    }
    table.print();
}

fn judge(bars: &mut Bars, row: &Contender, [success, _, open, _]: [Option<f64>; 4]) {
    let bound = match row.who {
        Who::Default => 200.0,
        Who::Evidence | Who::Count => 150.0,
        Who::Run => 145.0,
        Who::DefaultTyped | Who::DefaultReply => {
            return bars.at_most(&format!("open reject, {}", row.name), open, Some(150.0));
        }
        _ => return assert!(!OURS.contains(&row.who), "each rule has a bar"),
    };
    bars.at_most(&format!("closed success, {}", row.name), success, Some(bound));
}

/// Full count windows of other lengths, ours.
fn windows(bars: &mut Bars) {
    let mut table = Table::new("ours, count window of n calls, full (u64): instructions", &["n", "closed, success"]);
    for length in LENGTHS {
        let count = callgrind::per_call(&["window", &length.to_string(), code(Scene::Success)], 10_000);
        table.row(&[digits(f64::from(length)), count.map_or_else(|| "-".into(), digits)]);
        bars.at_most(&format!("closed success, ours (count {length})"), count, Some(150.0));
    }
    table.print();
}

fn code(scene: Scene) -> &'static str {
    match scene {
        Scene::Success => "success",
        Scene::Failures(_) => "failures",
        Scene::Open => "open",
        Scene::Clones => "clones",
    }
}

/// What runs under callgrind: everything up to the calls is the same for both numbers of calls.
fn work(job: &callgrind::Job) {
    let [what, which, scene] = &job.what;
    if what == "limits" {
        return limits::work(which, job.calls);
    }
    if what == "stack" {
        return stacks::work(which, scene, job.calls);
    }
    if what == "body" {
        return bodies::work(which, scene.parse().expect("a number of frames"), job.calls);
    }
    let (_, scene) = SCENES.into_iter().find(|(_, known)| code(*known) == scene).expect("a scene");
    let rows = match what.as_str() {
        "u64" => contenders::numbers(),
        "http" => contenders::http(),
        _ => {
            let length = which.parse().expect("a length");
            let mut runner = ours::guarded::<Number>(ours::circuit(Rule::Count(length)), Refusal::Boxed);
            runner.calls(u64::from(length), u64::MAX);
            return run(&mut *runner, scene, job.calls);
        }
    };
    let row = &rows[which.parse::<usize>().expect("the number of a row")];
    let mut runner = row.ready(scene).expect("it has this state");
    run(&mut *runner, scene, job.calls);
    row.check(scene, &mut *runner);
}
