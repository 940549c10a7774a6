//! What an interpreter checks for undefined behaviour, races and leaks: the tower stack under paused time, and threads on
//! one circuit. Small on purpose, since it takes some hundred times as long there.
//!
//! `cargo +nightly miri test --test miri`; `ci/long.sh miri` runs it with many seeds, each another schedule. It is an
//! ordinary test too.

use std::{
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, time::sleep};
use tower::{Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Config, Mode, Outcome, Rejected, State,
    classify::ErrorsAsFailures,
    config::{Consecutive, HalfOpen, Probing, Recovery, RecoveryWindow},
};

const SECOND: Duration = Duration::from_secs(1);

/// Three failures open it for a second; one probe, and a recovery of a tenth of a second.
fn config() -> Config {
    Config::new()
        .consecutive_failures(Consecutive::new(3))
        .probing(Probing::fixed(SECOND))
        .half_open(HalfOpen::new().probe_timeout(5 * SECOND).max_wait(10 * SECOND))
        .recovery(Recovery::Window(RecoveryWindow::new().probation(SECOND / 10)))
}

fn circuit() -> Circuit {
    Circuit::builder("it").config(config()).seed(1).build().expect("within bounds")
}

/// Without the driver for sockets, which the interpreter knows only in part.
fn paused(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime").block_on(test);
}

/// What a service does with a call.
#[derive(Clone, Copy)]
enum Call {
    Fails,
    Hangs,
    Panics,
    Works,
}

async fn serve(call: Call) -> Result<&'static str, BoxError> {
    sleep(SECOND / 100).await;
    match call {
        Call::Fails => Err("refused".into()),
        Call::Hangs => std::future::pending().await,
        Call::Panics => panic!("in the inner service"),
        Call::Works => Ok("answer"),
    }
}

type Answer = Result<&'static str, BoxError>;

/// A stack as people build it, and the circuit in it.
fn stack() -> (impl Service<Call, Response = &'static str, Error = BoxError, Future: Send> + Clone, Circuit) {
    let circuit = circuit();
    let stack = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new()))
        .load_shed()
        .concurrency_limit(4)
        .timeout(SECOND / 2)
        .service(service_fn(serve));
    (stack, circuit)
}

fn is_rejected(answer: &Answer) -> bool {
    answer.as_ref().is_err_and(|error| Rejected::find(&**error).is_some())
}

#[test]
fn an_outage_from_the_first_failure_to_the_close() {
    paused(async {
        let (stack, circuit) = stack();
        let mut events = circuit.subscribe();
        let call = |call| stack.clone().oneshot(call);
        for (what, state) in [(Call::Fails, State::Closed), (Call::Hangs, State::Closed), (Call::Fails, State::Open)] {
            assert!(call(what).await.is_err());
            assert_eq!(circuit.state(), state);
        }
        assert!(is_rejected(&call(Call::Works).await));
        sleep(SECOND).await;
        assert!(!is_rejected(&call(Call::Fails).await), "a probe");
        assert!(is_rejected(&call(Call::Works).await));
        circuit.until_ready().await;
        while circuit.state() != State::Closed {
            assert_eq!(call(Call::Works).await.expect("it works"), "answer");
        }
        let told = std::iter::from_fn(|| events.try_next()).count();
        assert_eq!(told, 6, "open, half-open, open, half-open, recovering, closed");
        let ledger = circuit.snapshot().ledger;
        assert_eq!((ledger.failed, ledger.rejected), (4, 2));
    });
}

#[test]
fn a_call_that_is_dropped_or_panics_leaves_nothing_behind() {
    paused(async {
        let (stack, circuit) = stack();
        let hangs = tokio::spawn(stack.clone().oneshot(Call::Hangs));
        tokio::task::yield_now().await;
        hangs.abort();
        assert!(hangs.await.is_err_and(|error| error.is_cancelled()));
        // Never polled at all.
        drop(stack.clone().oneshot(Call::Works));
        for _ in 0..3 {
            assert!(tokio::spawn(stack.clone().oneshot(Call::Panics)).await.is_err_and(|error| error.is_panic()));
        }
        assert_eq!(circuit.state(), State::Open);
        sleep(SECOND).await;
        let probe = tokio::spawn(stack.clone().oneshot(Call::Hangs));
        tokio::task::yield_now().await;
        assert_eq!((circuit.state(), circuit.snapshot().in_flight), (State::HalfOpen, 1));
        probe.abort();
        assert!(probe.await.is_err());
        assert_eq!(circuit.snapshot().in_flight, 0);
        assert!(stack.oneshot(Call::Works).await.is_ok());
        let ledger = circuit.snapshot().ledger;
        assert_eq!((ledger.cancelled, ledger.failed, ledger.succeeded), (2, 3, 1));
    });
}

#[test]
fn whoever_waits_for_a_busy_service_is_woken_when_the_circuit_opens() {
    paused(async {
        let circuit = circuit();
        let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), ErrorsAsFailures::new());
        let hangs = service_fn(|(): ()| std::future::pending::<Result<(), Infallible>>());
        let mut first = ServiceBuilder::new().layer(layer).service(ConcurrencyLimit::new(hangs, 1));
        let mut second = first.clone();
        let under_way = first.ready().await.expect("ready").call(());
        let waits = tokio::spawn(async move { second.ready().await.expect("ready").call(()).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        for _ in 0..3 {
            circuit.try_acquire().expect("closed").record(Outcome::failure());
        }
        let error = waits.await.expect("no panic").expect_err("open");
        assert!(Rejected::find(&*error).is_some());
        drop(under_way);
    });
}

#[test]
fn threads_that_share_a_circuit_lose_nothing() {
    let circuit = circuit();
    let stop = Arc::new(AtomicBool::new(false));
    let calls = |of: u32| {
        let circuit = circuit.clone();
        thread::spawn(move || {
            let (mut made, mut rejected) = (0, 0);
            for call in 0..40 {
                let Ok(permit) = circuit.try_acquire() else {
                    rejected += 1;
                    continue;
                };
                made += 1;
                match (call + of) % 8 {
                    0 => drop(permit),
                    1 => permit.record(Outcome::Ignored),
                    2..=5 => permit.record(Outcome::failure()),
                    _ => permit.record(Outcome::Success),
                }
            }
            (made, rejected)
        })
    };
    let operator = thread::spawn({
        let (circuit, stop) = (circuit.clone(), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) {
                circuit.reset();
                circuit.reconfigure(config()).expect("within bounds");
                circuit.set_mode(Mode::MetricsOnly, Some(SECOND / 1_000));
                assert!(!circuit.explain().is_empty());
                thread::yield_now();
            }
        }
    });
    let threads = [calls(0), calls(3)];
    let (made, rejected) = threads
        .map(|thread| thread.join().expect("no panic"))
        .into_iter()
        .fold((0, 0), |(made, rejected): (u64, u64), (more, refused)| (made + more, rejected + refused));
    stop.store(true, Ordering::Relaxed);
    operator.join().expect("no panic");
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.ended(), ledger.rejected), (made, rejected));
}

#[test]
fn a_panic_that_is_caught_settles_its_permit() {
    let circuit = circuit();
    let panics = catch_unwind(AssertUnwindSafe(|| circuit.call_sync(|| -> Result<(), ()> { panic!("in the call") })));
    assert!(panics.is_err());
    let permit = circuit.try_acquire().expect("closed");
    let panics = catch_unwind(AssertUnwindSafe(move || {
        let _permit = permit;
        panic!("beside the call");
    }));
    assert!(panics.is_err());
    assert_eq!(circuit.snapshot().ledger.failed, 2);
}
