//! What does a call allocate, how large is what goes along with it, and what does a circuit hold?
//!
//! `cargo bench --bench memory`. Exact, so noise does no harm; only resident memory is the system's word.

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "another bench has other needs")]
mod support;

use std::{fs, sync::Barrier, thread};

use allocation_counter::{AllocationInfo, measure};
use support::{
    bars::Bars,
    contenders::{self, Contender, OURS, Scene, Who, run},
    machine,
    table::{Table, digits},
};
use tower_breaker::{Circuit, Outcome};

const CALLS: u64 = 1_000;
const SCENES: [Scene; 4] = [Scene::Success, Scene::Failures(4), Scene::Open, Scene::Clones];
const CIRCUITS: u32 = 100_000;

fn main() {
    if machine::arguments().is_none() {
        return;
    }
    machine::print_head("Memory");
    let mut bars = Bars::new();
    let numbers = contenders::numbers();
    allocations("u64", &numbers, Some(&mut bars));
    allocations("http", &contenders::http(), None);
    sizes(&numbers, &contenders::http());
    one_circuit(&mut bars);
    many_circuits(&mut bars);
    bars.print();
}

/// Allocations and bytes per call. One call in a hundred may allocate, so the numbers have fractions.
fn allocations(payload: &str, rows: &[Contender], mut bars: Option<&mut Bars>) {
    let title = format!("{payload}: heap allocations per call (bytes)");
    let mut table =
        Table::new(&title, &["contender", "closed, success", "every 4th fails", "open", "a clone per call"]);
    for row in rows {
        let per_call = SCENES.map(|scene| {
            let mut runner = row.ready(scene)?;
            let info = measure(|| run(&mut *runner, scene, CALLS));
            Some((float(info.count_total) / float(CALLS), float(info.bytes_total) / float(CALLS)))
        });
        let mut line = vec![row.name.to_owned()];
        line.extend(per_call.map(|cell| {
            cell.map_or_else(|| "-".into(), |(count, bytes)| format!("{} ({})", digits(count), digits(bytes)))
        }));
        table.row(&line);
        if let Some(bars) = bars.as_deref_mut() {
            allocation_bars(bars, row, per_call.map(|cell| cell.map(|(count, _)| count)));
        }
    }
    table.print();
}

fn allocation_bars(bars: &mut Bars, row: &Contender, [success, _, open, _]: [Option<f64>; 4]) {
    if OURS.contains(&row.who) {
        bars.at_most(&format!("allocations of a closed success, {}", row.name), success, Some(0.0));
        bars.at_most(&format!("allocations of a rejection by a boxed error, {}", row.name), open, Some(1.0));
    }
    if matches!(row.who, Who::DefaultTyped | Who::DefaultReply) {
        bars.at_most(&format!("allocations of a rejection, {}", row.name), open, Some(0.0));
    }
}

fn sizes(numbers: &[Contender], http: &[Contender]) {
    let title =
        "Sizes in bytes; the heap of a new one, and what it has grown to after 200 calls, of which 20 failed (u64)";
    let columns =
        ["contender", "layer", "service", "future, u64", "future, http", "heap when new", "heap after failures"];
    let mut table = Table::new(title, &columns);
    for row in http {
        let sizes = row.make().sizes();
        let number = numbers.iter().find(|number| number.who == row.who);
        let heap = number.filter(|row| row.who != Who::Timeout).map(heap_of);
        let cell = |heap: Option<f64>| heap.map_or_else(|| "-".into(), digits);
        table.row(&[
            row.name.to_owned(),
            sizes.layer.map_or_else(|| "-".into(), |size| size.to_string()),
            sizes.service.to_string(),
            number.map_or_else(|| "-".into(), |row| row.make().sizes().future.to_string()),
            sizes.future.to_string(),
            cell(heap.map(|heap| heap[0])),
            cell(heap.map(|heap| heap[1])),
        ]);
    }
    table.print();
}

