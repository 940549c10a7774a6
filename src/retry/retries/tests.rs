//! Attempts, deadline, circuit and budget, with paused time.

use tokio::time::advance;

use super::*;
use crate::{
    config::Config,
    outcome::{Failure, Outcome},
    retry::{Backoff, Spread},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Five attempts, waits of 50 to 100 ms.
const CONFIG: RetryConfig = RetryConfig::new()
    .attempts(5)
    .backoff(Backoff::new(Duration::from_millis(100), Duration::from_millis(100)).spread(Spread::Equal));

fn retries(config: RetryConfig) -> Retries {
    Retries::builder().config(config).seed(7).build().expect("within bounds")
}

fn circuit(config: Config) -> Circuit {
    Circuit::builder("test").config(config).build().expect("within bounds")
}

/// Asks until there is no leave, without waiting, and returns the waits.
fn all(call: &mut Retries) -> Vec<Duration> {
    std::iter::from_fn(|| call.again(Cause::Failed, None)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_no_more_attempts_than_it_may() {
    let retries = retries(CONFIG);
    let mut call = retries.begin();
    assert_eq!((all(&mut call).len(), call.attempts()), (4, 5));
    assert_eq!(retries.begin().attempts(), 1, "the next call begins anew");
    let once = Retries::builder().config(CONFIG.attempts(1)).build().expect("within bounds");
    assert!(all(&mut once.begin()).is_empty());
}

/// tower 0.5.3 gives every clone the same.
#[tokio::test(start_paused = true)]
async fn every_call_draws_waits_of_its_own_and_a_seed_gives_them_again() {
    let waits = |retries: &Retries| -> Vec<_> { (0..2).map(|_| all(&mut retries.begin())).collect() };
    let a = waits(&retries(CONFIG));
    assert!(a[0].iter().zip(&a[1]).all(|(a, b)| a != b), "{a:?}");
    assert!(a[0].iter().all(|wait| (50 * MS..=100 * MS).contains(wait)), "{a:?}");
    assert_eq!(a, waits(&retries(CONFIG)));
    let clone = retries(CONFIG);
    assert_eq!(vec![all(&mut clone.clone().begin()), all(&mut clone.begin())], a, "clones share the source");
    let unseeded = Retries::builder().config(CONFIG).build().expect("within bounds");
    assert_ne!(waits(&unseeded), a);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_is_a_lower_bound_with_jitter_on_top() {
    let retries = retries(CONFIG.max_retry_after(3 * SECOND));
    for asked in [Duration::ZERO, SECOND, 3 * SECOND] {
        let wait = retries.begin().again(Cause::Failed, Some(asked)).expect("leave");
        assert!((asked + 50 * MS..=asked + 100 * MS).contains(&wait), "{asked:?}: {wait:?}");
    }
    assert_eq!(retries.begin().again(Cause::Failed, Some(3 * SECOND + MS)), None, "more than is borne");
    assert_eq!(retries.begin().again(Cause::Failed, Some(Duration::MAX)), None);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_wait_that_would_come() {
    let retries = retries(CONFIG.deadline(SECOND).attempts(100));
    let mut call = retries.begin();
    assert_eq!(call.again(Cause::Failed, Some(SECOND)), None, "at once, and not after a second");
    advance(900 * MS - MS).await;
    assert!(call.again(Cause::Failed, None).is_some());
    advance(51 * MS).await;
    assert_eq!(call.again(Cause::Failed, None), None);
    assert!(retries.begin().again(Cause::Failed, None).is_some(), "the next call has its own");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_asked_last_and_a_timeout_costs_more() {
    let budget = |reserve| Budget::builder().ratio(0.0).floor(0.0).reserve(reserve).build().expect("within bounds");
    let four = budget(4);
    let config = CONFIG.attempts(100).timeout_cost(Weight::new(1.5).expect("a weight"));
    let retries = Retries::builder().config(config).budget(four.clone()).build().expect("within bounds");
    let mut call = retries.begin();
    assert_eq!(call.again(Cause::Failed, Some(60 * SECOND)), None);
    assert!((four.balance() - 4.0).abs() < 1e-9, "no leave, no token");
    assert!(call.again(Cause::TimedOut, None).is_some());
    assert!(call.again(Cause::Failed, None).is_some());
    assert!(call.again(Cause::TimedOut, None).is_some());
    assert!(four.balance().abs() < 1e-9);
    assert_eq!(call.again(Cause::Failed, None), None);
    assert_eq!(call.attempts(), 4, "the last was not granted");
}

#[tokio::test(start_paused = true)]
async fn a_call_pays_into_the_budget_once_however_often_it_is_tried() {
    let budget = Budget::builder().ratio(1.0).floor(0.0).reserve(10).build().expect("within bounds");
    (0..10).for_each(|_| assert!(budget.withdraw(Weight::ONE)));
    let retries = Retries::builder().config(CONFIG).budget(budget.clone()).build().expect("within bounds");
    let mut call = retries.begin();
    assert_eq!(all(&mut call).len(), 1, "ten are lent, one is paid in");
    let mut policy = retries;
    policy.next_attempt();
    policy.next_attempt();
    assert!((budget.balance() - 2.0).abs() < 1e-9, "without leave between them they are two calls");
    assert!(policy.again(Cause::Failed, None).is_some());
    policy.next_attempt();
    assert_eq!(policy.attempts(), 2, "with leave it is the same call");
    assert!((budget.balance() - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_not_closed_stops_retries() {
    for state in State::ALL {
        let circuit = circuit(Config::new().initial_state(state));
        let retries = Retries::builder().config(CONFIG).circuit(circuit.clone()).build().expect("within bounds");
        let leave = || retries.begin().again(Cause::Failed, None).is_some();
        assert_eq!(leave(), state == State::Closed, "{state}");
        for (mode, goes_on) in [
            (Mode::ForcedOpen, false),
            (Mode::MetricsOnly, true),
            (Mode::Disabled, true),
            (Mode::Auto, state == State::Closed),
            (Mode::ForcedClosed, true),
        ] {
            circuit.set_mode(mode, None);
            assert_eq!(leave(), goes_on, "{state}, {mode:?}");
            circuit.set_mode(mode, Some(SECOND));
            assert_eq!(leave(), goes_on, "{state}, {mode:?} for a second");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_opens_the_circuit_is_the_last() {
    let circuit = circuit(Config::new());
    let retries = Retries::builder().config(CONFIG).circuit(circuit.clone()).build().expect("within bounds");
    let mut call = retries.begin();
    circuit.try_acquire().expect("closed").record(Outcome::failure());
    assert!(call.again(Cause::Failed, None).is_some());
    circuit.try_acquire().expect("closed").record(Failure::new().tripping());
    assert_eq!(call.again(Cause::Failed, None), None);
}

#[test]
fn numbers_out_of_bounds_are_all_named() {
    let config = RetryConfig::new()
        .attempts(0)
        .backoff(Backoff::new(Duration::ZERO, SECOND))
        .deadline(Duration::ZERO)
        .max_retry_after(Duration::MAX);
    let error = Retries::builder().config(config).build().unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(crate::config::Fault::field).collect();
    assert_eq!(fields, ["attempts", "backoff.base", "deadline", "max_retry_after"]);
    assert!(RetryConfig::new().attempts(101).check().is_err());
    assert_eq!(RetryConfig::default().check(), Ok(()));
}
