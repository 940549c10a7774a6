//! Sixteen threads at one circuit, in random orders with few changes of the running thread (PCT), which is where bugs hide.
//!
//! ```text
//! RUSTFLAGS="--cfg tower_breaker_shuttle" cargo test --release --no-default-features --test shuttle --target-dir target/shuttle
//! ```
//!
//! Each test runs 2,000 orders, or as many as the variable `TOWER_BREAKER_SCHEDULES` says. One that fails prints its
//! order, which `shuttle::replay` repeats.
#![cfg(tower_breaker_shuttle)]

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use shuttle::{
    Runner,
    rand::{Rng, thread_rng},
    scheduler::PctScheduler,
    thread,
};
use tower_breaker::{
    Circuit, Config, Failure, Instant, Outcome, Permit, State,
    clock::{Clock, Sleep},
    config::{Consecutive, FailureRate, HalfOpen, Probing, Ramp, Recovery, RecoveryWindow, SlowCalls},
    machine::{Event, Transition},
};

const THREADS: usize = 16;
const SECOND: Duration = Duration::from_secs(1);
const PROBES: u32 = 2;

/// Tries random orders; two changes of the running thread in each are where no thread waits.
fn in_random_orders(test: impl Fn() + Send + Sync + 'static) {
    let orders = std::env::var("TOWER_BREAKER_SCHEDULES").map_or(2_000, |orders| orders.parse().expect("a number"));
    let mut config = shuttle::Config::new();
    config.stack_size = 256 * 1024;
    Runner::new(PctScheduler::new(3, orders), config).run(test);
}

/// A clock that is a plain number: reading it is no step.
#[derive(Clone, Debug, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn advance(&self, by: Duration) {
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

type Told = Arc<Mutex<Vec<Transition>>>;

fn circuit(config: Config) -> (Circuit, Time, Told) {
    let (time, told) = (Time::default(), Told::default());
    let log = Arc::clone(&told);
    let observer = move |event: &Event| {
        if let Event::Transition(transition) = event {
            // For a while, so that somebody else would overtake if events could be told side by side.
            (0..thread_rng().gen_range(0..3)).for_each(|_| thread::yield_now());
            log.lock().expect("no panic under it").push(transition.clone());
        }
    };
    let builder = Circuit::builder("orders").config(config).seed(7).clock(time.clone()).observe(observer);
    (builder.build().expect("the settings are within bounds"), time, told)
}

/// Runs all threads to their end.
fn at_once(thread: impl Fn(usize) + Clone + Send + 'static) {
    let run = |number| {
        let thread = thread.clone();
        thread::spawn(move || thread(number))
    };
    let all: Vec<_> = (0..THREADS).map(run).collect();
    all.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

const BASE: Config = Config::new()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(SECOND))
    .half_open(HalfOpen::new().max_concurrent_probes(PROBES).success_threshold(2));

/// Settings that differ in what is counted, what is timed, and how a recovery goes.
fn settings(which: u32) -> Config {
    match which % 4 {
        0 => BASE.recovery(Recovery::Probes),
        1 => BASE.recovery(Recovery::Window(RecoveryWindow::new().tolerance(2))),
        2 => BASE.recovery(Recovery::Ramp(Ramp::new().step(SECOND).tolerance(2))),
        _ => BASE.without_evidence().failure_rate(FailureRate::new(0.5).minimum_calls(2)).slow_calls(SLOW),
    }
}

const SLOW: SlowCalls = SlowCalls::new(SECOND).minimum_calls(5);

/// Ends a call in one of the ways in which a call can end.
fn end(permit: Permit, how: u32) {
    match how % 8 {
        0 => drop(permit),
        1 => permit.record(Outcome::Ignored),
        2 => permit.record(Failure::new().tripping()),
        3 | 4 => permit.record(Outcome::failure()),
        _ => permit.record(Outcome::Success),
    }
}

fn meddle(circuit: &Circuit, time: &Time, how: u32) {
    match how % 12 {
        0 => circuit.reset(),
        1 => circuit.force_open(),
        2 => circuit.force_closed(),
        3 => circuit.metrics_only(),
        4 => circuit.set_mode(tower_breaker::Mode::ForcedOpen, Some(SECOND)),
        5 | 6 => circuit.auto(),
        7 | 8 => circuit.reconfigure(settings(how / 12)).expect("the settings are within bounds"),
        _ => time.advance(SECOND / 2),
    }
}

