//! The layer: it holds the circuit, so every service that it makes shares it.

use tower_layer::Layer;

#[cfg(feature = "grpc")]
use super::ReplyGrpc;
use super::{AtHead, CircuitBreaker, Fail, FailWith, ReplyWith, Single};
#[cfg(feature = "http")]
use super::{EndOfBody, Reply503};
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
        Self { policy: Single { circuit, classifier, reject: Fail::default(), over: AtHead::default() } }
    }
}

impl<C, R, W> CircuitBreakerLayer<Single<C, R, W>> {
    /// Returns the circuit.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.policy.circuit
    }

    /// Sets what is a failure. The classifier goes along with each call, so it must be `Clone`, and cheaply so.
    pub fn classify<D>(self, classifier: D) -> CircuitBreakerLayer<Single<D, R, W>> {
        let Single { circuit, reject, over, .. } = self.policy;
        CircuitBreakerLayer { policy: Single { circuit, classifier, reject, over } }
    }

    /// Makes a rejection an error: [`Rejected`](crate::Rejected) in a box. This is the default.
    pub fn fail(self) -> CircuitBreakerLayer<Single<C, Fail, W>> {
        self.reject(Fail::default())
    }

    /// Makes a rejection an error of your own; inner errors stay as they are.
    ///
    /// `into_error` is a `Fn(Rejected) -> Err + Clone` with the error type of the inner service.
    pub fn fail_with<F>(self, into_error: F) -> CircuitBreakerLayer<Single<C, FailWith<F>, W>> {
        self.reject(FailWith(into_error))
    }

    /// Makes a rejection a response of your own; inner errors stay as they are.
    ///
    /// `into_response` is a `Fn(Req, Rejected) -> Res + Clone` with the types of the inner service; the body is a
    /// `ResponseBody` if the layer waits for the end of it.
    pub fn reply_with<F>(self, into_response: F) -> CircuitBreakerLayer<Single<C, ReplyWith<F>, W>> {
        self.reject(ReplyWith(into_response))
    }

    /// Makes a rejection a `503` with `Retry-After`; inner errors stay as they are.
    ///
    /// The response body must have a `Default`, as that of axum, `Full<Bytes>` and [`ResponseBody`](super::ResponseBody) have
    /// and hyper's `Incoming` has not: this is for servers, or for use with
    /// [`until_end_of_body`](CircuitBreakerLayer::until_end_of_body).
    #[cfg(feature = "http")]
    pub fn reply_503(self) -> CircuitBreakerLayer<Single<C, Reply503, W>> {
        self.reject(Reply503::default())
    }

    /// Makes a rejection a gRPC answer `UNAVAILABLE`, see [`ReplyGrpc`]; inner errors stay as they are.
    ///
    /// The response body must have a `Default`, as that of tonic and [`ResponseBody`](super::ResponseBody) have.
    #[cfg(feature = "grpc")]
    pub fn reply_grpc(self) -> CircuitBreakerLayer<Single<C, ReplyGrpc, W>> {
        self.reject(ReplyGrpc::default())
    }

    /// Lets a call be over when the body of its response is, not at the head; the body becomes a
    /// [`ResponseBody`](super::ResponseBody).
    ///
    /// A body that breaks off is a failure then, and a classifier may look at the trailers (`Classifier::at_end`). A call is
    /// settled by the first of
    ///
    /// - the head, if it is no success, if there is no body, or if the call is a probe: a stream cannot hold the circuit
    ///   half-open, and how the body of a probe ends decides nothing;
    /// - trailers, the end, or an error of the body;
    /// - the drop of the body: a reader who has had enough says nothing against the head, so the call is the success that
    ///   it was (with gRPC it is ignored, where there was no status yet);
    /// - in a recovery: the first time that the reader must wait for a frame, so that streams do not fill its window;
    /// - [`ResponseBody::record`](super::ResponseBody::record).
    ///
    /// The time that counts as slow is that to the head, however long the body takes. A response that is never read nor
    /// dropped settles nothing.
    ///
    /// ```
    /// use tower_breaker::{Circuit, CircuitBreakerLayer};
    ///
    /// let circuit = Circuit::builder("downloads").build()?;
    /// let layer = CircuitBreakerLayer::new(circuit).until_end_of_body();
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    #[cfg(feature = "http")]
    pub fn until_end_of_body(self) -> CircuitBreakerLayer<Single<C, R, EndOfBody>> {
        let Single { circuit, classifier, reject, .. } = self.policy;
        CircuitBreakerLayer { policy: Single { circuit, classifier, reject, over: EndOfBody::default() } }
    }

    fn reject<Q>(self, reject: Q) -> CircuitBreakerLayer<Single<C, Q, W>> {
        let Single { circuit, classifier, over, .. } = self.policy;
        CircuitBreakerLayer { policy: Single { circuit, classifier, reject, over } }
    }
}

impl<S, P: Clone> Layer<S> for CircuitBreakerLayer<P> {
    type Service = CircuitBreaker<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker::new(inner, self.policy.clone())
    }
}
