//! The layers of this crate as methods of tower's builder.

use tower::{ServiceBuilder, layer::util::Stack, retry::RetryLayer};

#[cfg(feature = "fallback")]
use crate::fallback::FallbackLayer;
use crate::{
    bulkhead::{Bulkhead, BulkheadLayer},
    circuit::Circuit,
    classify::HttpClassifier,
    retry::{HttpRetry, Retries},
    service::{CircuitBreakerLayer, Fail, Single},
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

/// The layers of this crate as methods of [`ServiceBuilder`], for stacks that are put together by hand.
///
/// ```
/// use std::time::Duration;
/// use tower::{ServiceBuilder, service_fn};
/// use tower_breaker::{Circuit, retry::Retries, stack::ServiceBuilderExt, timeout::{AttemptTimeoutLayer, TotalTimeoutLayer}};
///
/// let circuit = Circuit::builder("payments").build()?;
/// let retries = Retries::builder().circuit(circuit.clone()).build()?;
/// let client = ServiceBuilder::new()
///     .total_timeout(TotalTimeoutLayer::new("payments", Duration::from_secs(30))?)
///     .http_retry(retries)
///     .circuit_breaker(circuit)
///     .attempt_timeout(AttemptTimeoutLayer::new("payments", Duration::from_secs(5))?)
///     .service(service_fn(|_: http::Request<String>| async { Ok::<_, std::io::Error>(http::Response::new(())) }));
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
pub trait ServiceBuilderExt<L>: Sealed + Sized {
    /// Guards an HTTP service by a circuit, see [`CircuitBreakerLayer::new`].
    fn circuit_breaker(
        self,
        circuit: Circuit,
    ) -> ServiceBuilder<Stack<CircuitBreakerLayer<Single<HttpClassifier, Fail>>, L>>;

    /// Tries HTTP calls again, see [`HttpRetry`]. Outside of the circuit.
    fn http_retry(self, retries: Retries) -> ServiceBuilder<Stack<RetryLayer<HttpRetry>, L>>;

    /// Bounds how many calls are under way, see [`Bulkhead`].
    fn bulkhead(self, bulkhead: Bulkhead) -> ServiceBuilder<Stack<BulkheadLayer, L>>;

    /// Bounds how long a call may take in all. Outermost.
    fn total_timeout<M>(self, layer: TotalTimeoutLayer<M>) -> ServiceBuilder<Stack<TotalTimeoutLayer<M>, L>>;

    /// Bounds how long an attempt may take. Inside of the circuit.
    fn attempt_timeout<M>(self, layer: AttemptTimeoutLayer<M>) -> ServiceBuilder<Stack<AttemptTimeoutLayer<M>, L>>;

    /// Answers where the rest has no answer. Outermost, and outside of a [`StackLayer`](crate::stack::StackLayer).
    #[cfg(feature = "fallback")]
    fn fallback<F, W>(self, layer: FallbackLayer<F, W>) -> ServiceBuilder<Stack<FallbackLayer<F, W>, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn circuit_breaker(
        self,
        circuit: Circuit,
    ) -> ServiceBuilder<Stack<CircuitBreakerLayer<Single<HttpClassifier, Fail>>, L>> {
        self.layer(CircuitBreakerLayer::new(circuit))
    }

    fn http_retry(self, retries: Retries) -> ServiceBuilder<Stack<RetryLayer<HttpRetry>, L>> {
        self.layer(RetryLayer::new(HttpRetry::new(retries)))
    }

    fn bulkhead(self, bulkhead: Bulkhead) -> ServiceBuilder<Stack<BulkheadLayer, L>> {
        self.layer(BulkheadLayer::new(bulkhead))
    }

    fn total_timeout<M>(self, layer: TotalTimeoutLayer<M>) -> ServiceBuilder<Stack<TotalTimeoutLayer<M>, L>> {
        self.layer(layer)
    }

    fn attempt_timeout<M>(self, layer: AttemptTimeoutLayer<M>) -> ServiceBuilder<Stack<AttemptTimeoutLayer<M>, L>> {
        self.layer(layer)
    }

    #[cfg(feature = "fallback")]
    fn fallback<F, W>(self, layer: FallbackLayer<F, W>) -> ServiceBuilder<Stack<FallbackLayer<F, W>, L>> {
        self.layer(layer)
    }
}

/// Only tower's builder.
#[expect(unnameable_types, reason = "that is what seals the trait")]
pub trait Sealed {}

impl<L> Sealed for ServiceBuilder<L> {}
