//! The layer: where the answer comes from, and when.

use std::future::Future;

use tower_layer::Layer;

use super::{
    Counts, Failed, Fallback, FromAsync, FromFn, FromService, On, OnFailure, OnRejected, Plan, Queue, Queued, Value,
};
#[cfg(feature = "stale")]
use super::{LastGood, StaleCache};
use crate::sync::Arc;

/// Gives a service a fallback; to be put outside a circuit. See the [module docs](super) for an example.
///
/// A fallback *inside* a circuit hides every failure from it, so it never opens.
///
/// The counts and the limit are the layer's: clones and all services that it makes share them.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct FallbackLayer<F, W = OnRejected> {
    plan: Plan<F, W>,
}

/// Hystrix's `fallback.isolation.semaphore.maxConcurrentRequests`.
const LIMIT: usize = 10;

impl<F> FallbackLayer<F> {
    fn new(source: F) -> Self {
        Self { plan: Plan { source, when: OnRejected::default(), limit: LIMIT, counts: Counts::default() } }
    }
}

impl<V> FallbackLayer<Value<V>> {
    /// Answers with a clone of `value`.
    pub fn value(value: V) -> Self {
        Self::new(Value(value))
    }
}

impl<D, F> FallbackLayer<FromFn<D, F>> {
    /// Answers with what a closure makes of what was drawn from the request and of what failed.
    ///
    /// ```
    /// use http::{Request, Response, Uri};
    /// use tower_breaker::fallback::FallbackLayer;
    ///
    /// let layer = FallbackLayer::from_fn(
    ///     |request: &Request<String>| request.uri().clone(),
    ///     |uri: Uri, failed| match failed.rejected() {
    ///         Some(rejected) => Response::new(format!("{uri}: {rejected}")),
    ///         None => Response::new(format!("{uri}: out of order")),
    ///     },
    /// );
    /// ```
    pub fn from_fn<Req, T, Res>(draw: D, answer: F) -> Self
    where
        D: Fn(&Req) -> T,
        F: Fn(T, Failed<'_>) -> Res,
    {
        Self::new(FromFn { draw, answer })
    }
}

impl<D, F> FallbackLayer<FromAsync<D, F>> {
    /// Answers with what an async function makes of what was drawn from the request; none if it has nothing to give.
    ///
    /// What failed is there when the function is called, not in the future that it returns. Put a timeout around what may hang.
    pub fn from_async<Req, T, Fut, Res>(draw: D, answer: F) -> Self
    where
        D: Fn(&Req) -> T,
        F: Fn(T, Failed<'_>) -> Fut,
        Fut: Future<Output = Option<Res>>,
    {
        Self::new(FromAsync { draw, answer })
    }
}

impl<D, S> FallbackLayer<FromService<D, S>> {
    /// Answers with what another service answers to what was drawn from the request.
    ///
    /// Draw what is cheap, and let `other` make a request of it:
    ///
    /// ```
    /// use http::{Request, Response, Uri};
    /// use tower::{ServiceExt, service_fn};
    /// use tower_breaker::{BoxError, fallback::FallbackLayer};
    ///
    /// let other = service_fn(|_: Request<String>| async { Ok::<_, BoxError>(Response::new(String::new())) });
    /// let layer = FallbackLayer::service(
    ///     |request: &Request<String>| request.uri().clone(),
    ///     other.map_request(|uri: Uri| {
    ///         let mut request = Request::new(String::new());
    ///         *request.uri_mut() = uri;
    ///         request
    ///     }),
    /// );
    /// ```
    ///
    /// All calls share it, so `other` must be `Sync` where the calls are to be `Send`: tower's `BoxCloneSyncService` is,
    /// `BoxCloneService` is not. The same holds for a value and for what a closure captures.
    ///
    /// It gets the traffic of an outage, from one moment to the next: give it a timeout and a circuit of its own, and let it not
    /// depend on what has failed.
    pub fn service<Req, T>(draw: D, other: S) -> Self
    where
        D: Fn(&Req) -> T,
    {
        Self::new(FromService { draw, other })
    }
}

impl<D, Q, F> FallbackLayer<Queued<D, Q, F>> {
    /// Puts the order that was drawn from the request in a queue, and answers with what `answer` makes, such as a 202.
    ///
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use tokio::sync::mpsc;
    /// use tower_breaker::fallback::FallbackLayer;
    ///
    /// let (queue, mut later) = mpsc::channel(1_000); // full: the caller gets the original error
    /// let layer = FallbackLayer::queue(
    ///     |request: &Request<String>| request.body().clone(),
    ///     queue,
    ///     || Response::builder().status(StatusCode::ACCEPTED).body("later".to_owned()).expect("it is valid"),
    /// );
    /// # later.close();
    /// # drop::<FallbackLayer<_>>(layer);
    /// ```
    pub fn queue<Req, T, Res>(draw: D, queue: Q, answer: F) -> Self
    where
        D: Fn(&Req) -> T,
        Q: Queue<T>,
        F: Fn() -> Res + Clone,
    {
        Self::new(Queued { draw, queue, answer })
    }
}

#[cfg(feature = "stale")]
impl<K> FallbackLayer<LastGood<K>> {
    /// Answers with the last good answer to a GET with the same key, marked as stale.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_breaker::fallback::{FallbackLayer, StaleCache};
    ///
    /// let cache = StaleCache::new(1_000, Duration::from_secs(60));
    /// let layer = FallbackLayer::stale(cache, |uri, _headers| Some(uri.to_string()));
    /// ```
    ///
    /// `key` makes the key of a request; requests without one are neither kept nor answered. Who gets the same key gets the same
    /// answer: draw the tenant, the language or the encoding too if answers depend on it. See [`StaleCache`] for what is kept.
    ///
    /// The body of a response becomes a [`StaleBody`](super::StaleBody), which keeps a copy while it is read.
    pub fn stale(cache: StaleCache, key: K) -> Self
    where
        K: Fn(&http::Uri, &http::HeaderMap) -> Option<String>,
    {
        Self::new(LastGood { cache, key })
    }
}

impl<F, W> FallbackLayer<F, W> {
    /// Lets calls fall back that a classifier calls failures, and those that were not made at all: rejected by a circuit, or shed
    /// by tower's `LoadShed`.
    ///
    /// Rejections by `reply_503` or `reply_grpc` are answers and no errors, and to a classifier they say nothing: for these use
    /// [`FallbackLayer::on`].
    ///
    /// Default: only those that a circuit rejected, since a fallback that works for a single failure hides that there was one.
    pub fn on_failure<C>(self, classifier: C) -> FallbackLayer<F, OnFailure<C>> {
        self.when(OnFailure(classifier))
    }

