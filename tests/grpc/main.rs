//! gRPC over loopback: tonic on both sides, and servers of other making.

#[cfg(feature = "balance")]
mod balance;
mod breaks;
mod kinds;
mod open;
mod others;
#[cfg(feature = "stack")]
mod stack;
mod support;
