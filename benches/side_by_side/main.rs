//! What does a call cost, beside tower's layers and other breakers, in one run?
//!
//! `cargo bench --bench side_by_side [-- --quick] [-- single|threads|windows|idle …]`. Prints tables in Markdown; nothing
//! is asserted but that every breaker is in the state that is measured. See `docs/performance.md` for how to read it.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "another bench has other needs")]
mod support;

mod idle;
mod sampler;
mod single;
mod threads;
mod verdict;
mod windows;

use sampler::{Effort, Sampler};
use support::{bars::Bars, contenders, machine};

fn main() {
    let Some(arguments) = machine::arguments() else { return };
    let effort = Effort::new(arguments.iter().any(|argument| argument == "--quick"));
    let sections: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |section: &str| sections.is_empty() || sections.iter().any(|wanted| *wanted == section);

    machine::print_head("Side by side");
    let mut sampler = Sampler::new();
    let mut bars = Bars::new();
    if wanted("single") {
        let numbers = single::measure("u64", &contenders::numbers(), &mut sampler, effort);
        single::measure("http", &contenders::http(), &mut sampler, effort);
        verdict::single(&mut bars, &numbers);
    }
    if wanted("threads") {
        verdict::threads(&mut bars, &threads::measure(&contenders::threads(), effort));
    }
    if wanted("windows") {
        let counts = windows::measure_counts(&mut sampler, effort);
        let times = windows::measure_times(&mut sampler, effort);
        verdict::windows(&mut bars, &counts, &times);
    }
    if wanted("idle") {
        verdict::idle(&mut bars, &idle::measure(&mut sampler, effort));
    }
    bars.print();
}
