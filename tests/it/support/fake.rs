//! An inner service that does what it is told and knows how often it was asked.

use std::{
    future::{Future, pending, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tower::{Layer, Service};
use tower_breaker::{
    BoxError, Circuit, CircuitBreaker, CircuitBreakerLayer,
    classify::ErrorsAsFailures,
    service::{Fail, Single},
};

/// What `poll_ready` answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Readiness {
    Broken,
    Busy,
    Panics,
    Ready,
}

/// What a call answers.
#[cfg_attr(
    not(feature = "test-util"),
    expect(dead_code, reason = "some answers are for tests that need a manual clock")
)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Bad,
    Good,
    Hangs,
    Panics,
    PanicsInCall,
}

/// The hand that steers a [`Fake`] and all its clones.
#[derive(Clone, Debug)]
pub(crate) struct Hand(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: Mutex<(Readiness, Answer)>,
    waiting: Mutex<Vec<Waker>>,
    polls: AtomicUsize,
    calls: AtomicUsize,
}

/// The service. Calling it without readiness is a bug of the caller, and a panic.
#[derive(Debug)]
pub(crate) struct Fake {
    hand: Hand,
    ready: bool,
}

pub(crate) type Guarded = CircuitBreaker<Fake, Single<ErrorsAsFailures, Fail>>;

/// A service that is ready and answers well, behind the circuit.
pub(crate) fn guarded(circuit: &Circuit) -> (Guarded, Hand) {
    let (fake, hand) = Fake::new();
    let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new());
    (layer.layer(fake), hand)
}

pub(crate) fn is_ready(poll: &Poll<Result<(), BoxError>>) -> bool {
    matches!(poll, Poll::Ready(Ok(())))
}

/// A caller of a service, which counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Caller(AtomicUsize);

impl Hand {
    pub(crate) fn set(&self, readiness: Readiness) {
        self.0.now.lock().expect("no panic under the lock").0 = readiness;
        let waiting = std::mem::take(&mut *self.0.waiting.lock().expect("no panic under the lock"));
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.0.now.lock().expect("no panic under the lock").1 = answer;
    }

    /// How often `poll_ready` was asked.
    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    fn now(&self) -> (Readiness, Answer) {
        *self.0.now.lock().expect("no panic under the lock")
    }
}

impl Fake {
    pub(crate) fn new() -> (Self, Hand) {
        let hand = Hand(Arc::new(Shared {
            now: Mutex::new((Readiness::Ready, Answer::Good)),
            waiting: Mutex::default(),
            polls: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        }));
        (Self { hand: hand.clone(), ready: false }, hand)
    }
}

impl Clone for Fake {
    fn clone(&self) -> Self {
        Self { hand: self.hand.clone(), ready: false }
    }
}

impl Service<()> for Fake {
    type Response = ();
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.hand.0.polls.fetch_add(1, Ordering::SeqCst);
        match self.hand.now().0 {
            Readiness::Broken => Poll::Ready(Err("broken")),
            Readiness::Busy => {
                self.hand.0.waiting.lock().expect("no panic under the lock").push(cx.waker().clone());
                Poll::Pending
            }
            Readiness::Panics => panic!("poll_ready panics, as it was told"),
            Readiness::Ready => {
                self.ready = true;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "the breaker called a service that was not ready");
        self.hand.0.calls.fetch_add(1, Ordering::SeqCst);
        match self.hand.now().1 {
            Answer::Bad => Box::pin(ready(Err("bad"))),
            Answer::Good => Box::pin(ready(Ok(()))),
            Answer::Hangs => Box::pin(pending()),
            Answer::Panics => Box::pin(async { panic!("the call panics, as it was told") }),
            Answer::PanicsInCall => panic!("call panics, as it was told"),
        }
    }
}

impl Caller {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it was woken.
    pub(crate) fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks a service for readiness, as this caller.
    pub(crate) fn poll_ready<S: Service<()>>(self: &Arc<Self>, service: &mut S) -> Poll<Result<(), S::Error>> {
        service.poll_ready(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    /// Polls a future, as this caller.
    pub(crate) fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