/// The heap that a breaker holds when new, and after calls of which some failed.
fn heap_of(row: &Contender) -> [f64; 2] {
    let shell = i64::try_from(row.make().sizes().runner).expect("small");
    [0, 200].map(|calls| {
        let mut runner = None;
        let info = measure(|| runner.insert(row.make()).calls(calls, 10));
        drop(runner);
        held(info.bytes_current - shell)
    })
}

/// A circuit with default settings, used from one thread and from two.
fn one_circuit(bars: &mut Bars) {
    let mut table = Table::new("One circuit with default settings: bytes on the heap", &["when", "bytes", "blocks"]);
    // What a thread or the process allocates once is not the circuit's, nor are the settings: all that a thread makes with
    // the same settings share them.
    let first = thread::scope(|scope| {
        let first = scope.spawn(|| held_by(circuit).1);
        first.join().expect("a circuit is made without a panic")
    });
    let other = circuit();
    call_some(&other, 200);
    let (circuit, new) = held_by(circuit);
    let ((), used) = held_by(|| call_some(&circuit, 200));
    let others: Vec<AllocationInfo> = {
        let barrier = Barrier::new(2);
        let use_it = || {
            call_some(&self::circuit(), 200);
            barrier.wait();
            held_by(|| call_some(&circuit, 20_000)).1
        };
        thread::scope(|scope| {
            let threads = [scope.spawn(use_it), scope.spawn(use_it)];
            threads.map(|thread| thread.join().expect("calls do not panic")).to_vec()
        })
    };
    let row = [
        "the first of a thread, with the settings that all others share".to_owned(),
        digits(held(first.bytes_current)),
    ];
    table.row(&[&row[..], &[first.count_current.to_string()]].concat());
    let mut bytes = 0.0;
    let mut blocks = 0;
    let steps = [("new", vec![new]), ("after 200 calls, 20 of which failed", vec![used])];
    for (when, infos) in steps.into_iter().chain([("after 20,000 calls from each of two threads at once", others)]) {
        bytes += infos.iter().map(|info| held(info.bytes_current)).sum::<f64>();
        blocks += infos.iter().map(|info| info.count_current).sum::<i64>();
        table.row(&[when.to_owned(), digits(bytes), blocks.to_string()]);
    }
    table.print();
    bars.at_most("bytes of a circuit with default settings, used by two threads", Some(bytes), Some(1_024.0));
}

fn many_circuits(bars: &mut Bars) {
    let mut table = Table::new(
        "100,000 circuits with default settings: MiB",
        &["when", "on the heap", "resident (of the process, less what it was before)"],
    );
    let before = resident();
    let (circuits, new) = held_by(|| (0..CIRCUITS).map(|_| circuit()).collect::<Vec<Circuit>>());
    let grown = || resident().zip(before).map(|(now, before)| now - before);
    let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
    table.row(&["new".into(), digits(mib(held(new.bytes_current))), cell(grown())]);
    let ((), used) = held_by(|| circuits.iter().for_each(|circuit| call_some(circuit, 20)));
    let heap = mib(held(new.bytes_current + used.bytes_current));
    table.row(&["after 20 calls each, 2 of which failed".into(), digits(heap), cell(grown())]);
    table.print();
    let most = grown().map_or(heap, |resident| resident.max(heap));
    bars.at_most("MiB of 100,000 circuits with default settings", Some(most), Some(100.0));
}

/// What a user who adds two lines gets.
fn circuit() -> Circuit {
    Circuit::builder("bench").build().expect("the defaults are sound")
}

/// Every tenth fails.
fn call_some(circuit: &Circuit, calls: u32) {
    for call in 1..=calls {
        let permit = circuit.try_acquire().expect("a tenth of failures opens nothing");
        permit.record(if call % 10 == 0 { Outcome::failure() } else { Outcome::Success });
    }
}

fn held_by<T>(make: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut made = None;
    let info = measure(|| made = Some(make()));
    (made.expect("it was made"), info)
}

fn held(bytes: i64) -> f64 {
    float(u64::try_from(bytes).unwrap_or(0))
}

fn float(number: u64) -> f64 {
    number as f64
}

fn mib(bytes: f64) -> f64 {
    bytes / 1_024.0 / 1_024.0
}

/// Resident memory of the process in MiB, where the system says.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1_024.0)
}
