//! The circuit where it is used: behind tower, on real sockets, among threads, and beside the faults of its peers.
//!
//! Everything runs with `--all-features`; what needs a clock moved by hand asks for `test-util`, what needs HTTP for
//! `http`.

mod support;

mod calls;
mod readiness;
mod readiness_again;
mod readiness_mock;
mod readiness_race;
mod shown;
mod types;

#[cfg(feature = "http")]
mod types_http;

#[cfg(feature = "test-util")]
mod backpressure;
#[cfg(feature = "test-util")]
mod detected;
#[cfg(feature = "test-util")]
mod events;
#[cfg(feature = "test-util")]
mod group;
#[cfg(feature = "test-util")]
mod modes;
#[cfg(feature = "test-util")]
mod peers;
#[cfg(feature = "test-util")]
mod reconfigure;
#[cfg(feature = "test-util")]
mod rules;
#[cfg(feature = "test-util")]
mod threads;
#[cfg(feature = "test-util")]
mod waiting;

#[cfg(all(feature = "balance", feature = "http", feature = "test-util"))]
mod balance;
#[cfg(all(feature = "http", feature = "test-util"))]
mod body;
#[cfg(all(feature = "http", feature = "test-util"))]
mod body_net;
#[cfg(all(feature = "http", feature = "test-util"))]
mod bulkhead;
#[cfg(all(feature = "http", feature = "test-util"))]
mod client;
#[cfg(feature = "stale")]
mod fallback;
#[cfg(all(feature = "stale", feature = "test-util"))]
mod fallback_net;
#[cfg(all(feature = "stale", feature = "test-util"))]
mod fallback_stale;
#[cfg(all(feature = "http", feature = "test-util"))]
mod order;
#[cfg(all(feature = "http", feature = "retry", feature = "test-util"))]
mod retry;
#[cfg(all(feature = "http", feature = "retry", feature = "test-util"))]
mod retry_bodies;
#[cfg(all(feature = "http", feature = "retry", feature = "test-util"))]
mod retry_load;
#[cfg(all(feature = "http", feature = "test-util"))]
mod server;
#[cfg(all(feature = "stack", feature = "test-util"))]
mod stack;
