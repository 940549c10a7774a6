//! The rows of the table. Each test has two sides: one that a breaker fails by doing too little, one by doing too much.

mod axum;
mod body;
mod hung_up;
mod late;
mod probe_gate;
mod settings;
mod window;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::axum::response::Response;
use tokio::{sync::Semaphore, time::sleep};
use tower::BoxError;

use crate::{
    breaker::{Breaker, Job, Settings, Unbuilt},
    crates::Crate,
    table::Cell,
};

/// One test.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What it does, and what it asks that an author never claimed.
    pub(crate) note: &'static str,
    /// Timed, so that no other may run beside it.
    pub(crate) alone: bool,
    /// Why ours is known to fail it.
    pub(crate) known_gap: Option<&'static str>,
    pub(crate) ask: fn(Crate) -> Asking,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

type Asking = Pin<Box<dyn Future<Output = Cell> + Send>>;

pub(crate) static ALL: &[Row] = &[
    probe_gate::HERD,
    probe_gate::HANGS,
    probe_gate::HANGS_TIMED,
    hung_up::BLACK_HOLE,
    hung_up::IMPATIENT,
    body::DIES,
    body::CONTROL,
    window::SLIDES,
    late::ONE,
    late::TEN,
    axum::KEPT,
    axum::NEW,
    settings::FOR_EVER,
    window::COST,
    settings::SIZE,
];

/// The open time of tests that wait for its end.
const OPEN: Duration = Duration::from_millis(100);
/// The open time of tests in which it must not end.
const STAYS_OPEN: Duration = Duration::from_secs(30);

/// A breaker that has been opened by failures, and whose open time is over.
async fn about_to_probe(of: Crate) -> Breaker {
    let breaker = built(of, Settings::run_of_five(OPEN));
    open(&breaker).await;
    breaker
}

/// Opens a breaker by failures and waits for the end of its open time.
async fn open(breaker: &Breaker) {
    breaker.fail_until_open(20).await.expect("failures in a row open it");
    sleep(OPEN + Duration::from_millis(20)).await;
}

/// For rules that every crate has.
fn built(of: Crate, settings: Settings) -> Breaker {
    match of.build(settings) {
        Ok(breaker) => breaker,
        Err(Unbuilt::NoSuchRule(why)) => panic!("{of:?}: {why}"),
        Err(Unbuilt::Refused(why)) => panic!("{of:?}: {why}"),
    }
}

/// Calls that start, are counted, and end when they are let go.
#[derive(Clone)]
struct Held {
    started: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Held {
    fn new() -> Self {
        Self { started: Arc::new(AtomicUsize::new(0)), gate: Arc::new(Semaphore::new(0)) }
    }

    /// A call that ends with `result` once it is let go.
    fn job(&self, result: fn() -> Result<Response, BoxError>) -> Job {
        let held = self.clone();
        Job::new(async move {
            held.started.fetch_add(1, Ordering::SeqCst);
            drop(held.gate.acquire().await?);
            result()
        })
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// Waits until so many have started.
    async fn until_started(&self, calls: usize) {
        until(|| self.started() >= calls).await;
    }

    fn let_go(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }
}

fn good() -> Result<Response, BoxError> {
    Ok(Response::default())
}

fn bad() -> Result<Response, BoxError> {
    Err("down".into())
}

/// Waits for a condition that a working breaker must bring about.
async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("a call was neither made nor rejected within five seconds");
}
