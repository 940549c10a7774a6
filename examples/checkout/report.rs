//! What people read.

use std::{net::SocketAddr, time::Duration};

use crate::{checks::Check, desk, health::DepartmentHealth, measure::Figures, run::Phase};

/// Says what is going to happen.
pub(crate) fn introduce(shop: SocketAddr, desk: Option<SocketAddr>) {
    println!(
        "\
A shop asks four departments to carry its orders out, each a server of its own, each behind a stack of its own: payment
(or charged later, if the sum is small), inventory (or what was in stock a while ago), shipping (or the usual price), e-mail
(or later). They die one at a time, and then all at once; the customers go on ordering, 50 a second, every fourth for a sum
that is too large to be charged later. It takes 20 to 30 s. Meanwhile: http://{shop}/health
{}

{}",
        desk::sign(desk),
        row(&HEAD.map(String::from))
    );
}

const HEAD: [&str; 11] = [
    "the departments",
    "orders",
    "placed",
    "as usual",
    "mail later",
    "old stock",
    "std. ship.",
    "charge later",
    "refused",
    "p50",
    "p99",
];

/// Shows a phase that is over.
pub(crate) fn phase(phase: &Phase) {
    let figures = Figures::new(&phase.seen);
    let stock = match figures.oldest_stock {
        0 => figures.stale_stock.to_string(),
        oldest => format!("{} ({} s)", figures.stale_stock, (oldest + 500) / 1_000),
    };
    let cells = [
        phase.plan.says(),
        figures.orders.to_string(),
        figures.placed.to_string(),
        figures.usual.to_string(),
        figures.mailed_later.to_string(),
        stock,
        figures.default_shipping.to_string(),
        figures.charged_later.to_string(),
        figures.refused.to_string(),
        wait(figures.p50),
        wait(figures.p99),
    ];
    println!("{}", row(&cells));
    for (name, DepartmentHealth { state, explain, .. }) in &phase.after.departments {
        if state != "closed" {
            println!("    {name}: {explain}");
        }
    }
}

/// Shows what was expected and is not so, and the closing sentence.
pub(crate) fn conclude(phases: &[Phase], checks: &[Check]) {
    println!();
    let failed: Vec<_> = checks.iter().filter(|check| !check.holds).collect();
    for check in &failed {
        println!("FAILED  {}", check.says);
    }
    if !failed.is_empty() {
        return println!("{} of {} expectations did not hold.", failed.len(), checks.len());
    }
    let all: Vec<_> = phases.iter().map(|phase| Figures::new(&phase.seen)).collect();
    let sum = |count: fn(&Figures) -> usize| all.iter().map(count).sum::<usize>();
    let lasted: Duration = phases.iter().map(|phase| phase.lasted).sum();
    println!(
        "\
The shop stayed up: all {} expectations held. In {:.0} s {} orders came, {} were placed, {} of those by a fallback, {} were
refused with a reason, none was left without an answer; {} mails and {} charges were made up for.",
        checks.len(),
        lasted.as_secs_f64(),
        sum(|figures| figures.orders),
        sum(|figures| figures.placed),
        sum(|figures| figures.placed - figures.usual),
        sum(|figures| figures.refused),
        sum(|figures| figures.mailed_later),
        sum(|figures| figures.charged_later),
    );
}

fn row(cells: &[String; 11]) -> String {
    let [what, rest @ ..] = cells;
    let widths = [7, 7, 9, 11, 11, 11, 13, 8, 9, 9];
    let cells = rest.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
    format!("{what:<27}{}", cells.collect::<String>())
}

/// A time for people: `0.6 ms`, `13 ms`, `1.4 s`.
fn wait(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match time.as_millis() {
        0..10 => format!("{millis:.1} ms"),
        10..1_000 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1e3),
    }
}
