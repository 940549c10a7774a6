//! P23, P24: the closed state over long runs of calls and windows of all sizes.
//!
//! The random traces open soon, so their windows seldom fill; here few calls fail, and windows of 1, 2, 63, 64, 65 and 4,096
//! calls, and of 1 to 64 buckets, fill, slide and expire, through idle days.

use std::{cell::Cell, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, TestRunner},
};
use tower_breaker::{
    Config, State,
    config::{FailureCount, FailureRate, Recovery, SlowCalls, Window},
};

use crate::{
    op::Op,
    reference::{Fail, What},
    settings::Dice,
    traces::Pair,
};

const SECOND: Duration = Duration::from_secs(1);

fn rate(dice: &mut Dice) -> FailureRate {
    let calls = dice.of(&[1, 2, 63, 64, 65, 4_096]);
    let (length, buckets) = (dice.roll(1, 20), dice.of(&[1, 2, 3, 10, 63, 64]));
    let time = Window::time(Duration::from_secs(length)).buckets(buckets);
    let window = dice.of(&[Window::count(calls), time, Window::DEFAULT]);
    let minimum = dice.number(1, 70).min(if let Window::Count { calls } = window { calls } else { 70 });
    FailureRate::new(f64::from(dice.number(5, 60)) / 100.0).minimum_calls(minimum).window(window)
}

fn config(dice: &mut Dice) -> Config {
    let slow = rate(dice);
    let limit = dice.of(&[1, 20]);
    let slow = SlowCalls::new(Duration::from_millis(limit))
        .threshold(slow.threshold)
        .minimum_calls(slow.minimum_calls)
        .window(slow.window);
    let count = FailureCount::new(dice.number(3, 12), dice.time(20 * SECOND).max(SECOND));
    let base = Config::without_rules().recovery(Recovery::Probes);
    let by_rate = base.failure_rate(rate(dice));
    let two = by_rate.burst(rate(dice));
    dice.of(&[by_rate, two, by_rate.slow_calls(slow), base.slow_calls(slow), base.failure_count(count)])
}

fn op(dice: &mut Dice, failing: u64) -> Op {
    let weight = dice.of(&[100, 100, 100, 50, 250]);
    let failure = What::Failure(Fail { hundredths: weight, ..Fail::PLAIN });
    let what = if dice.roll(1, 100) <= failing { failure } else { What::Success };
    match dice.roll(0, 99) {
        0..=9 => Op::Advance(dice.time(2 * SECOND)),
        10 => Op::Advance(dice.of(&[5 * SECOND, 60 * SECOND, 30 * 86_400 * SECOND])),
        11 => Op::Back(dice.time(SECOND)),
        12..=39 => Op::Lasting(dice.time(Duration::from_millis(30)), what),
        _ => Op::Many(1, what),
    }
}

#[test]
fn windows_of_all_sizes_decide_as_the_list_of_all_calls_does() {
    let cases = crate::cases() / 5;
    let mut runner = TestRunner::new(Runner { cases, failure_persistence: None, ..Runner::default() });
    let (opened, full, calls) = (Cell::new(0u64), Cell::new(0u64), Cell::new(0u64));
    let traces = (any::<u64>(), vec(any::<u64>(), 1..500));
    let told = runner.run(&traces, |(seed, ops)| {
        let mut dice = Dice::new(seed);
        let config = config(&mut dice);
        let failing = dice.of(&[2, 10, 30]);
        let mut pair = Pair::new(config);
        let mut most = 0;
        for (at, number) in ops.iter().enumerate() {
            let op = op(&mut Dice::new(*number), failing);
            let told = pair.apply(&op);
            prop_assert!(told.is_ok(), "{at}: {op:?}: {} with {config:#?}", told.unwrap_err());
            most = most.max(pair.machine.snapshot(pair.now).window.calls);
            calls.set(calls.get() + 1);
            if pair.machine.state() != State::Closed {
                opened.set(opened.get() + 1);
                break;
            }
        }
        full.set(full.get() + u64::from(most >= 63));
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
    let (opened, full, calls) = (opened.get(), full.get(), calls.get());
    println!("{calls} steps; {opened} traces opened, {full} had at least 63 calls in the window");
    assert!(cases < 2_000 || (opened >= 500 && full >= 200), "{opened} opened, {full} were full");
}
