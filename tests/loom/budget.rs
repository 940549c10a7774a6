//! The retry budget: tokens come and go at once, and no token is spent twice.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tower_breaker::{Weight, retry::Budget};

use crate::support::{SECOND, Steps, Time, at_once, bounded, in_full, steps};

/// A budget that may hold two tokens and holds none; each second brings `floor`, each call half a token.
fn empty(floor: f64) -> (Budget, Time) {
    let time = Time::default();
    let builder = Budget::builder().ratio(0.5).floor(floor).reserve(2).clock(time.clone());
    let budget = builder.build().expect("within bounds");
    assert!(budget.withdraw(Weight::ONE) && budget.withdraw(Weight::ONE) && !budget.withdraw(Weight::ONE));
    (budget, time)
}

/// Counts what it is granted.
fn withdraws(budget: &Budget, granted: &Arc<AtomicU64>, times: u64) -> Steps {
    let (budget, granted) = (budget.clone(), Arc::clone(granted));
    steps(move || {
        let taken = (0..times).filter(|_| budget.withdraw(Weight::ONE)).count();
        granted.fetch_add(taken as u64, Ordering::Relaxed);
    })
}

fn left(budget: &Budget) -> u64 {
    (0..10).take_while(|_| budget.withdraw(Weight::ONE)).count() as u64
}

#[test]
fn two_who_want_the_last_token_do_not_both_get_it() {
    in_full(|| {
        let (budget, _time) = empty(0.0);
        (0..2).for_each(|_| budget.deposit());
        let granted = Arc::default();
        at_once([withdraws(&budget, &granted, 1), withdraws(&budget, &granted, 1)]);
        assert_eq!((granted.load(Ordering::Relaxed), left(&budget)), (1, 0));
    });
}

#[test]
fn a_second_that_has_passed_is_paid_once_however_many_ask() {
    in_full(|| {
        let (budget, time) = empty(1.0);
        time.advance(SECOND);
        let granted = Arc::default();
        at_once([withdraws(&budget, &granted, 2), withdraws(&budget, &granted, 1)]);
        assert_eq!(granted.load(Ordering::Relaxed) + left(&budget), 1);
    });
}

#[test]
fn nothing_that_is_put_in_while_others_take_is_lost() {
    bounded(|| {
        let (budget, time) = empty(1.0);
        time.advance(SECOND);
        let granted = Arc::default();
        let puts = budget.clone();
        at_once([
            steps(move || (0..2).for_each(|_| puts.deposit())),
            withdraws(&budget, &granted, 1),
            withdraws(&budget, &granted, 1),
        ]);
        assert_eq!(granted.load(Ordering::Relaxed) + left(&budget), 2);
    });
}
