//! The budget against a naive one, after long silence, and among threads.

use std::thread;

use super::*;
use crate::{
    rng::Rng,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// A clock that is a plain number.
#[derive(Clone, Debug, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> crate::clock::Sleep {
        Box::pin(std::future::pending())
    }
}

fn budget(ratio: f64, floor: f64, reserve: u32) -> (Budget, Time) {
    let time = Time::default();
    let builder = Budget::builder().ratio(ratio).floor(floor).reserve(reserve);
    (builder.clock(time.clone()).build().expect("within bounds"), time)
}

#[expect(clippy::cast_possible_truncation, reason = "below a number of 32 bits")]
fn below(rng: &mut Rng, end: u32) -> u32 {
    rng.between(0.0, f64::from(end)) as u32
}

fn empty(budget: &Budget) {
    while budget.withdraw(Weight::new(0.01).expect("a weight")) {}
}

/// tower's grants 100 % where 60 % are asked for.
#[test]
fn a_share_is_exact_to_the_thousandth() {
    for thousandths in (0..=10_000_u32).step_by(7).chain([1, 300, 333, 334, 600, 900, 999, 1_000, 1_001]) {
        let (budget, _time) = budget(f64::from(thousandths) / 1_000.0, 0.0, 1_000_000);
        while budget.withdraw(Weight::new(100.0).expect("a weight")) {}
        empty(&budget);
        (0..1_000).for_each(|_| budget.deposit());
        let granted = (0..).take_while(|_| budget.withdraw(Weight::ONE)).count();
        assert_eq!(granted, thousandths as usize, "of 1,000 calls");
    }
}

#[test]
fn the_floor_brings_so_many_a_second_however_often_one_asks() {
    for (floor, steps) in [(0.3, 1_000), (1.0, 7), (1.0, 1), (7.0, 100_000), (333.333, 3_001)] {
        let (budget, time) = budget(0.0, floor, 100_000);
        while budget.withdraw(Weight::new(100.0).expect("a weight")) {}
        empty(&budget);
        let span = 100_000_000_000_u64;
        let mut granted = 0_u32;
        for step in 1..=steps {
            time.set(span / steps * step);
            while budget.withdraw(Weight::ONE) {
                granted += 1;
            }
        }
        let due = floor * 100.0;
        let granted = f64::from(granted);
        assert!(granted <= due && granted > due - 1.01, "{floor} a second, asked {steps} times: {granted} of {due}");
    }
}

#[test]
fn a_year_of_silence_fills_it_once_and_at_once() {
    let (budget, time) = budget(0.2, 1_000_000.0, 10);
    empty(&budget);
    time.set(365 * 24 * 3_600 * 1_000_000_000);
    assert_eq!((0..).take_while(|_| budget.withdraw(Weight::ONE)).count(), 10);
    time.set(u64::MAX);
    assert_eq!((0..).take_while(|_| budget.withdraw(Weight::ONE)).count(), 10);
}

#[test]
fn a_clock_that_steps_back_brings_nothing_and_loses_nothing() {
    let (budget, time) = budget(0.0, 1.0, 10);
    time.set(10_000_000_000);
    empty(&budget);
    time.set(3_000_000_000);
    assert!(!budget.withdraw(Weight::ONE));
    time.set(10_500_000_000);
    assert!(!budget.withdraw(Weight::ONE), "seconds 3 to 10 were paid before");
    time.set(11_000_000_000);
    assert!(budget.withdraw(Weight::ONE));
}

#[test]
fn a_retry_costs_what_it_weighs() {
    let (budget, _time) = budget(0.1, 0.0, 10);
    let timeout = Weight::new(2.5).expect("a weight");
    assert_eq!((0..).take_while(|_| budget.withdraw(timeout)).count(), 4);
    budget.deposit();
    assert!((budget.balance() - 0.1).abs() < 1e-9);
    assert!(!budget.withdraw(Weight::ONE), "it is taken whole or not at all");
    assert!((budget.balance() - 0.1).abs() < 1e-9);
}

