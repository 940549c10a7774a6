//! A circuit whose time and events add no order to try, and the two ways to try all.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_breaker::{
    Circuit, Config, Instant, Outcome, Permit, State,
    clock::{Clock, Sleep},
    config::{Consecutive, Probing, Recovery},
    machine::{Event, Ledger, Transition},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// So many failures in a row open it for a second; then one good probe closes it. No call reads the time.
pub(crate) const fn run_of(failures: u32) -> Config {
    Config::without_rules()
        .consecutive_failures(Consecutive::new(failures))
        .probing(Probing::fixed(SECOND))
        .recovery(Recovery::Probes)
}

/// A clock that is a plain number: reading it is no step of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.store(self.now().after(by).as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

/// A circuit, its time, and all that has happened to it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) circuit: Circuit,
    pub(crate) time: Time,
    told: Arc<Mutex<Vec<Transition>>>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let (time, told) = (Time::default(), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&told);
        let observer = move |event: &Event| {
            if let Event::Transition(transition) = event {
                log.lock().expect("no panic under the lock").push(transition.clone());
            }
        };
        let builder = Circuit::builder("model").config(config).seed(7).clock(time.clone()).observe(observer);
        Self { circuit: builder.build().expect("the settings are within bounds"), time, told }
    }

    /// Takes a permit where one must be there.
    pub(crate) fn acquire(&self) -> Permit {
        self.circuit.try_acquire().expect("the circuit lets a call pass")
    }

    /// Makes a call that ends like this if it may be made; one if it was.
    pub(crate) fn call(&self, outcome: Outcome) -> u64 {
        self.circuit.try_acquire().map_or(0, |permit| {
            permit.record(outcome);
            1
        })
    }

    pub(crate) fn record(&self, outcome: Outcome, times: usize) {
        (0..times).for_each(|_| self.acquire().record(outcome));
    }

    pub(crate) fn trip(&self) {
        self.record(tripping(), 1);
        assert_eq!(self.circuit.state(), State::Open);
    }

    /// The states that the circuit went to. They form a chain, each with the next number, and the last is where it is now.
    pub(crate) fn went_to(&self) -> Vec<State> {
        let told = self.told.lock().expect("no panic under the lock");
        for pair in told.windows(2) {
            assert_eq!(pair[1].from, pair[0].to, "{told:?}");
            assert_eq!(pair[1].epoch, pair[0].epoch + 1, "{told:?}");
        }
        let snapshot = self.circuit.snapshot();
        if let Some(last) = told.last() {
            assert_eq!((last.to, last.epoch), (snapshot.state, snapshot.epoch), "{told:?}");
        }
        told.iter().map(|transition| transition.to).collect()
    }

    /// The ledger, once all calls have ended: each that was admitted stands in one line.
    pub(crate) fn ledger_of(&self, admitted: u64) -> Ledger {
        let ledger = self.circuit.snapshot().ledger;
        assert_eq!(ledger.ended(), admitted, "{ledger:?}");
        ledger
    }
}

pub(crate) fn failure() -> Outcome {
    Outcome::failure()
}

/// A failure that opens a closed circuit by itself.
pub(crate) fn tripping() -> Outcome {
    tower_breaker::Failure::new().tripping().into()
}

/// What one thread does.
pub(crate) type Steps = Box<dyn FnOnce() + Send>;

pub(crate) fn steps(steps: impl FnOnce() + Send + 'static) -> Steps {
    Box::new(steps)
}

/// Does all at once: the last on this thread, each other on one of its own.
pub(crate) fn at_once<const N: usize>(all: [Steps; N]) {
    let mut all = Vec::from(all);
    let own = all.pop();
    let others: Vec<_> = all.into_iter().map(|steps| loom::thread::spawn(steps)).collect();
    own.into_iter().for_each(|steps| steps());
    others.into_iter().for_each(|other| other.join().expect("it does not panic"));
}

/// Tries every order; for two threads.
pub(crate) fn in_full(model: impl Fn() + Send + Sync + 'static) {
    check(None, model);
}

/// Tries every order with at most three preemptions; for three threads, or two that do much.
pub(crate) fn bounded(model: impl Fn() + Send + Sync + 'static) {
    check(Some(3), model);
}

fn check(preemption_bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemption_bound;
    builder.max_branches = 20_000;
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} orders", runs.load(Ordering::Relaxed));
}
