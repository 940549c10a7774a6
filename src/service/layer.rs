//! The layer: it holds the circuit, so every service that it makes shares it.

use tower_layer::Layer;

#[cfg(feature = "http")]
use super::Reply503;
use super::{CircuitBreaker, Fail, FailWith, ReplyWith, Single};
use crate::circuit::Circuit;
#[cfg(feature = "http")]
use crate::classify::HttpClassifier;

/// Puts a [`Circuit`] around a service. See the [module docs](super) for an example.
///
/// # The layer versus the services it makes
///
/// The state is in the layer: [`Layer::layer`] only clones a handle to it. axum calls it for each route, each connection,
/// even each request; all these services share the one circuit. Isolation is asked for by giving another layer another
/// circuit.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct CircuitBreakerLayer<P> {
    pub(super) policy: P,
}

#[cfg(feature = "http")]
impl CircuitBreakerLayer<Single<HttpClassifier, Fail>> {
    /// Guards an HTTP service: 5xx and errors are failures, 4xx are ignored, see [`HttpClassifier`].
    pub fn new(circuit: Circuit) -> Self {
        Self::with_classifier(circuit, HttpClassifier::new())
    }
}

impl<C> CircuitBreakerLayer<Single<C, Fail>> {
    /// Guards any service, whose results `classifier` judges.
    ///
    /// ```
    /// use tower_breaker::{Circuit, CircuitBreakerLayer, classify::ErrorsAsFailures};
    ///
    /// let circuit = Circuit::builder("payments").build()?;
    /// let layer = CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new());
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn with_classifier(circuit: Circuit, classifier: C) -> Self {
        Self { policy: Single { circuit, classifier, reject: Fail::default() } }
    }
}

impl<C, R> CircuitBreakerLayer<Single<C, R>> {
    /// Returns the circuit.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.policy.circuit
    }

    /// Sets what is a failure. The classifier goes along with each call, so it must be `Clone`, and cheaply so.
    pub fn classify<D>(self, classifier: D) -> CircuitBreakerLayer<Single<D, R>> {
        let Single { circuit, reject, .. } = self.policy;
        CircuitBreakerLayer { policy: Single { circuit, classifier, reject } }
    }

    /// Makes a rejection an error: [`Rejected`](crate::Rejected) in a box. This is the default.
    pub fn fail(self) -> CircuitBreakerLayer<Single<C, Fail>> {
        self.reject(Fail::default())
    }

    /// Makes a rejection an error of your own; inner errors stay as they are.
    ///
    /// `into_error` is a `Fn(Rejected) -> Err + Clone` with the error type of the inner service.
    pub fn fail_with<F>(self, into_error: F) -> CircuitBreakerLayer<Single<C, FailWith<F>>> {
        self.reject(FailWith(into_error))
    }

    /// Makes a rejection a response of your own; inner errors stay as they are.
    ///
    /// `into_response` is a `Fn(Req, Rejected) -> Res + Clone` with the types of the inner service.
    pub fn reply_with<F>(self, into_response: F) -> CircuitBreakerLayer<Single<C, ReplyWith<F>>> {
        self.reject(ReplyWith(into_response))
    }

    /// Makes a rejection a `503` with `Retry-After`; inner errors stay as they are.
    ///
    /// The response body must have a `Default`, as that of axum and `Full<Bytes>` have and hyper's `Incoming` has not: this
    /// is for servers.
    #[cfg(feature = "http")]
    pub fn reply_503(self) -> CircuitBreakerLayer<Single<C, Reply503>> {
        self.reject(Reply503::default())
    }

    fn reject<Q>(self, reject: Q) -> CircuitBreakerLayer<Single<C, Q>> {
        let Single { circuit, classifier, .. } = self.policy;
        CircuitBreakerLayer { policy: Single { circuit, classifier, reject } }
    }
}

impl<S, P: Clone> Layer<S> for CircuitBreakerLayer<P> {
    type Service = CircuitBreaker<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker::new(inner, self.policy.clone())
    }
}
