//! The pure machine against a naive reference breaker, and proofs that it cannot get stuck.
//!
//! `reference/` restates the published rules over a list of everything that has ever happened and shares nothing with the
//! crate but the public types of its settings. `MODEL_CASES` sets how many random traces each property gets; the default
//! is 10,000.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "numbers are small, and a fault is a failed test"
)]

mod clocks;
mod explore;
mod never_stuck;
mod op;

mod phases;
mod reference;
mod settings;

mod table;
mod traces;
mod waits;
mod windows;

/// How many cases a property gets.
fn cases() -> u32 {
    std::env::var("MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000)
}
