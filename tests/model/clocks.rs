//! P22, P59: a clock that stands still, jumps by months or to the end of time, or goes back: nothing panics, and nobody
//! waits longer than the settings say and the clock went back.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, TestRunner},
};
use tower_breaker::{
    Instant, Mode, Outcome, State,
    config::{Jitter, Probing},
    machine::Machine,
};

use crate::settings::{self, Dice};

/// Where the clock goes next.
fn jump(dice: &mut Dice, now: Instant) -> Instant {
    let hour = Duration::from_secs(3_600);
    let back = |by: Duration| Instant::ZERO.after(now.since(Instant::ZERO.after(by)));
    let (small, month) = (dice.time(hour / 60), 30 * 24 * hour);
    let anywhere = dice.roll(0, u64::MAX >> 17) << 16;
    let ends =
        dice.of(&[Instant::ZERO, Instant::FAR, Instant::from_nanos(u64::MAX - 1), Instant::from_nanos(anywhere)]);
    dice.of(&[now, now, now.after(small), now.after(small), now.after(month), back(hour), back(small), ends])
}

#[test]
fn whatever_the_clock_does_nothing_panics_and_no_wait_is_longer_than_it_may_be() {
    let cases = crate::cases();
    let mut runner = TestRunner::new(Runner { cases, failure_persistence: None, ..Runner::default() });
    let traces = (any::<u64>(), vec(any::<u64>(), 1..80));
    let told = runner.run(&traces, |(seed, steps)| {
        let config = settings::config(&mut Dice::new(seed));
        let longest = match config.probing {
            Probing::Backoff { max, jitter: Jitter::Spread(share), .. } => max.mul_f64(1.0 + share),
            Probing::Backoff { max, .. } => max,
            Probing::Fixed { wait, jitter: Jitter::Spread(share) } => wait.mul_f64(1.0 + share),
            Probing::Fixed { wait, .. } => wait,
            Probing::SquareRoot { max, spread, .. } => max.mul_f64(1.0 + spread),
            _ => unreachable!("there are three ways to probe"),
        };
        let longest = longest.max(config.max_retry_after) + Duration::from_nanos(1);
        let mut now = Instant::from_nanos(Dice::new(seed).roll(0, u64::MAX >> 17) << 16);
        let mut latest = now;
        let mut machine = Machine::new("it", config, 1, now).expect("within bounds");
        let mut under_way = Vec::new();
        for number in steps {
            let mut dice = Dice::new(number);
            now = jump(&mut dice, now);
            latest = latest.max(now);
            match dice.roll(0, 9) {
                0..=3 => under_way.extend(machine.admit(now)),
                4..=6 if !under_way.is_empty() => {
                    let outcome = Some(Outcome::failure()).filter(|_| !dice.once_in(5));
                    machine.settle(under_way.swap_remove(0), outcome, now);
                }
                4..=7 => {
                    if let Ok(stamp) = machine.admit(now) {
                        machine.settle(stamp, Some(Outcome::failure()), now);
                    }
                }
                8 => {
                    if let Ok(stamp) = machine.admit(now) {
                        machine.settle(stamp, Some(Outcome::Success), now);
                    }
                }
                _ => machine.set_mode(dice.of(&[Mode::Auto, Mode::MetricsOnly]), Some(now.after(longest)), now),
            }
            let seen = machine.snapshot(now);
            prop_assert!(!seen.explain().is_empty());
            if let (State::Open, Some(wait)) = (seen.state, seen.retry_after) {
                let back = latest.since(now);
                prop_assert!(wait <= longest.saturating_add(back), "{wait:?} at {now:?}: {config:#?}");
            }
        }
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
}
