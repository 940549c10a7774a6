//! The stacks of clients.

use tower::{
    layer::util::{Identity, Stack},
    retry::RetryLayer,
    util::{Either, option_layer},
};

use crate::{
    bulkhead::{Bulkhead, BulkheadLayer},
    circuit::Circuit,
    classify::HttpClassifier,
    config::ConfigError,
    retry::{Budget, HttpRetry, Retries},
    service::{CircuitBreakerLayer, Fail, Single},
    stack::{Parts, StackConfig, StackLayer, boxed::BoxErrors},
    sync::Arc,
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

/// The layers of an HTTP client, outermost last.
pub type HttpClientLayers = Stack<
    BoxErrors,
    Stack<
        Either<AttemptTimeoutLayer, Identity>,
        Stack<
            Either<BulkheadLayer, Identity>,
            Stack<
                CircuitBreakerLayer<Single<HttpClassifier, Fail>>,
                Stack<Either<RetryLayer<HttpRetry>, Identity>, Either<TotalTimeoutLayer, Identity>>,
            >,
        >,
    >,
>;

/// Builds the stack of an HTTP client. Made by [`Stack::http_client`](crate::stack::Stack::http_client).
#[derive(Clone, Debug)]
#[must_use = "a builder makes no stack until `build` is called"]
pub struct HttpClient {
    name: Arc<str>,
    config: StackConfig,
    circuit: Option<Circuit>,
    classifier: HttpClassifier,
}

impl HttpClient {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, config: StackConfig::new(), circuit: None, classifier: HttpClassifier::new() }
    }

    /// Sets the numbers. Default: [`StackConfig::new`].
    pub fn config(self, config: StackConfig) -> Self {
        Self { config, ..self }
    }

    /// Takes a circuit that is there, such as one of a registry, in place of one of its own; its settings are its own then.
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
    pub fn build(self) -> Result<StackLayer<HttpClientLayers>, ConfigError> {
        self.build_with(|retry| retry)
    }

    /// Makes the stack, with a retry policy that was told more.
    ///
    /// ```
    /// use hyper_util::client::legacy;
    /// use tower_breaker::stack::Stack;
    ///
    /// let stack = Stack::http_client("payments").build_with(|retry| {
    ///     retry.never_sent(|seen| seen.find_error::<legacy::Error>().is_some_and(legacy::Error::is_connect))
    /// })?;
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`HttpClient::build`].
    pub fn build_with(
        self,
        policy: impl FnOnce(HttpRetry) -> HttpRetry,
    ) -> Result<StackLayer<HttpClientLayers>, ConfigError> {
        let parts = parts(self.name, self.config, self.circuit, false)?;
        let retry = retries(&parts)?.map(|retries| RetryLayer::new(policy(HttpRetry::new(retries))));
        let breaker = CircuitBreakerLayer::new(parts.circuit.clone()).classify(self.classifier);
        let (total, attempt) = timeouts(&parts)?;
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let outside = Stack::new(breaker, Stack::new(option_layer(retry), option_layer(total)));
        let inside = Stack::new(option_layer(attempt), Stack::new(option_layer(bulkhead), outside));
        Ok(StackLayer { layers: Stack::new(BoxErrors, inside), parts })
    }
}

/// What is shared, after all has been checked.
pub(super) fn parts(
    name: Arc<str>,
    config: StackConfig,
    circuit: Option<Circuit>,
    is_server: bool,
) -> Result<Parts, ConfigError> {
    config.check()?;
    let bulkhead = config.bulkhead.map(|bulkhead| Bulkhead::new(Arc::clone(&name), bulkhead)).transpose()?;
    let budget = config.retry.map(|_| Budget::builder().ratio(config.retry_ratio).build()).transpose()?;
    let circuit = circuit.map_or_else(|| Circuit::builder(name).config(config.circuit).build(), Ok)?;
    Ok(Parts { config, circuit, budget, bulkhead, is_server })
}

pub(super) fn retries(parts: &Parts) -> Result<Option<Retries>, ConfigError> {
    let Some((retry, budget)) = parts.config.retry.zip(parts.budget.clone()) else { return Ok(None) };
    Retries::builder().config(retry).budget(budget).circuit(parts.circuit.clone()).build().map(Some)
}

type Timeouts = (Option<TotalTimeoutLayer>, Option<AttemptTimeoutLayer>);

pub(super) fn timeouts(parts: &Parts) -> Result<Timeouts, ConfigError> {
    let name = || Arc::<str>::from(parts.circuit.name());
    let total = parts.config.total.map(|limit| TotalTimeoutLayer::new(name(), limit)).transpose()?;
    let attempt = parts.config.attempt.map(|limit| AttemptTimeoutLayer::new(name(), limit)).transpose()?;
    Ok((total, attempt))
}
