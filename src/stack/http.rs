//! The stacks of HTTP.

use tower::{
    layer::util::{Identity, Stack},
    retry::RetryLayer,
    util::{Either, option_layer},
};

use crate::{
    bulkhead::BulkheadLayer,
    classify::HttpClassifier,
    config::ConfigError,
    retry::HttpRetry,
    service::{CircuitBreakerLayer, Fail, Single},
    stack::{AnswerErrors, BoxErrors, StackBuilder, StackLayer},
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

/// An HTTP client, see [`Stack::http_client`](crate::stack::Stack::http_client).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpClient {
    classifier: HttpClassifier,
}

/// An HTTP server, see [`Stack::http_server`](crate::stack::Stack::http_server).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpServer {
    classifier: HttpClassifier,
}

type Breaker = CircuitBreakerLayer<Single<HttpClassifier, Fail>>;

/// The layers of an HTTP client, from inside out.
pub type HttpClientLayers = Stack<
    BoxErrors,
    Stack<
        Either<AttemptTimeoutLayer, Identity>,
        Stack<
            Either<BulkheadLayer, Identity>,
            Stack<Breaker, Stack<Either<RetryLayer<HttpRetry>, Identity>, Either<TotalTimeoutLayer, Identity>>>,
        >,
    >,
>;

/// The layers of an HTTP server, from inside out.
pub type HttpServerLayers = Stack<
    BoxErrors,
    Stack<Either<AttemptTimeoutLayer, Identity>, Stack<Breaker, Stack<Either<BulkheadLayer, Identity>, AnswerErrors>>>,
>;

impl StackBuilder<HttpClient> {
    /// Sets what is a failure for the circuit. Default: [`HttpClassifier::new`].
    pub fn classify(mut self, classifier: HttpClassifier) -> Self {
        self.kind.classifier = classifier;
        self
    }

    /// Makes the stack.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as [`StackConfig::check`](crate::stack::StackConfig::check) has it.
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
    /// As `build`.
    pub fn build_with(
        self,
        policy: impl FnOnce(HttpRetry) -> HttpRetry,
    ) -> Result<StackLayer<HttpClientLayers>, ConfigError> {
        let (parts, kind) = self.client()?;
        let retry = parts.retries()?.map(|retries| RetryLayer::new(policy(HttpRetry::new(retries))));
        let breaker = CircuitBreakerLayer::new(parts.circuit.clone()).classify(kind.classifier);
        let outside = Stack::new(breaker, Stack::new(option_layer(retry), option_layer(parts.total()?)));
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let inside = Stack::new(option_layer(parts.attempt()?), Stack::new(option_layer(bulkhead), outside));
        Ok(StackLayer { layers: Stack::new(BoxErrors, inside), parts })
    }
}

impl StackBuilder<HttpServer> {
    /// Sets what is a failure for the circuit. Default: [`HttpClassifier::new`].
    pub fn classify(mut self, classifier: HttpClassifier) -> Self {
        self.kind.classifier = classifier;
        self
    }

    /// Makes the stack.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as [`StackConfig::check`](crate::stack::StackConfig::check) has it.
    pub fn build(self) -> Result<StackLayer<HttpServerLayers>, ConfigError> {
        let (parts, kind) = self.server()?;
        let breaker = CircuitBreakerLayer::new(parts.circuit.clone()).classify(kind.classifier);
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let outside = Stack::new(breaker, Stack::new(option_layer(bulkhead), AnswerErrors));
        let layers = Stack::new(BoxErrors, Stack::new(option_layer(parts.attempt()?), outside));
        Ok(StackLayer { layers, parts })
    }
}
