//! How the key of a request is found.

use std::{any::type_name, fmt, marker::PhantomData};

/// Draws the key from a request.
///
/// Closures do it: [`key_fn`] for a key that is made, [`key_ref_fn`] for one that is borrowed from the request. For HTTP there
/// are [`by_host`](super::by_host) and [`by_header`](super::by_header).
pub trait DrawKey<Req> {
    /// The key as it is looked up: `str` for a registry of `String`.
    type Key: ?Sized;

    /// Hands the key of a request to `then`, once; none if it has no key. It must not panic.
    ///
    /// It is handed over, not returned, so that it may lie in a place that is this function's own.
    fn draw<T>(&self, request: &Req, then: impl FnOnce(Option<&Self::Key>) -> T) -> T;
}

/// Draws a key that a closure makes: a number, or an `enum`. A `String` would be an allocation for each call.
///
/// ```
/// use tower_breaker::{
///     KeyedCircuitBreakerLayer, classify::ErrorsAsFailures, registry::RegistryBuilder, service::key_fn,
/// };
///
/// struct Read { shard: u32 }
///
/// let shards = RegistryBuilder::<u32>::new("shards").build()?;
/// let by_shard = key_fn(|read: &Read| Some(read.shard));
/// let layer = KeyedCircuitBreakerLayer::with_classifier(shards, by_shard, ErrorsAsFailures::new());
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
pub fn key_fn<F, Req, K>(key: F) -> KeyFn<F, K>
where
    F: Fn(&Req) -> Option<K>,
{
    KeyFn { key, _of: PhantomData }
}

/// Draws a key that lies in the request.
///
/// ```
/// use axum::extract::{MatchedPath, Request};
/// use tower_breaker::{KeyedCircuitBreakerLayer, Registry, service::key_ref_fn};
///
/// let routes = Registry::by_key("routes").build()?;
/// let by_route = key_ref_fn(|request: &Request| request.extensions().get().map(MatchedPath::as_str));
/// let layer = KeyedCircuitBreakerLayer::new(routes, by_route); // axum: Router::route_layer(layer)
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
pub fn key_ref_fn<F, Req, Q>(key: F) -> KeyRefFn<F, Q>
where
    F: Fn(&Req) -> Option<&Q>,
    Q: ?Sized,
{
    KeyRefFn { key, _of: PhantomData }
}

/// Draws a key that a closure makes, see [`key_fn`].
pub struct KeyFn<F, K> {
    key: F,
    _of: PhantomData<fn() -> K>,
}

/// Draws a key that lies in the request, see [`key_ref_fn`].
pub struct KeyRefFn<F, Q: ?Sized> {
    key: F,
    _of: PhantomData<fn() -> Q>,
}

impl<F, Req, K> DrawKey<Req> for KeyFn<F, K>
where
    F: Fn(&Req) -> Option<K>,
{
    type Key = K;

    #[inline]
    fn draw<T>(&self, request: &Req, then: impl FnOnce(Option<&K>) -> T) -> T {
        then((self.key)(request).as_ref())
    }
}

impl<F, Req, Q> DrawKey<Req> for KeyRefFn<F, Q>
where
    F: Fn(&Req) -> Option<&Q>,
    Q: ?Sized,
{
    type Key = Q;

    #[inline]
    fn draw<T>(&self, request: &Req, then: impl FnOnce(Option<&Q>) -> T) -> T {
        then((self.key)(request))
    }
}

impl<F: Clone, K> Clone for KeyFn<F, K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), _of: PhantomData }
    }
}

impl<F: Clone, Q: ?Sized> Clone for KeyRefFn<F, Q> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), _of: PhantomData }
    }
}

impl<F, K> fmt::Debug for KeyFn<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

impl<F, Q: ?Sized> fmt::Debug for KeyRefFn<F, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRefFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