#[test]
fn clones_are_the_same_budget() {
    let (budget, _time) = budget(0.2, 0.0, 1);
    assert!(budget.clone().withdraw(Weight::ONE));
    assert!(!budget.withdraw(Weight::ONE));
}

/// The judge adds up what has come, capped; time in whole thousandths is all that the two count differently.
#[test]
fn it_does_what_a_naive_one_does_on_random_traces() {
    let mut rng = Rng::new(7);
    for trace in 0..300 {
        let per_call = f64::from(below(&mut rng, 2_000));
        let per_milli = f64::from(below(&mut rng, 5));
        let reserve = 1 + below(&mut rng, 20);
        let (budget, time) = budget(per_call / 1_000.0, per_milli, reserve);
        let reserve = f64::from(reserve);
        let (mut naive, mut now) = (reserve * 1_000.0, 0_u64);
        for step in 0..400 {
            match below(&mut rng, 4) {
                0 => {
                    let passed = below(&mut rng, 3_000);
                    now += u64::from(passed) * 1_000_000;
                    time.set(now);
                    // `per_milli` tokens a second are as many thousandths a millisecond.
                    naive = (naive + per_milli * f64::from(passed)).min(reserve * 1_000.0);
                }
                1 => {
                    budget.deposit();
                    naive = (naive + per_call).min(reserve * 1_000.0);
                }
                _ => {
                    let weight = rng.between(0.01, 3.0);
                    let cost = (weight * 100.0).round() * 10.0;
                    let leave = naive >= cost;
                    naive -= if leave { cost } else { 0.0 };
                    assert_eq!(
                        budget.withdraw(Weight::new(weight).expect("a weight")),
                        leave,
                        "trace {trace}, step {step}"
                    );
                }
            }
        }
    }
}

#[test]
fn threads_never_take_more_than_there_is_and_leave_nothing_behind() {
    for round in 0..20 {
        let (budget, time) = budget(0.3, 1.0, 5);
        let granted = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (budget, time, granted) = (budget.clone(), time.clone(), &granted);
                scope.spawn(move || {
                    let mut rng = Rng::new(round * 4 + thread);
                    for _ in 0..2_000 {
                        budget.deposit();
                        if thread == 0 {
                            // 2,000 steps of 10 ms are 20 s.
                            time.0.fetch_add(10_000_000, Ordering::SeqCst);
                        }
                        for _ in 0..below(&mut rng, 4) {
                            if budget.withdraw(Weight::ONE) {
                                granted.fetch_add(1, Ordering::SeqCst);
                            }
                            if rng.between(0.0, 1.0) < 0.1 {
                                thread::yield_now();
                            }
                        }
                    }
                });
            }
        });
        let granted = f64::from(u32::try_from(granted.load(Ordering::SeqCst)).expect("few"));
        let come = 5.0 + 8_000.0 * 0.3 + 20.0;
        assert!(granted <= come, "round {round}: {granted} of {come}");
        assert!(granted + budget.balance() > come * 0.9, "round {round}: {granted} of {come}, most was there to take");
    }
}

#[test]
fn numbers_out_of_bounds_are_all_named() {
    let error = Budget::builder().ratio(0.0005).floor(f64::NAN).reserve(0).build().unwrap_err();
    let faults: Vec<_> = error.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "`budget.ratio` is 0.0005, must be in steps of 0.001",
            "`budget.floor` is NaN, must be from 0 to 1000000",
            "`budget.reserve` is 0, must be from 1 to 1000000",
        ]
    );
    for wrong in [-0.001, 10.001, f64::INFINITY] {
        assert!(Budget::builder().ratio(wrong).build().is_err(), "{wrong}");
    }
    assert!(
        Budget::builder().ratio(0.7).floor(0.3).build().is_ok(),
        "0.7 is no binary number, and yet 700 thousandths"
    );
    assert!((Budget::default().balance() - 100.0).abs() < 1e-9);
}
