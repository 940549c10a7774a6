//! What the builders of all stacks have in common.

use crate::{
    bulkhead::Bulkhead,
    circuit::Circuit,
    config::ConfigError,
    retry::{Budget, Retries},
    stack::{Parts, StackConfig},
    sync::Arc,
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

/// Builds a stack. Made by the methods of [`Stack`](crate::stack::Stack).
#[derive(Clone, Debug)]
#[must_use = "a builder makes no stack until `build` is called"]
pub struct StackBuilder<K> {
    name: Arc<str>,
    pub(super) config: StackConfig,
    circuit: Option<Circuit>,
    /// What kind of stack it is, with what only that kind has.
    pub(super) kind: K,
}

impl<K> StackBuilder<K> {
    pub(super) fn new(name: Arc<str>, config: StackConfig, kind: K) -> Self {
        Self { name, config, circuit: None, kind }
    }

    /// Sets the numbers. Default: [`StackConfig::new`]. A server has no retries and no total; its `attempt` bounds the handler.
    pub fn config(self, config: StackConfig) -> Self {
        Self { config, ..self }
    }

    /// Takes a circuit that is there, such as one of a registry, in place of one of its own; its settings and its mode are its
    /// own then.
    pub fn circuit(self, circuit: Circuit) -> Self {
        Self { circuit: Some(circuit), ..self }
    }

    pub(super) fn client(self) -> Result<(Parts, K), ConfigError> {
        self.parts(false)
    }

    pub(super) fn server(self) -> Result<(Parts, K), ConfigError> {
        let config = self.config.retry(None).total(None);
        self.config(config).parts(true)
    }

    /// What is shared, after all has been checked.
    fn parts(self, is_server: bool) -> Result<(Parts, K), ConfigError> {
        let Self { name, config, circuit, kind } = self;
        config.check()?;
        let bulkhead = config.bulkhead.map(|bulkhead| Bulkhead::new(Arc::clone(&name), bulkhead)).transpose()?;
        let budget = config.retry.map(|_| Budget::builder().ratio(config.retry_ratio).build()).transpose()?;
        let circuit =
            circuit.map_or_else(|| Circuit::builder(name).config(config.circuit).mode(config.mode).build(), Ok)?;
        Ok((Parts { config, circuit, budget, bulkhead, is_server }, kind))
    }
}

impl Parts {
    pub(super) fn retries(&self) -> Result<Option<Retries>, ConfigError> {
        let Some((retry, budget)) = self.config.retry.zip(self.budget.clone()) else { return Ok(None) };
        Retries::builder().config(retry).budget(budget).circuit(self.circuit.clone()).build().map(Some)
    }

    pub(super) fn total(&self) -> Result<Option<TotalTimeoutLayer>, ConfigError> {
        self.config.total.map(|limit| TotalTimeoutLayer::new(self.circuit.name(), limit)).transpose()
    }

    pub(super) fn attempt(&self) -> Result<Option<AttemptTimeoutLayer>, ConfigError> {
        self.config.attempt.map(|limit| AttemptTimeoutLayer::new(self.circuit.name(), limit)).transpose()
    }
}
