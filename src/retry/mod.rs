//! Trying again: rarely, later, never all together, and never against a circuit that is not closed.

mod backoff;
mod bucket;
pub mod budget;

pub use self::{
    backoff::{Backoff, Delays, Spread},
    budget::Budget,
};
