//! Middleware with a circuit for each key.

use std::{
    borrow::Borrow,
    fmt,
    hash::Hash,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{AnswerOf, CircuitBreakerLayer, DrawKey, ErrorOf, Fail, FutureOf, Judge, Policy, ResponseFuture, Single};
#[cfg(feature = "http")]
use crate::classify::HttpClassifier;
use crate::{
    circuit::Circuit,
    registry::{Key, Registry},
    state::Mode,
};

/// Puts a circuit for each key around a service: one for each host, route, tenant, or whatever can be drawn from a request.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
/// use http::{Request, Response, StatusCode};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_breaker::{Config, KeyedCircuitBreakerLayer, Registry, config::Consecutive, service::by_host};
///
/// let config = Config::new().consecutive_failures(Consecutive::new(3));
/// let hosts = Registry::by_key("hosts").config(config).build()?;
/// let client = KeyedCircuitBreakerLayer::new(hosts, by_host()).layer(service_fn(|request: Request<()>| async move {
///     let bad = request.uri().host() == Some("bad.test");
///     Response::builder().status(if bad { 500 } else { 200 }).body(())
/// }));
///
/// let get = |uri| client.clone().oneshot(Request::get(uri).body(()).expect("a request"));
/// for _ in 0..3 {
///     assert_eq!(get("http://bad.test/").await?.status(), 500);
/// }
/// assert!(get("http://bad.test/").await.is_err());
/// assert_eq!(get("http://good.test/").await?.status(), 200);
/// # Ok(()) }
/// ```
///
/// Everything else is set on a [`CircuitBreakerLayer`], of which [`CircuitBreakerLayer::keyed`] makes this one; its circuit
/// is that of the requests without a key:
///
/// ```
/// use tower_breaker::{Circuit, CircuitBreakerLayer, Registry, service::by_host};
///
/// let hosts = Registry::by_key("hosts").build()?;
/// let others = Circuit::builder("no host").build()?;
/// let layer = CircuitBreakerLayer::new(others).reply_503().keyed(hosts, by_host());
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
///
/// # Readiness
///
/// `poll_ready` knows no request, so it knows no key and asks the inner service only: put the layer above what is scarce, such
/// as a concurrency limit, or its places are taken by calls that are rejected. An error of the inner `poll_ready` goes
/// on to the caller and is counted nowhere.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct KeyedCircuitBreakerLayer<P> {
    policy: P,
}

/// A service with a circuit for each key. See [`KeyedCircuitBreakerLayer`] for an example.
#[derive(Clone, Debug)]
pub struct KeyedCircuitBreaker<S, P> {
    inner: S,
    policy: P,
}

/// A circuit for each key `K` that `D` draws from a request; all else as `P` says, and without a key the circuit too.
#[derive(Clone)]
pub struct Keyed<K, D, P> {
    registry: Registry<K>,
    key: D,
    calls: P,
}

#[cfg(feature = "http")]
impl<K: Key, D> KeyedCircuitBreakerLayer<Keyed<K, D, Single<HttpClassifier, Fail>>> {
    /// Guards an HTTP service: 5xx and errors are failures, 4xx are ignored, see [`HttpClassifier`]. Requests without a key
    /// pass and are not counted.
    pub fn new(registry: Registry<K>, key: D) -> Self {
        Self::with_classifier(registry, key, HttpClassifier::new())
    }
}

impl<K: Key, D, C> KeyedCircuitBreakerLayer<Keyed<K, D, Single<C, Fail>>> {
    /// Guards any service, whose results `classifier` judges. Requests without a key pass and are not counted.
    pub fn with_classifier(registry: Registry<K>, key: D, classifier: C) -> Self {
        CircuitBreakerLayer::with_classifier(uncounted(registry.name()), classifier).keyed(registry, key)
    }
}

/// A circuit that lets every call pass.
fn uncounted(name: &str) -> Circuit {
    Circuit::builder(name).mode(Mode::Disabled).build().expect("the defaults are sound")
}

impl<P> CircuitBreakerLayer<P> {
    /// Gives each key a circuit of its own, out of a registry. The circuit of this layer is that of the requests without a
    /// key; all else stays as it is. See [`KeyedCircuitBreakerLayer`] for an example.
    pub fn keyed<K, D>(self, registry: Registry<K>, key: D) -> KeyedCircuitBreakerLayer<Keyed<K, D, P>> {
        KeyedCircuitBreakerLayer { policy: Keyed { registry, key, calls: self.policy } }
    }
}

impl<K, D, P> KeyedCircuitBreakerLayer<Keyed<K, D, P>> {
    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry<K> {
        &self.policy.registry
    }
}

impl<S, P: Clone> Layer<S> for KeyedCircuitBreakerLayer<P> {
    type Service = KeyedCircuitBreaker<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedCircuitBreaker { inner, policy: self.policy.clone() }
    }
}

impl<S, P> KeyedCircuitBreaker<S, P> {
    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service. What is called by this way is not guarded.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service and drops the guard.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, K, D, P> KeyedCircuitBreaker<S, Keyed<K, D, P>> {
    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry<K> {
        &self.policy.registry
    }
}

impl<S, K, D, P, Req> Service<Req> for KeyedCircuitBreaker<S, Keyed<K, D, P>>
where
    S: Service<Req>,
    K: Key + Borrow<D::Key>,
    D: DrawKey<Req>,
    D::Key: ToOwned<Owned = K> + Hash + Eq,
    P: Policy<Req, S::Response, S::Error>,
{
    type Response = AnswerOf<S, P, Req>;
    type Error = ErrorOf<S, P, Req>;
    type Future = FutureOf<S, P, Req>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(|error| self.policy.calls.judge().map_err(error))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let Keyed { registry, key, calls } = &self.policy;
        let admitted = key.draw(&request, |key| match key {
            Some(key) => registry.admit(key),
            None => calls.circuit().admit_guarded(),
        });
        match admitted {
            Ok(permit) => ResponseFuture::call(&mut self.inner, request, permit, calls.judge()),
            Err(rejected) => ResponseFuture::rejected(calls.reject(request, rejected)),
        }
    }
}

impl<K, D: fmt::Debug, P: fmt::Debug> fmt::Debug for Keyed<K, D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("registry", &self.registry)
            .field("key", &self.key)
            .field("calls", &self.calls)
            .finish()
    }
}
