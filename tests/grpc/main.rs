//! gRPC over loopback: tonic on both sides, and servers of other making.

mod breaks;
mod kinds;
mod open;
mod others;
mod support;
