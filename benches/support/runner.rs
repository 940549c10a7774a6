//! How a contender is called: futures polled by hand, with a waker that does nothing, by one loop for all.

use std::{
    future::poll_fn,
    hint::black_box,
    marker::PhantomData,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::runtime::{Builder, Runtime};
use tower::Service;

use super::payload::Payload;

/// A contender at work. The loops inside are compiled for it; only a whole batch goes through the table of methods.
pub(crate) trait Runner: Send {
    /// Makes calls on one service; every `every`-th fails.
    fn calls(&mut self, calls: u64, every: u64);
    /// Clones the service for each call and drops it after, as axum does for each request.
    fn clones(&mut self, calls: u64);
    /// Makes one call that would succeed and returns whether it was refused.
    fn refuses(&mut self) -> bool;
    /// Returns a clone of the service for another thread: the same circuit.
    fn twin(&self) -> Box<dyn Runner>;
    /// Returns how large its parts are.
    fn sizes(&self) -> Sizes;
}

/// No call fails.
pub(crate) const NEVER: u64 = u64::MAX;

/// Bytes.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) layer: Option<usize>,
    pub(crate) service: usize,
    pub(crate) future: usize,
    /// The runner itself, to be taken off what its making allocates.
    pub(crate) runner: usize,
}

/// What a contender needs around it.
pub(crate) enum Around {
    /// Nothing: its futures are polled in a loop.
    Nothing,
    /// The timers of a runtime that need not run.
    Timers(Arc<Runtime>),
    /// A runtime that puts the thread to sleep and wakes it, one for each thread.
    Runtime(Runtime),
}

impl Around {
    pub(crate) fn timers() -> Self {
        Self::Timers(Arc::new(runtime()))
    }

    pub(crate) fn runtime() -> Self {
        Self::Runtime(runtime())
    }

    fn twin(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Timers(runtime) => Self::Timers(Arc::clone(runtime)),
            Self::Runtime(_) => Self::runtime(),
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime of one thread needs nothing")
}

/// On lines of its own: services write to themselves at each call, and two threads must not take turns for that.
#[repr(align(128))]
pub(crate) struct Driven<P, S> {
    service: S,
    layer: Option<usize>,
    around: Around,
    payload: PhantomData<fn() -> P>,
}

impl<P, S> Driven<P, S>
where
    P: Payload,
    S: Service<P::Request, Response = P::Response> + Clone + Send + 'static,
{
    pub(crate) fn boxed(service: S, layer: Option<usize>, around: Around) -> Box<dyn Runner> {
        Box::new(Self { service, layer, around, payload: PhantomData })
    }
}

impl<P, S> Runner for Driven<P, S>
where
    P: Payload,
    S: Service<P::Request, Response = P::Response> + Clone + Send + 'static,
{
    fn calls(&mut self, calls: u64, every: u64) {
        match &self.around {
            Around::Nothing => spin_calls::<P, S>(&mut self.service, calls, every),
            Around::Timers(runtime) => {
                let _timers = runtime.enter();
                spin_calls::<P, S>(&mut self.service, calls, every);
            }
            Around::Runtime(runtime) => runtime.block_on(calls_in_runtime::<P, S>(&mut self.service, calls, every)),
        }
    }

    fn clones(&mut self, calls: u64) {
        let _timers = match &self.around {
            Around::Timers(runtime) => Some(runtime.enter()),
            Around::Nothing | Around::Runtime(_) => None,
        };
        for number in 1..=calls {
            let mut service = self.service.clone();
            drop(black_box(spin_call::<P, S>(&mut service, P::request(black_box(number)))));
        }
    }

    fn refuses(&mut self) -> bool {
        let request = P::request(1);
        let answer = match &self.around {
            Around::Nothing => spin_call::<P, S>(&mut self.service, request),
            Around::Timers(runtime) => {
                let _timers = runtime.enter();
                spin_call::<P, S>(&mut self.service, request)
            }
            Around::Runtime(runtime) => runtime.block_on(call::<P, S>(&mut self.service, request)),
        };
        !answer.is_ok_and(|response| P::is_answer(&response))
    }

    fn twin(&self) -> Box<dyn Runner> {
        Self::boxed(self.service.clone(), self.layer, self.around.twin())
    }

    fn sizes(&self) -> Sizes {
        Sizes { layer: self.layer, service: size_of::<S>(), future: size_of::<S::Future>(), runner: size_of::<Self>() }
    }
}

/// Which calls fail.
struct Failing {
    every: u64,
    left: u64,
}

impl Failing {
    fn new(every: u64) -> Self {
        Self { every, left: every }
    }

    /// Returns the number to send: zero makes the call fail.
    fn next(&mut self, number: u64) -> u64 {
        self.left -= 1;
        if self.left > 0 {
            return number;
        }
        self.left = self.every;
        0
    }
}

#[inline(never)]
fn spin_calls<P, S>(service: &mut S, calls: u64, every: u64)
where
    P: Payload,
    S: Service<P::Request, Response = P::Response>,
{
    let mut failing = Failing::new(every);
    for number in 1..=calls {
        let number = failing.next(number);
        drop(black_box(spin_call::<P, S>(service, P::request(black_box(number)))));
    }
}

/// Makes one call by polling until it is over.
#[inline(always)]
fn spin_call<P, S>(service: &mut S, request: P::Request) -> Result<P::Response, S::Error>
where
    P: Payload,
    S: Service<P::Request, Response = P::Response>,
{
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match ready(service, &mut cx) {
            Poll::Ready(Ok(())) => break,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => std::hint::spin_loop(),
        }
    }
    let mut future = pin!(start(service, request));
    loop {
        if let Poll::Ready(result) = poll(future.as_mut(), &mut cx) {
            return result;
        }
        std::hint::spin_loop();
    }
}

/// Without tokio's budget, which would make every 128th call yield: that favours whoever uses tokio's mutex.
async fn calls_in_runtime<P, S>(service: &mut S, calls: u64, every: u64)
where
    P: Payload,
    S: Service<P::Request, Response = P::Response>,
{
    let work = async {
        let mut failing = Failing::new(every);
        for number in 1..=calls {
            let number = failing.next(number);
            drop(black_box(call::<P, S>(service, P::request(black_box(number))).await));
        }
    };
    tokio::task::coop::unconstrained(work).await;
}

async fn call<P, S>(service: &mut S, request: P::Request) -> Result<P::Response, S::Error>
where
    P: Payload,
    S: Service<P::Request, Response = P::Response>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

// The compiler may inline a layer here, as it may where a client is composed in one crate. The methods of the inner service
// are real calls.

#[inline]
fn ready<R, S: Service<R>>(service: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
    service.poll_ready(cx)
}

#[inline]
fn start<R, S: Service<R>>(service: &mut S, request: R) -> S::Future {
    service.call(request)
}

#[inline]
fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}
