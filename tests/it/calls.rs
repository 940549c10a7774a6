//! A circuit without tower: calls through it, and how each way to end shows in the ledger.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt;
use tokio::time::{advance, sleep, timeout};
use tower_breaker::{
    CallError, Circuit, Outcome, Rejected, State, Weight,
    config::{CancelledAfter, SlowCalls},
    machine::RejectReason,
};

use crate::support::{SECOND, THREE, acquire, circuit, record, trip};

fn failing() -> Result<(), CallError<&'static str>> {
    Err(CallError::Failed("down"))
}

#[tokio::test(start_paused = true)]
async fn calls_open_the_circuit_and_a_good_one_closes_it() {
    let circuit = circuit(THREE);
    for _ in 0..3 {
        assert_eq!(circuit.call(async { Err::<(), _>("down") }).await, failing());
    }
    let error = circuit.call(async { Ok::<_, &str>(()) }).await.unwrap_err();
    let CallError::Rejected(rejected) = error else { panic!("it was made: {error}") };
    assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, Some(SECOND)));
    advance(SECOND).await;
    assert_eq!(circuit.call(async { Ok::<_, &str>(7) }).await, Ok(7));
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test]
async fn a_rejected_call_is_not_polled() {
    let circuit = circuit(THREE);
    circuit.force_open();
    let mut polled = false;
    let call = circuit.call(async {
        polled = true;
        Ok::<_, &str>(())
    });
    assert!(matches!(call.await, Err(CallError::Rejected(_))));
    assert!(!polled, "the call was begun although it was rejected");
}

#[test]
fn a_call_that_blocks_is_judged_by_its_result() {
    let circuit = circuit(THREE);
    assert_eq!(circuit.call_sync(|| Ok::<_, &str>(7)), Ok(7));
    for _ in 0..3 {
        assert_eq!(circuit.call_sync(|| Err::<(), _>("down")), failing());
    }
    let mut made = false;
    let answer = circuit.call_sync(|| {
        made = true;
        Ok::<_, &str>(())
    });
    assert!(matches!(answer, Err(CallError::Rejected(_))) && !made);
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.succeeded, ledger.failed, ledger.rejected), (1, 3, 1));
}

#[tokio::test]
async fn a_judge_decides_over_ok_and_err_alike() {
    let circuit = circuit(THREE);
    let not_found = |result: &Result<u16, &str>| match result {
        Ok(404) | Err("cancelled") => Outcome::Ignored,
        Ok(500..) | Err(_) => Outcome::failure(),
        Ok(_) => Outcome::Success,
    };
    for status in [200, 404, 500] {
        assert_eq!(circuit.call_with(async { Ok(status) }, not_found).await, Ok(status), "the answer goes on");
    }
    assert!(circuit.call_sync_with(|| Err("cancelled"), not_found).is_err());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.succeeded, ledger.ignored, ledger.failed), (1, 2, 1));
}

/// A 404 comes from somebody who is there; an error that is ignored may come from nobody.
#[test]
fn an_ignored_answer_is_a_sign_of_life_and_an_ignored_error_is_none() {
    let circuit = circuit(THREE.initial_state(State::HalfOpen));
    for _ in 0..5 {
        assert!(circuit.call_sync_with(|| Err::<(), _>("not sent"), |_| Outcome::Ignored).is_err());
    }
    assert_eq!(circuit.state(), State::HalfOpen);
    for _ in 0..3 {
        assert!(circuit.call_sync_with(|| Ok::<_, &str>(404), |_| Outcome::Ignored).is_ok());
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_neutral() {
    let circuit = circuit(THREE);
    for _ in 0..5 {
        let call = circuit.call(async {
            sleep(60 * SECOND).await;
            Ok::<_, &str>(())
        });
        assert!(timeout(30 * SECOND, call).await.is_err());
    }
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.ledger.cancelled, snapshot.ledger.failed), (State::Closed, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_at_the_configured_age_is_a_failure_and_not_before() {
    let circuit = circuit(THREE.cancelled_after(CancelledAfter::After(SECOND)));
    for (age, failed) in [(SECOND - std::time::Duration::from_nanos(1), 0), (SECOND, 1)] {
        let permit = acquire(&circuit);
        advance(age).await;
        drop(permit);
        assert_eq!(circuit.snapshot().ledger.failed, failed, "dropped after {age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_is_that_of_a_slow_call_if_none_is_set() {
    let circuit = circuit(THREE.slow_calls(SlowCalls::new(SECOND)));
    let permit = acquire(&circuit);
    advance(SECOND).await;
    drop(permit);
    assert_eq!(circuit.snapshot().ledger.failed, 1);
}

#[tokio::test]
async fn a_panic_in_a_call_is_a_failure_and_goes_on_to_the_caller() {
    let circuit = circuit(THREE);
    let call =
        AssertUnwindSafe(circuit.call(async { if true { panic!("as it was told") } else { Ok::<(), &str>(()) } }));
    assert!(call.catch_unwind().await.is_err());
    let blocking = AssertUnwindSafe(|| circuit.call_sync(|| -> Result<(), &str> { panic!("as it was told") }));
    assert!(catch_unwind(blocking).is_err());
    let judging = AssertUnwindSafe(|| circuit.call_sync_with(|| Ok::<_, &str>(()), |_| panic!("as it was told")));
    assert!(catch_unwind(judging).is_err());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.cancelled, circuit.state()), (3, 0, State::Open));
}

#[test]
fn a_permit_that_a_panic_drops_is_a_failure() {
    let circuit = circuit(THREE);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _permit = acquire(&circuit);
        panic!("as it was told");
    }));
    assert!(outcome.is_err());
    assert_eq!(circuit.snapshot().ledger.failed, 1);
}

