//! What people read before and after the run.

use std::time::Duration;

use crate::{
    checks::Check,
    load::CALLS_PER_SECOND,
    measure::{Figures, SETTLED},
    screen::{Paint, Screen},
    sides::Sides,
};

/// Says what is going to happen.
pub(crate) fn introduce(screen: &Screen, lasts: Duration) {
    screen.line(&format!(
        "\
Two gateways, the same but for one line: the second has a circuit breaker around its calls to the back end.
Each gets {CALLS_PER_SECOND} calls a second from its users, and each has a back end of its own. The back ends now break in five
ways, in step, and come back; the last time at a tenth of their capacity. All is real: sockets on loopback, axum, hyper.
It takes {:.0} s. Below: what the back ends do, what the circuit does about it and why (with the calls it has let
through and rejected so far, and the users' p50 and p99 in the last second), and what the users of both gateways got.
",
        lasts.as_secs_f64()
    ));
}

/// Shows the table and the closing sentence.
pub(crate) fn conclude(screen: &Screen, figures: &Figures, checks: &[Check]) {
    screen.line("");
    screen.line(&screen.paint(Paint::Bold, &row("", "WITHOUT", "WITH", "")));
    for [what, without, with, remark] in rows(figures) {
        screen.line(&row(&what, &without, &with, &screen.paint(Paint::Dim, &remark)));
    }
    screen.line("");
    let failed: Vec<_> = checks.iter().filter(|check| !check.holds).collect();
    for check in &failed {
        screen.line(&screen.paint(Paint::Bad, &format!("FAILED  {}", check.says)));
    }
    if failed.is_empty() {
        screen.line(&screen.paint(Paint::Good, &format!("All {} expectations held.", checks.len())));
        screen.line(&summary(figures));
    } else {
        screen.line(&format!("{} of {} expectations did not hold.", failed.len(), checks.len()));
    }
}

fn rows(figures: &Figures) -> Vec<[String; 4]> {
    let sides = |what: &str, Sides { without, with }: Sides<String>, remark: &str| {
        [what.to_owned(), without, with, remark.to_owned()]
    };
    let never = |time: Option<Duration>| time.map_or_else(|| "never".into(), wait);
    let p50 = figures.waits.map(|waits| wait(waits.p50));
    let settled = figures.settled_waits.map(|waits| wait(waits.p99));
    let memory = figures.peak_memory.map(|bytes| bytes.map_or_else(|| "not known".into(), mebibytes));
    vec![
        sides(
            "calls that reached the dead back end",
            figures.reached.map(number),
            "with: those before it was noticed, and probes",
        ),
        sides("users' wait in the outages, p50", p50, "for an error: at once, or after a timeout"),
        sides(&format!("  and p99, {} into each", wait(SETTLED)), settled, "when it is known"),
        sides(
            "time to detect, slowest",
            Sides { without: "never".into(), with: never(figures.slowest_detection()) },
            "from the break until the circuit opens",
        ),
        sides(
            "time to full traffic, slowest",
            figures.slowest_recovery().map(never),
            "once the back end is well again",
        ),
        sides("served at a tenth of capacity", figures.served_at_tenth.map(percent), "the back end can carry 50 %"),
        sides(
            "rejected: answered 503 at once",
            figures.rejected.map(number),
            "by the circuit; without it, by the bulkhead",
        ),
        sides("false opens", Sides { without: "-".into(), with: number(figures.false_opens) }, "while all was well"),
        sides("the gateway's memory, peak", memory, "resident; /proc tells, where there is one"),
    ]
}

fn row(what: &str, without: &str, with: &str, remark: &str) -> String {
    format!("  {what:<38}{without:>10}{with:>10}   {remark}").trim_end().to_owned()
}

/// The run in one sentence.
fn summary(figures: &Figures) -> String {
    let reached = figures.reached.map(number);
    let waits = figures.settled_waits.map(|waits| wait(waits.p99));
    let never = || "never".into();
    format!(
        "\
With the breaker {} calls reached the dead back end instead of {}, and once it was open 99 of 100 users had
their answer within {} instead of {}; each outage was noticed within {}, and full traffic was back at most {}
after the repair.",
        reached.with,
        reached.without,
        waits.with,
        waits.without,
        figures.slowest_detection().map_or_else(never, wait),
        figures.slowest_recovery().with.map_or_else(never, wait),
    )
}

/// A time for people: `0.6 ms`, `13 ms`, `1.4 s`.
pub(crate) fn wait(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match time.as_millis() {
        0..10 => format!("{millis:.1} ms"),
        10..1_000 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1e3),
    }
}

/// A share for people: `40 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A number for people: `12,345`.
pub(crate) fn number(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", self::number(number / 1_000), number % 1_000) }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}