    /// Lets calls fall back for which a closure says so.
    ///
    /// ```
    /// use http::Response;
    /// use tower_breaker::{BoxError, Rejected, fallback::FallbackLayer};
    ///
    /// // `reply_503` further in makes a rejection an answer.
    /// let layer = FallbackLayer::value(Response::new("out of order")).on(
    ///     |result: Result<&Response<&str>, &BoxError>| {
    ///         result.is_ok_and(|response| response.extensions().get::<Rejected>().is_some())
    ///     },
    /// );
    /// ```
    pub fn on<P, Res, Err>(self, predicate: P) -> FallbackLayer<F, On<P>>
    where
        P: Fn(Result<&Res, &Err>) -> bool,
    {
        self.when(On(predicate))
    }

    /// Sets how many fallbacks may be under way at once, for those that wait: async functions, services, queues. A call beyond
    /// gets its original answer or error at once. Default: 10, as Hystrix. With 0 all are shed.
    ///
    /// A storm of fallbacks must not become the next outage. What it takes is calls per second times seconds per fallback.
    pub fn limit(mut self, limit: usize) -> Self {
        self.plan.limit = limit;
        self
    }

    /// Marks the answers of the fallback with a [`FallenBack`](super::FallenBack) among their extensions, which has the
    /// original error. For HTTP, where errors can be boxed.
    #[cfg(feature = "http")]
    pub fn mark(self) -> FallbackLayer<super::Marked<F>, W> {
        let Plan { source, when, limit, counts } = self.plan;
        FallbackLayer { plan: Plan { source: super::Marked(source), when, limit, counts } }
    }

    /// Returns a handle to what is counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.plan.counts.clone()
    }

    fn when<V>(self, when: V) -> FallbackLayer<F, V> {
        let Plan { source, limit, counts, .. } = self.plan;
        FallbackLayer { plan: Plan { source, when, limit, counts } }
    }
}

impl<S, F: Clone, W: Clone> Layer<S> for FallbackLayer<F, W> {
    type Service = Fallback<S, Plan<F, W>>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback { inner, plan: Arc::new(self.plan.clone()) }
    }
}
