//! The stack of a server.

use tower::{
    layer::util::{Identity, Stack},
    util::{Either, option_layer},
};

use crate::{
    bulkhead::BulkheadLayer,
    circuit::Circuit,
    classify::HttpClassifier,
    config::ConfigError,
    service::{CircuitBreakerLayer, Fail, Single},
    stack::{
        StackConfig, StackLayer,
        answer::AnswerErrors,
        boxed::BoxErrors,
        client::{parts, timeouts},
    },
    sync::Arc,
    timeout::AttemptTimeoutLayer,
};

/// The layers of an HTTP server, outermost last.
pub type HttpServerLayers = Stack<
    BoxErrors,
    Stack<
        Either<AttemptTimeoutLayer, Identity>,
        Stack<CircuitBreakerLayer<Single<HttpClassifier, Fail>>, Stack<Either<BulkheadLayer, Identity>, AnswerErrors>>,
    >,
>;

/// Builds the stack of an HTTP server. Made by [`Stack::http_server`](crate::stack::Stack::http_server).
#[derive(Clone, Debug)]
#[must_use = "a builder makes no stack until `build` is called"]
pub struct HttpServer {
    name: Arc<str>,
    config: StackConfig,
    circuit: Option<Circuit>,
    classifier: HttpClassifier,
}

impl HttpServer {
    pub(super) fn new(name: Arc<str>) -> Self {
        let config = StackConfig::new().retry(None).total(None);
        Self { name, config, circuit: None, classifier: HttpClassifier::new() }
    }

    /// Sets the numbers; retries and the total mean nothing here, since `attempt` bounds the handler. Default:
    /// [`StackConfig::new`] without those two.
    pub fn config(self, config: StackConfig) -> Self {
        Self { config: config.retry(None).total(None), ..self }
    }

    /// Takes a circuit that is there in place of one of its own; its settings are its own then.
    pub fn circuit(self, circuit: Circuit) -> Self {
        Self { circuit: Some(circuit), ..self }
    }

    /// Sets what is a failure for the circuit. Default: [`HttpClassifier::new`].
    pub fn classify(self, classifier: HttpClassifier) -> Self {
        Self { classifier, ..self }
    }

    /// Makes the stack.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as [`StackConfig::check`] has it.
    pub fn build(self) -> Result<StackLayer<HttpServerLayers>, ConfigError> {
        let parts = parts(self.name, self.config, self.circuit, true)?;
        let breaker = CircuitBreakerLayer::new(parts.circuit.clone()).classify(self.classifier);
        let (_, attempt) = timeouts(&parts)?;
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let outside = Stack::new(breaker, Stack::new(option_layer(bulkhead), AnswerErrors));
        Ok(StackLayer { layers: Stack::new(BoxErrors, Stack::new(option_layer(attempt), outside)), parts })
    }
}
