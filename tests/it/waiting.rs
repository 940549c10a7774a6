//! `until_ready`: woken by whatever lets a call pass, once, and never left asleep.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, mpsc},
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tower_breaker::{
    Circuit, Config, Mode, Outcome, State,
    config::{HalfOpen, Probing, Ramp, Recovery, RecoveryWindow},
};

use crate::support::{SECOND, THREE, acquire, circuit, fake::Caller, manual, trip};

/// No test waits that long in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The caller waits: it is not ready and nobody has woken it.
fn waits<F: Future<Output = ()>>(caller: &Arc<Caller>, future: Pin<&mut F>) {
    let woken = caller.woken();
    assert!(caller.poll(future).is_pending(), "no call can pass");
    assert_eq!(caller.woken(), woken, "it wakes itself: a busy loop");
}

#[test]
fn a_circuit_that_lets_calls_pass_is_not_waited_for() {
    let circuit = circuit(THREE);
    assert!(circuit.until_ready().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "paused time is what is looked at")]
async fn it_ends_when_the_wait_is_over_and_not_before() {
    let circuit = circuit(THREE.probing(Probing::fixed(30 * SECOND)));
    trip(&circuit);
    let begun = Instant::now();
    ready_in_time(&circuit).await;
    let waited = begun.elapsed();
    assert!(waited >= 30 * SECOND && waited < 31 * SECOND, "it waited {waited:?}");
    assert!(acquire(&circuit).is_probe());
}

#[test]
fn it_wakes_when_the_circuit_is_forced_closed() {
    let (circuit, _clock) = manual(THREE);
    trip(&circuit);
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    waits(&caller, ready.as_mut());
    circuit.force_closed();
    assert_eq!(caller.woken(), 1);
    assert!(caller.poll(ready).is_ready());
}

#[test]
fn it_wakes_when_the_circuit_is_reset_or_disabled_or_only_watched() {
    for change in [Circuit::reset, Circuit::disable, Circuit::metrics_only] {
        let (circuit, _clock) = manual(THREE);
        trip(&circuit);
        let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
        waits(&caller, ready.as_mut());
        change(&circuit);
        assert!(caller.woken() == 1 && caller.poll(ready).is_ready());
    }
}

#[test]
fn it_wakes_when_a_force_is_taken_away() {
    let (circuit, clock) = manual(THREE);
    circuit.force_open();
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    waits(&caller, ready.as_mut());
    clock.advance(1_000_000 * SECOND);
    waits(&caller, ready.as_mut());
    circuit.auto();
    assert!(caller.woken() == 1 && caller.poll(ready).is_ready());
}

#[test]
fn it_wakes_when_a_force_ends_by_itself() {
    let (circuit, clock) = manual(THREE);
    circuit.set_mode(Mode::ForcedOpen, Some(60 * SECOND));
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    waits(&caller, ready.as_mut());
    clock.advance(60 * SECOND);
    assert!(caller.woken() == 1 && caller.poll(ready).is_ready());
}

/// The mode stays the same, its end does not.
#[test]
fn it_wakes_when_a_force_that_was_for_good_gets_an_end() {
    let (circuit, clock) = manual(THREE);
    circuit.force_open();
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    waits(&caller, ready.as_mut());
    circuit.set_mode(Mode::ForcedOpen, Some(60 * SECOND));
    if caller.woken() > 0 {
        assert!(caller.poll(ready.as_mut()).is_pending(), "it is still forced open");
    }
    clock.advance(60 * SECOND);
    assert!(caller.woken() > 0, "the force has ended, calls pass, and the caller sleeps for ever");
    assert!(caller.poll(ready).is_ready());
}

#[test]
fn it_wakes_when_the_settings_make_room() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen));
    let _probe = acquire(&circuit);
    let two = HalfOpen::new().max_concurrent_probes(2).success_threshold(2);
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    assert!(caller.poll(ready.as_mut()).is_pending());
    circuit.reconfigure(THREE.half_open(two)).unwrap();
    assert!(caller.woken() > 0 && caller.poll(ready).is_ready());
}

/// Each attempt counts towards the share; who waited for the share to be there would wait for others to be rejected.
#[test]
fn a_ramp_is_not_waited_for() {
    let (circuit, _clock) = manual(THREE.recovery(Recovery::Ramp(Ramp::new())).initial_state(State::Recovering));
    let mut passed = 0;
    for _ in 0..1_000 {
        circuit.until_ready().now_or_never().expect("at once");
        passed += usize::from(circuit.try_acquire().is_ok());
    }
    assert!(passed.abs_diff(50) <= 1, "{passed} of 1,000 calls at 5 %");
}

/// Here a call that ends makes room.
#[test]
fn a_recovery_window_is_waited_for() {
    let recovering = THREE.recovery(Recovery::Window(RecoveryWindow::new())).initial_state(State::Recovering);
    let (circuit, _clock) = manual(recovering);
    let mut calls: Vec<_> = std::iter::from_fn(|| circuit.try_acquire().ok()).take(1_000).collect();
    assert!(calls.len() < 1_000, "it is a window");
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    assert!(caller.poll(ready.as_mut()).is_pending());
    calls.pop().expect("a call under way").record(Outcome::Success);
    assert!(caller.woken() > 0 && caller.poll(ready).is_ready());
}

#[test]
fn it_wakes_when_a_probe_gives_its_slot_back() {
    let (circuit, _clock) = manual(THREE.initial_state(State::HalfOpen));
    let probe = acquire(&circuit);
    let (caller, mut ready) = (Caller::new(), pin!(circuit.until_ready()));
    assert!(caller.poll(ready.as_mut()).is_pending());
    drop(probe);
    assert!(caller.woken() > 0 && caller.poll(ready).is_ready());
}

