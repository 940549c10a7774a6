//! What the benches share: who is compared, how they are called, and how tables are printed.

mod apart;
pub(crate) mod bars;
pub(crate) mod contenders;
pub(crate) mod machine;
pub(crate) mod ours;
pub(crate) mod payload;
pub(crate) mod peers;
pub(crate) mod runner;
pub(crate) mod table;
