//! A service that is not ready while its circuit lets no call pass.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::sync::Semaphore;
use tower_layer::Layer;
use tower_service::Service;

use super::{AnswerOf, CircuitBreaker, CircuitBreakerLayer, ErrorOf, FutureOf, Policy, Readiness, Single};
use crate::circuit::{Circuit, Permit};

/// Puts a [`Circuit`] around a service that a balancer chooses: while no call may pass the service is not ready.
///
/// Made by [`CircuitBreakerLayer::backpressure`].
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct BackpressureLayer<P> {
    policy: P,
    turns: Turns,
}

/// A service that is not ready while its circuit lets no call pass: its callers wait, instead of being rejected.
///
/// For whoever can go elsewhere meanwhile, as tower's `Balance` does. A caller that has nowhere else to go waits for as long as the
/// outage lasts; put a timeout around the whole, or use [`CircuitBreaker`].
///
/// Those who wait stand in line. The first waits for the circuit, by a timer and for any change; whoever gets a slot takes it
/// along from `poll_ready` to `call`, and the next one moves up. So a probe goes to as many callers as there are slots, and
/// nobody else is woken. What a caller that is ready does not use is given back when it is dropped, or by its lease.
///
/// Between `poll_ready` and `call` the circuit may open. The call is rejected then, as the layer says it.
pub struct Backpressure<S, P> {
    breaker: CircuitBreaker<S, P>,
    turns: Turns,
    waiting: Option<Leave>,
    /// Leave for the next call, where it had to be asked for.
    permit: Option<Permit>,
}

/// Who of the waiting may ask.
type Turns = Arc<Semaphore>;
type Leave = Pin<Box<dyn Future<Output = Permit> + Send + Sync>>;

impl<P> CircuitBreakerLayer<P> {
    /// Lets callers wait while the circuit lets no call pass, for services behind a balancer. See [`Backpressure`].
    ///
    /// ```
    /// use tower::{ServiceBuilder, service_fn};
    /// use tower_breaker::{Circuit, CircuitBreakerLayer};
    ///
    /// let endpoint = service_fn(|_: http::Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) });
    /// let circuit = Circuit::builder("10.0.0.1:80").build()?;
    /// let endpoint = ServiceBuilder::new().layer(CircuitBreakerLayer::new(circuit).backpressure()).service(endpoint);
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn backpressure(self) -> BackpressureLayer<P> {
        BackpressureLayer { policy: self.policy, turns: Arc::new(Semaphore::new(1)) }
    }
}

impl<S, P: Clone> Layer<S> for BackpressureLayer<P> {
    type Service = Backpressure<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Backpressure::new(CircuitBreaker::new(inner, self.policy.clone()), Arc::clone(&self.turns))
    }
}

impl<S, P> Backpressure<S, P> {
    fn new(breaker: CircuitBreaker<S, P>, turns: Turns) -> Self {
        Self { breaker, turns, waiting: None, permit: None }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        self.breaker.get_ref()
    }

    /// Reports whether a call would pass now: the leave may be here already, and may have been the last one.
    #[cfg(feature = "balance")]
    pub(super) fn would_pass(&self, circuit: &Circuit) -> bool {
        self.permit.as_ref().is_some_and(Permit::is_current) || circuit.passes()
    }

    /// Makes sure that the next call may pass, where not all do.
    fn poll_leave(&mut self, circuit: &Circuit, cx: &mut Context<'_>) -> Poll<()> {
        if self.permit.as_ref().is_some_and(Permit::is_current) {
            return Poll::Ready(());
        }
        self.permit = None;
        // Whoever comes while others wait stands in line behind them.
        if self.waiting.is_none() && self.turns.available_permits() > 0 {
            self.permit = circuit.try_reserve();
        }
        if self.permit.is_none() {
            let leave = || Box::pin(in_turn(Arc::clone(&self.turns), circuit.clone()));
            self.permit = Some(ready!(self.waiting.get_or_insert_with(|| leave()).as_mut().poll(cx)));
        }
        self.waiting = None;
        Poll::Ready(())
    }
}

impl<S, C, R, W> Backpressure<S, Single<C, R, W>> {
    /// Returns the circuit.
    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        self.breaker.circuit()
    }
}

/// Waits for a turn, and in it for the circuit.
async fn in_turn(turns: Turns, circuit: Circuit) -> Permit {
    let mut turn = pin!(turns.acquire_owned());
    loop {
        let wait = circuit.check().err().and_then(|rejected| rejected.retry_after());
        let mut patience = circuit.sleep(wait.unwrap_or_default() + PATIENCE);
        let turn = poll_fn(|cx| match turn.as_mut().poll(cx) {
            Poll::Ready(turn) => Poll::Ready(Some(turn)),
            Poll::Pending => patience.as_mut().poll(cx).map(|()| None),
        });
        // The place in the line is kept until the leave is there.
        if let Some(_turn) = turn.await {
            return circuit.reserve().await;
        }
        if let Some(permit) = circuit.try_reserve() {
            return permit;
        }
    }
}

/// How long after its time whoever stands in line looks for itself: whoever is first may have stopped to poll.
const PATIENCE: Duration = Duration::from_secs(1);

impl<S, P, Req> Service<Req> for Backpressure<S, P>
where
    S: Service<Req>,
    P: Policy<Req, S::Response, S::Error>,
{
    type Response = AnswerOf<S, P, Req>;
    type Error = ErrorOf<S, P, Req>;
    type Future = FutureOf<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.breaker.policy.circuit().word().passes() {
            self.waiting = None;
            self.permit = None;
        } else {
            let circuit = self.breaker.policy.circuit().clone();
            ready!(self.poll_leave(&circuit, cx));
        }
        let was_ready = self.breaker.readiness == Readiness::Inner;
        let Some(permit) = &mut self.permit else {
            return if was_ready { self.breaker.poll_again(cx) } else { self.breaker.poll_inner(cx) };
        };
        match permit.guard(|| self.breaker.inner.poll_ready(cx)) {
            Poll::Ready(Ok(())) => {
                self.breaker.readiness = Readiness::Inner;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.breaker.readiness = Readiness::None;
                Poll::Ready(Err(self.breaker.failed_unready(self.permit.take(), error)))
            }
            // What was ready is, until it says that it has failed.
            Poll::Pending if was_ready => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.waiting = None;
        match self.permit.take().and_then(Permit::begun) {
            Some(permit) => self.breaker.start(permit, request),
            None => self.breaker.call_ready(request),
        }
    }
}

impl<S: Clone, P: Clone> Clone for Backpressure<S, P> {
    fn clone(&self) -> Self {
        // A clone is not ready, and has not waited.
        Self::new(self.breaker.clone(), Arc::clone(&self.turns))
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for Backpressure<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backpressure")
            .field("breaker", &self.breaker)
            .field("waits", &self.waiting.is_some())
            .field("permit", &self.permit)
            .finish_non_exhaustive()
    }
}
