//! A stack that has been built.

use std::fmt;

use tower_layer::Layer;

use crate::{
    bulkhead::Bulkhead,
    circuit::Circuit,
    retry::Budget,
    stack::{StackConfig, describe::describe},
};

/// A stack: put it around a service. Clones share the circuit, the bulkhead and the budget.
#[derive(Clone)]
#[must_use = "a stack does nothing until it is put around a service"]
pub struct StackLayer<L> {
    pub(super) layers: L,
    pub(super) parts: Parts,
}

/// What is shared by all services of a stack, to be looked at and steered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parts {
    /// The numbers.
    pub config: StackConfig,
    /// The circuit.
    pub circuit: Circuit,
    /// The budget of the retries, if there are any.
    pub budget: Option<Budget>,
    /// The bulkhead, if there is one.
    pub bulkhead: Option<Bulkhead>,
    /// Whether the bulkhead stands outside of the circuit, as on a server.
    pub(super) is_server: bool,
}

impl<L> StackLayer<L> {
    /// Returns what all services of this stack share.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns the circuit.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.parts.circuit
    }

    /// Prints the stack from outside in, a line for each part.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(&self.parts)
    }
}

impl<S, L: Layer<S>> Layer<S> for StackLayer<L> {
    type Service = L::Service;

    fn layer(&self, inner: S) -> L::Service {
        self.layers.layer(inner)
    }
}

impl<L> fmt::Debug for StackLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackLayer").field("parts", &self.parts).finish_non_exhaustive()
    }
}
