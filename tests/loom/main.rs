//! Models of the concurrent circuit: loom tries every order of the steps of two or three threads, and every value that a
//! load may return.
//!
//! ```text
//! RUSTFLAGS="--cfg tower_breaker_loom" cargo test --release --no-default-features --features retry --test loom --target-dir target/loom
//! ```
//!
//! Two threads are tried in full, three with at most three preemptions: without that bound the orders of three threads
//! have no end that anybody could wait for. What loom cannot see: it takes `SeqCst` for `AcqRel`, and no load returns
//! what is stored later.
#![cfg(tower_breaker_loom)]

#[cfg(feature = "retry")]
mod budget;
mod closed;
mod observers;
mod operator;
mod probes;
mod readers;
mod recovery;
mod support;
mod waiting;