/// Waits, in paused time, for as long as a dependency may hang and not longer.
async fn ready_in_time(circuit: &Circuit) {
    let wait = timeout(300 * SECOND, circuit.until_ready()).await;
    assert!(wait.is_ok(), "the dependency has been well for minutes, and still {}", circuit.explain());
}

/// A probe that hangs, and everybody asks nicely: nobody calls `try_acquire` while it would be in vain.
#[tokio::test(start_paused = true)]
async fn callers_that_all_wait_are_not_stuck_behind_probes_that_hang() {
    let half_open = HalfOpen::new().probe_timeout(30 * SECOND).max_wait(60 * SECOND);
    let circuit = circuit(THREE.half_open(half_open));
    trip(&circuit);
    let mut hung = Vec::new();
    for _ in 0..2 {
        ready_in_time(&circuit).await;
        hung.push(acquire(&circuit));
    }
    ready_in_time(&circuit).await;
    acquire(&circuit).record(Outcome::Success);
    assert_eq!(circuit.state(), State::Closed);
}

/// The same in the recovery: calls whose lease is over make it fall.
#[tokio::test(start_paused = true)]
async fn callers_that_all_wait_are_not_stuck_behind_a_recovery_that_hangs() {
    let circuit = circuit(THREE.recovery(Recovery::Window(RecoveryWindow::new().tolerance(1))));
    trip(&circuit);
    ready_in_time(&circuit).await;
    acquire(&circuit).record(Outcome::Success);
    let _hung = [acquire(&circuit), acquire(&circuit)];
    ready_in_time(&circuit).await;
}

#[tokio::test(start_paused = true)]
async fn of_many_that_wait_all_pass_in_the_end_and_only_one_as_the_probe() {
    let circuit = circuit(THREE);
    trip(&circuit);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let circuit = circuit.clone();
            tokio::spawn(async move {
                loop {
                    circuit.until_ready().await;
                    if let Ok(permit) = circuit.try_acquire() {
                        tokio::time::sleep(SECOND / 10).await;
                        let probe = permit.is_probe();
                        permit.record(Outcome::Success);
                        return probe;
                    }
                }
            })
        })
        .collect();
    let mut probes = 0;
    for caller in callers {
        probes += usize::from(timeout(60 * SECOND, caller).await.expect("nobody is left asleep").unwrap());
    }
    assert_eq!(probes, 1);
}

#[test]
fn a_caller_that_leaves_is_forgotten() {
    let (circuit, _clock) = manual(THREE);
    circuit.force_open();
    let caller = Caller::new();
    {
        let mut ready = Box::pin(circuit.until_ready());
        waits(&caller, ready.as_mut());
    }
    assert_eq!(Arc::strong_count(&caller), 1, "the circuit keeps the waker of a caller that has left");
    circuit.auto();
    assert_eq!(caller.woken(), 0);
}

#[test]
fn it_can_be_given_up_and_begun_again() {
    let (circuit, clock) = manual(THREE);
    trip(&circuit);
    for _ in 0..10 {
        let (caller, ready) = (Caller::new(), pin!(circuit.until_ready()));
        waits(&caller, ready);
        clock.advance(SECOND / 10);
    }
    assert!(circuit.until_ready().now_or_never().is_some());
}

/// A waker whose drop runs code of its owner: here it gives up another wait for the same circuit, as an executor does
/// whose wakers are what keeps a task alive.
struct Owner(
    #[expect(dead_code, reason = "it is there to be dropped")] Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

/// No code of the user runs under a lock, and the drop of a waker is code of the user.
#[test]
fn a_waker_that_is_replaced_is_not_dropped_under_a_lock() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let (circuit, _clock) = manual(THREE);
        circuit.force_open();
        let second = circuit.clone();
        let mut other: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move { second.until_ready().await });
        assert!(Caller::new().poll(other.as_mut()).is_pending());
        let owner = Waker::from(Arc::new(Owner(Mutex::new(Some(other)))));
        let mut ready = pin!(circuit.until_ready());
        assert!(ready.as_mut().poll(&mut Context::from_waker(&owner)).is_pending());
        drop(owner);
        assert!(Caller::new().poll(ready).is_pending());
        let _ = done.send(());
    });
    assert!(is_done.recv_timeout(PATIENCE / 4).is_ok(), "a deadlock: the old waker was dropped under the lock");
}

/// A thread that waits for the circuit by parking.
struct Parked(thread::Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn no_wake_up_is_lost_among_threads() {
    let (circuit, _clock) = manual(Config::without_rules());
    circuit.force_open();
    let (done, is_done) = mpsc::channel();
    const ROUNDS: usize = 300;
    for _ in 0..4 {
        let (circuit, done) = (circuit.clone(), done.clone());
        thread::spawn(move || {
            let waker = Waker::from(Arc::new(Parked(thread::current())));
            for _ in 0..ROUNDS {
                let mut ready = pin!(circuit.until_ready());
                while ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    thread::park();
                }
                circuit.force_open();
            }
            let _ = done.send(());
        });
    }
    // Each opening is taken away as soon as it is seen; who sleeps through one sleeps for ever.
    let mut finished = 0;
    let mut rounds = 0;
    while finished < 4 {
        if circuit.mode() == Mode::ForcedOpen {
            circuit.auto();
            rounds = 0;
        }
        finished += is_done.try_iter().count();
        rounds += 1;
        assert!(rounds < 20_000_000, "a caller sleeps while calls pass");
        thread::yield_now();
    }
    assert_eq!(circuit.snapshot().ledger.rejected, 0, "waiting counts nothing");
}