/// Properties P5 to P9, P18, P21 and P57.
#[test]
fn whatever_happens_the_ledger_adds_up_and_the_phases_form_a_chain() {
    in_random_orders(|| {
        let (circuit, time, told) = circuit(settings(thread_rng().r#gen()));
        let (admitted, rejected) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (shared, counts, refusals) = (circuit.clone(), Arc::clone(&admitted), Arc::clone(&rejected));
        at_once(move |_| {
            let mut under_way = Vec::new();
            for _ in 0..4 {
                match shared.try_acquire() {
                    Ok(permit) => {
                        counts.fetch_add(1, Ordering::Relaxed);
                        under_way.push(permit);
                    }
                    Err(_) => _ = refusals.fetch_add(1, Ordering::Relaxed),
                }
                if thread_rng().gen_ratio(1, 6) {
                    meddle(&shared, &time, thread_rng().r#gen());
                }
                if thread_rng().gen_ratio(2, 3) {
                    under_way.drain(..).for_each(|permit| end(permit, thread_rng().r#gen()));
                }
                let snapshot = shared.snapshot();
                assert!(snapshot.state != State::HalfOpen || snapshot.in_flight <= PROBES, "{snapshot:?}");
                assert!(snapshot.reason.is_some() || snapshot.state != State::Open, "{snapshot:?}");
            }
            // Those that are left are dropped.
        });
        let snapshot = circuit.snapshot();
        assert_eq!(snapshot.ledger.ended(), admitted.load(Ordering::Relaxed), "{:?}", snapshot.ledger);
        assert_eq!(snapshot.ledger.rejected, rejected.load(Ordering::Relaxed), "{:?}", snapshot.ledger);
        assert_eq!(snapshot.in_flight, 0);
        let told = told.lock().expect("no panic under it");
        let mut last = (State::Closed, 1);
        for transition in &*told {
            assert_eq!((transition.from, transition.epoch - 1), last, "{told:?}");
            last = (transition.to, transition.epoch);
        }
        assert_eq!(last, (snapshot.state, snapshot.epoch), "{told:?}");
        let opened = told.iter().filter(|transition| transition.from == State::Closed && transition.to == State::Open);
        assert!(snapshot.times_opened >= opened.count() as u64);
    });
}

/// Property P9.
#[test]
fn sixteen_threads_that_ask_for_probes_are_never_more_at_once_than_allowed() {
    in_random_orders(|| {
        let allowed = thread_rng().gen_range(1..=3);
        let probes = HalfOpen::new().max_concurrent_probes(allowed).success_threshold(1_000).ignored_as_alive(0);
        let (circuit, time, _) = circuit(BASE.half_open(probes));
        circuit.try_acquire().expect("closed").record(Failure::new().tripping());
        time.advance(SECOND);
        let (live, made) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (shared, counts) = (circuit.clone(), Arc::clone(&made));
        at_once(move |number| {
            for _ in 0..3 {
                let Ok(probe) = shared.try_acquire() else { continue };
                assert!(live.fetch_add(1, Ordering::Relaxed) < allowed, "one too many");
                counts.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
                live.fetch_sub(1, Ordering::Relaxed);
                match number % 3 {
                    0 => drop(probe),
                    1 => probe.record(Outcome::Ignored),
                    _ => probe.record(Outcome::Success),
                }
            }
        });
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.state, snapshot.in_flight), (State::HalfOpen, 0));
        assert_eq!(snapshot.ledger.ended(), 1 + u64::from(made.load(Ordering::Relaxed)));
        let free = std::iter::repeat_with(|| circuit.try_acquire()).map_while(Result::ok).collect::<Vec<_>>();
        assert_eq!(free.len(), allowed as usize, "each slot is there once");
    });
}

/// If a wake-up were lost, shuttle would find that nothing can go on.
#[test]
fn of_sixteen_threads_that_wait_none_sleeps_for_ever() {
    in_random_orders(|| {
        let probes = HalfOpen::new().success_threshold(8).ignored_as_alive(0);
        let (circuit, time, _) = circuit(BASE.recovery(Recovery::Probes).half_open(probes));
        circuit.try_acquire().expect("closed").record(Failure::new().tripping());
        time.advance(SECOND);
        let shared = circuit.clone();
        at_once(move |number| {
            let permit = loop {
                shuttle::future::block_on(shared.until_ready());
                if let Ok(permit) = shared.try_acquire() {
                    break permit;
                }
            };
            if number % 2 == 0 { permit.record(Outcome::Success) } else { drop(permit) }
        });
        assert_eq!(circuit.state(), State::Closed, "eight of them have succeeded");
    });
}

/// Successes pass by the lock on stripes that threads share, while others trip and reset.
#[test]
fn successes_of_sixteen_threads_count_once_each_while_the_circuit_opens_and_closes() {
    in_random_orders(|| {
        let (circuit, _, told) = circuit(Config::without_rules().consecutive_failures(Consecutive::new(1_000)));
        let admitted = Arc::new(AtomicU64::new(0));
        let (shared, counts) = (circuit.clone(), Arc::clone(&admitted));
        at_once(move |number| {
            for _ in 0..4 {
                let Ok(permit) = shared.try_acquire() else { continue };
                counts.fetch_add(1, Ordering::Relaxed);
                if number == 0 {
                    permit.record(Failure::new().tripping())
                } else {
                    permit.record(Outcome::Success)
                }
                if number == 1 {
                    shared.reset();
                }
            }
        });
        let ledger = circuit.snapshot().ledger;
        assert_eq!(ledger.ended(), admitted.load(Ordering::Relaxed), "{ledger:?}");
        let told = told.lock().expect("no panic under it");
        let trips = told.iter().filter(|transition| transition.to == State::Open).count() as u64;
        assert_eq!(ledger.failed, trips, "each failure that was in time opened it: {ledger:?}");
    });
}
