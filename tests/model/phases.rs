//! What a phase inherits from those before it: nothing. And how much of an outage gets through.

use std::{cell::Cell, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, TestRunner},
};
use tower_breaker::{
    Config, Instant, Mode, Outcome, State,
    config::{Consecutive, Evidence, FailureCount, FailureRate, Jitter, Probing, Recovery, Window},
    machine::{Machine, RejectReason, Rejection},
};

use crate::{
    op::Op,
    reference::{Fail, What},
    settings::{self, Dice},
};

const SECOND: Duration = Duration::from_secs(1);

fn runner() -> TestRunner {
    TestRunner::new(Runner {
        cases: crate::cases(),
        failure_persistence: None,
        max_global_rejects: u32::MAX,
        ..Runner::default()
    })
}

/// Settings without a random wait, and without what is meant to outlive a phase: the usual traffic and latency, which
/// the recovery window and the square root look at.
fn plain(dice: &mut Dice) -> Config {
    let mut config = settings::config(dice).initial_state(State::Closed);
    if matches!(config.recovery, Recovery::Window(_)) {
        config.recovery = Recovery::Probes;
    }
    config.probing = Probing::fixed(dice.time(5 * SECOND).max(Duration::from_millis(1)));
    config
}

/// What can be seen of an answer and of the state after it.
type Told = (Option<(RejectReason, Option<Duration>)>, State, Option<Duration>, u64, u64, u32);

/// Drives a machine; what it told.
fn drive(machine: &mut Machine, start: Instant, ops: &[u64]) -> (Instant, Vec<Told>) {
    let (mut now, mut under_way, mut told) = (start, Vec::new(), Vec::new());
    for number in ops {
        let mut refused = None;
        let mut call = |machine: &mut Machine, now| match machine.admit(now) {
            Ok(stamp) => Some(stamp),
            Err(rejection) => {
                refused = Some(rejection);
                None
            }
        };
        match Op::drawn(*number) {
            Op::Advance(by) => now = now.after(by),
            Op::AdvanceUntilDue { .. } if machine.state() == State::Recovering => now = now.after(SECOND),
            Op::AdvanceUntilDue { .. } => now = now.after(machine.snapshot(now).retry_after.unwrap_or_default()),
            Op::Begin => under_way.extend(call(machine, now)),
            Op::End(at, what) if !under_way.is_empty() => {
                let stamp = under_way.remove(at % under_way.len());
                machine.settle(stamp, what.map(What::outcome), now);
            }
            Op::Lasting(by, what) => {
                let stamp = call(machine, now);
                now = now.after(by);
                stamp.into_iter().for_each(|stamp| machine.settle(stamp, Some(what.outcome()), now));
            }
            Op::Many(times, what) => {
                for _ in 0..times {
                    let stamp = call(machine, now);
                    stamp.into_iter().for_each(|stamp| machine.settle(stamp, Some(what.outcome()), now));
                }
            }
            Op::Back(_) | Op::End(..) | Op::Mode(..) | Op::Reconfigure(_) | Op::Reset => {}
        }
        let seen = machine.snapshot(now);
        // The usual latency is meant to be remembered, and is all that a recovery says about when to come back.
        let recovering = seen.state == State::Recovering;
        let wait = |refused: Rejection| refused.retry_after.filter(|_| refused.reason != RejectReason::Recovering);
        let refused = refused.map(|refused| (refused.reason, wait(refused)));
        told.push((
            refused,
            seen.state,
            seen.retry_after.filter(|_| !recovering),
            seen.window.calls,
            seen.window.slow,
            seen.in_flight,
        ));
    }
    (now, told)
}