/// A destructor that makes a call of its own while the thread unwinds has not failed.
#[test]
fn a_permit_that_is_taken_and_dropped_during_a_panic_is_neutral() {
    struct Cleanup(Circuit);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(self.0.try_acquire());
        }
    }
    let circuit = circuit(THREE);
    let cleanup = AssertUnwindSafe(Cleanup(circuit.clone()));
    let outcome = catch_unwind(move || {
        let _cleanup = cleanup;
        panic!("as it was told");
    });
    assert!(outcome.is_err());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.cancelled), (0, 1));
}

#[test]
fn a_check_counts_nothing_and_takes_nothing() {
    let circuit = circuit(THREE.initial_state(State::HalfOpen));
    for _ in 0..10 {
        assert!(circuit.check().is_ok(), "a look takes the only probe");
    }
    let probe = acquire(&circuit);
    assert!(probe.is_probe() && circuit.check().is_err());
    drop(probe);
    circuit.force_open();
    let before = circuit.snapshot().ledger;
    assert_eq!(circuit.check().unwrap_err().reason(), RejectReason::Forced);
    assert_eq!(circuit.snapshot().ledger, before);
}

#[test]
fn only_probes_say_that_they_are() {
    let circuit = circuit(THREE);
    assert!(!acquire(&circuit).is_probe());
    circuit.metrics_only();
    trip(&circuit);
    assert!(!acquire(&circuit).is_probe(), "a call that passes only because nothing is enforced is no probe");
}

#[test]
fn a_clone_is_the_same_circuit() {
    let circuit = circuit(THREE);
    let clone = circuit.clone();
    record(&clone, Outcome::failure(), 3);
    assert_eq!((circuit.state(), circuit.name()), (State::Open, "test"));
}

#[test]
fn a_heavy_failure_counts_as_several() {
    let circuit = circuit(THREE);
    let heavy = tower_breaker::Failure::new().weight(Weight::new(3.0).unwrap());
    acquire(&circuit).record(heavy);
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(circuit.snapshot().ledger.failed, 1, "and is still one call");
}

#[tokio::test(start_paused = true)]
async fn errors_say_who_why_and_when_and_are_found_in_a_chain() {
    let circuit = circuit(THREE);
    trip(&circuit);
    let error: CallError<std::io::Error> = circuit.call_sync(|| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "the call was not made", "no more than its source does not say");
    assert_eq!(error.source().unwrap().to_string(), "circuit `test` is open, retry after 1.0s");
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    let rejected = Rejected::find(&*boxed).expect("through the call's own error");
    assert_eq!((rejected.circuit(), rejected.reason()), ("test", RejectReason::Open));
}

#[test]
fn the_error_of_a_failed_call_is_found_in_its_chain() {
    let circuit = circuit(THREE);
    let refused = || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    let error: Box<dyn Error> = circuit.call_sync(refused).unwrap_err().into();
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused));
    assert!(Rejected::find(&*error).is_none());
}

/// A future that borrows, is not `Send`, and is used where it stands.
#[tokio::test]
async fn a_call_may_borrow_and_need_not_be_send() {
    let circuit = circuit(THREE);
    let text = String::from("local");
    let local = std::rc::Rc::new(&text);
    let length = circuit.call(async { Ok::<_, &str>(local.len()) }).await;
    assert_eq!(length, Ok(5));
}

/// A handler that calls two dependencies at once and panics between them says nothing about either.
#[tokio::test]
async fn a_panic_of_a_neighbour_in_the_same_task_is_no_failure_of_the_call() {
    let circuit = circuit(THREE);
    let task = tokio::spawn({
        let circuit = circuit.clone();
        async move {
            let hanging = circuit.call(std::future::pending::<Result<(), ()>>());
            let panicking = async {
                tokio::task::yield_now().await;
                panic!("a mistake of the caller");
            };
            futures_util::future::join(hanging, panicking).await
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.failed, ledger.cancelled), (0, 1));
}
