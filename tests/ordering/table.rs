//! The tables of the chapter.

use std::{env, fmt::Write, fs, time::Duration};

use crate::{orders::Order, world::Seen};

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ordering.md");
const MARKS: [&str; 2] = ["<!-- begin: written by tests/ordering -->\n", "<!-- end -->"];

pub(crate) fn head(text: &mut String) {
    *text += "\n| outermost first | fails at once: opened after, calls at the back end, users' median | hangs: opened after, calls, median, p99 | |\n|---|---|---|---|\n";
}

pub(crate) fn row(text: &mut String, order: &Order, fails: &Seen, hangs: &Seen) {
    let Order { name, verdict, .. } = order;
    let (fast, slow) = (opened(fails), opened(hangs));
    let (calls, median) = (number(fails.back_end), seconds(fails.median));
    let (more, half, p99) = (number(hangs.back_end), seconds(hangs.median), seconds(hangs.p99));
    let _ = writeln!(text, "| {name} | {fast}, {calls}, {median} | {slow}, {more}, {half}, {p99} | {verdict} |");
}

pub(crate) fn partly_head(text: &mut String) {
    *text +=
        "\n| fail | order | opened after | calls at the back end | users served, of 1,500 |\n|---|---|---|---|---|\n";
}

pub(crate) fn partly(text: &mut String, share: u64, order: &Order, seen: &Seen) {
    let (calls, good) = (number(seen.back_end), number(seen.good as u64));
    let _ = writeln!(text, "| {share} % | {} | {} | {calls} | {good} |", order.name, opened(seen));
}

fn opened(seen: &Seen) -> String {
    seen.opened.map_or_else(|| "never".into(), |after| format!("{:.1} s", after.as_secs_f64()))
}

fn seconds(duration: Duration) -> String {
    if duration.is_zero() { "0 s".into() } else { format!("{:.2} s", duration.as_secs_f64()) }
}

fn number(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// The chapter has this text between its marks; written anew if `ORDERING_WRITE` is set.
pub(crate) fn compare(text: &str) {
    let chapter = fs::read_to_string(CHAPTER).expect("the chapter is there");
    let (before, rest) = chapter.split_once(MARKS[0]).expect("the first mark is there");
    let (quoted, after) = rest.split_once(MARKS[1]).expect("the second mark is there");
    if env::var_os("ORDERING_WRITE").is_some() {
        let written = format!("{before}{}{text}\n{}{after}", MARKS[0], MARKS[1]);
        fs::write(CHAPTER, written).expect("the chapter can be written");
    } else {
        assert_eq!(quoted.trim(), text.trim(), "the chapter quotes other numbers");
    }
}