/// P3. Two circuits with different histories, both closed at the same instant: by a reset, by an operator, or by the
/// probes themselves. From then on they cannot be told apart, nor from a new one.
#[test]
fn a_closed_phase_begins_like_a_new_circuit() {
    let traces = (any::<u64>(), vec(any::<u64>(), 0..60), vec(any::<u64>(), 1..40), 0..3u8);
    let by_itself = Cell::new(0);
    let told = runner().run(&traces, |(seed, before, after, way)| {
        let config = plain(&mut Dice::new(seed));
        let begin = Instant::ZERO.after(SECOND);
        let mut used = Machine::new("it", config, 1, begin).expect("within bounds");
        let (mut now, _) = drive(&mut used, begin, &before);
        match way {
            0 => used.reset(now),
            1 if used.state() != State::Closed => {
                used.set_mode(Mode::ForcedClosed, None, now);
                used.set_mode(Mode::Auto, None, now);
            }
            _ => {
                let epoch = used.snapshot(now).epoch;
                let mut tripped = false;
                for _ in 0..100 {
                    if used.state() == State::Closed && used.snapshot(now).epoch > epoch {
                        by_itself.set(by_itself.get() + 1);
                        break;
                    }
                    now = now.after(SECOND);
                    if let Ok(stamp) = used.admit(now) {
                        let opens = used.state() == State::Closed && !tripped;
                        tripped |= opens;
                        // A call that finds the circuit closed again must leave no trace in it.
                        let outcome = match (opens, used.state()) {
                            (true, _) => What::Failure(Fail { tripping: true, ..Fail::PLAIN }).outcome(),
                            (false, State::Closed) => Outcome::Ignored,
                            (false, _) => Outcome::Success,
                        };
                        used.settle(stamp, Some(outcome), now);
                    }
                }
                prop_assume!(used.state() == State::Closed);
            }
        }
        // Buckets are cut from the beginning of the circuit, so the new one begins when the used one did.
        let mut new = Machine::new("it", config, 1, begin).expect("within bounds");
        new.reset(now);
        // The first call of a circuit is timed to learn what is usual, which is never asked for here.
        let (_, of_used) = drive(&mut used, now, &after);
        let (_, of_new) = drive(&mut new, now, &after);
        let parted = of_used.iter().zip(&of_new).position(|(used, new)| used != new);
        let told = parted.map(|at| (Op::drawn(after[at]), of_used[at], of_new[at]));
        let ops: Vec<Op> = after.iter().map(|number| Op::drawn(*number)).collect();
        prop_assert!(told.is_none(), "{told:?} in {ops:?} with {config:#?}");
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
    let by_itself = by_itself.get();
    println!("{by_itself} closed by themselves");
    assert!(crate::cases() < 10_000 || by_itself >= 1_000, "only {by_itself} closed by themselves");
}

/// P4. When everything fails from some instant on, no more failures get through than the rule asks for and were under
/// way; after that one for each probe.
#[test]
fn no_more_failures_get_through_than_the_threshold_and_what_is_under_way() {
    let cases = (any::<u64>(), 0..30u32, 1..20u32, 0..4u8);
    let told = runner().run(&cases, |(seed, under_way, threshold, rule)| {
        let mut dice = Dice::new(seed);
        let now = Instant::ZERO.after(SECOND);
        let base = Config::without_rules().probing(Probing::fixed(SECOND)).recovery(Recovery::Probes);
        let config = match rule {
            0 => base.consecutive_failures(Consecutive::new(threshold)),
            1 => base.failure_count(FailureCount::new(threshold, 10 * SECOND)),
            2 => base.failure_rate(FailureRate::new(1.0).minimum_calls(threshold).window(Window::count(threshold))),
            // With no persistence, at a second's traffic of at most fifty calls: the published threshold.
            _ => base.evidence(Evidence::new().floor(threshold).persistence(Duration::ZERO)),
        };
        let mut machine = Machine::new("it", config, 1, now).expect("within bounds");
        // ln(51 · 200) / 1.128 = 8.2 net failures convince at 50 calls a second.
        let needed = if rule == 3 { threshold.max(9) } else { threshold };
        let waiting: Vec<_> = (0..under_way).map(|_| machine.admit(now).expect("closed")).collect();
        let mut failures = 0;
        let mut now = now;
        while let Ok(stamp) = machine.admit(now) {
            now = now.after(Duration::from_micros(dice.roll(0, 5)));
            machine.settle(stamp, Some(Outcome::failure()), now);
            failures += 1;
            prop_assert!(failures <= needed, "{failures} failures before the trip, {needed} should do: {config:?}");
        }
        prop_assert!(rule == 3 || failures == needed, "{failures} failures tripped it, not {needed}");
        prop_assert_eq!(machine.state(), State::Open);
        let opened = machine.snapshot(now).retry_after;
        let ledger = machine.snapshot(now).ledger;
        waiting.into_iter().for_each(|stamp| machine.settle(stamp, Some(Outcome::failure()), now));
        let late = machine.snapshot(now).ledger.late - ledger.late;
        prop_assert_eq!(late, u64::from(under_way), "what was under way is late");
        prop_assert_eq!(machine.snapshot(now).retry_after, opened, "and prolongs nothing");
        // A hundred seconds of an outage, ten calls a second: one failure a second.
        let mut through = 0u64;
        for _ in 0..1_000 {
            now = now.after(Duration::from_millis(100));
            if let Ok(stamp) = machine.admit(now) {
                machine.settle(stamp, Some(Outcome::failure()), now);
                through += 1;
            }
        }
        prop_assert_eq!(through, 100);
        prop_assert_eq!(machine.snapshot(now).ledger.ended(), u64::from(failures + under_way) + 100);
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
}

/// P14, P9. `s` successes close it and one failure opens it, however many are let in at once; never more than that.
#[test]
fn probes_are_as_many_as_are_allowed_and_needed() {
    let cases = (1..6u32, 1..6u32, vec(0..8u8, 1..40));
    let told = runner().run(&cases, |(successes, concurrent, answers)| {
        let half_open = tower_breaker::config::HalfOpen::new()
            .success_threshold(successes)
            .max_concurrent_probes(concurrent)
            .ignored_as_alive(0);
        let jitter = Jitter::None;
        let config = Config::without_rules()
            .probing(Probing::Fixed { wait: SECOND, jitter })
            .half_open(half_open)
            .recovery(Recovery::Probes)
            .initial_state(State::HalfOpen);
        let now = Instant::ZERO;
        let mut machine = Machine::new("it", config, 1, now).expect("within bounds");
        let (mut under_way, mut good) = (Vec::new(), 0);
        for answer in answers {
            while let Ok(stamp) = machine.admit(now) {
                prop_assert!(stamp.is_probe());
                under_way.push(stamp);
            }
            let most = concurrent.min(successes - good);
            prop_assert_eq!(under_way.len(), most as usize, "{} of {} have succeeded", good, successes);
            let outcome = match answer {
                0 => Some(Outcome::failure()),
                1 => Some(Outcome::Ignored),
                2 => None,
                _ => Some(Outcome::Success),
            };
            machine.settle(under_way.remove(0), outcome, now);
            good += u32::from(answer > 2);
            let expected = match answer {
                0 => State::Open,
                _ if good == successes => State::Closed,
                _ => State::HalfOpen,
            };
            prop_assert_eq!(machine.state(), expected);
            if expected != State::HalfOpen {
                break;
            }
        }
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
}
