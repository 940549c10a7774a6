//! Whatever has happened, a healthy dependency that is called now and then gets its circuit closed, within a time that
//! follows from the settings.
//!
//! The bound, with one call every `d` from some instant on, each answered at once and well, whatever still hangs:
//!
//! ```text
//! steps of the clock back + max_wait + lease + wait + (n + 4) · d + 2 · recovery
//! ```
//!
//! The circuit falls at most once more, by what hangs: half-open (after `max_wait` at most) or recovering (after a lease
//! at most). Then it waits once: the longest wait of the probing or of a `Retry-After`. `n` answers settle the half-open
//! phase, each a `d` apart: its successes or probes, times `ignored_as_alive` where all answers are 404. The recovery:
//!
//! - by probes: nothing;
//! - by a ramp: four steps, and the call that ends it;
//! - by a window: a lease (what hangs fills it), an answer for each call of the full window, a probation.

use std::{cell::RefCell, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, TestRunner},
};
use tower_breaker::{
    Config, Instant, Mode, Outcome, State,
    config::{Jitter, ProbeVerdict, Probing, Recovery},
    machine::Machine,
};

use crate::{
    op::Op,
    settings::{self, Dice},
    traces::{Pair, Seen},
};

/// The worst that the settings of a trace allow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worst {
    lease: Duration,
    max_wait: Duration,
    wait: Duration,
    answers: u32,
    /// What a recovery takes beyond its calls.
    recovery: Duration,
    /// The calls of the full window.
    full: f64,
    back: Duration,
}

fn longest_wait(probing: Probing) -> Duration {
    let spread =
        |wait: Duration, jitter| wait.mul_f64(if let Jitter::Spread(share) = jitter { 1.0 + share } else { 1.0 });
    match probing {
        Probing::Backoff { max, jitter, .. } => spread(max, jitter),
        Probing::Fixed { wait, jitter } => spread(wait, jitter),
        Probing::SquareRoot { max, spread, .. } => max.mul_f64(1.0 + spread).max(Duration::from_millis(250)),
        _ => unreachable!("there are three ways to probe"),
    }
}

impl Worst {
    /// With these settings too.
    pub(crate) fn and(mut self, config: &Config, alive: bool) -> Self {
        let half_open = config.half_open;
        let answers = match half_open.verdict {
            ProbeVerdict::Rate { probes, .. } => probes,
            ProbeVerdict::Successes(successes) => successes,
            _ => unreachable!("there are two verdicts"),
        };
        let recovery = match config.recovery {
            Recovery::Ramp(ramp) => 4 * ramp.step,
            Recovery::Window(window) => window.max_probation + half_open.probe_timeout,
            _ => Duration::ZERO,
        };
        let each = if alive { half_open.ignored_as_alive } else { 1 };
        self.lease = self.lease.max(half_open.probe_timeout);
        self.max_wait = self.max_wait.max(half_open.max_wait);
        self.wait = self.wait.max(longest_wait(config.probing)).max(config.max_retry_after);
        self.answers = self.answers.max(answers * each);
        self.recovery = self.recovery.max(recovery);
        self
    }

    pub(crate) fn with_full(self, full: f64) -> Self {
        Self { full, ..self }
    }

    /// Within which time the circuit closes if a call comes every `d` and each takes so many answers to count.
    pub(crate) fn bound(&self, d: Duration, each: u32, window: bool) -> Duration {
        // What hangs and binds the window widens it, but never further than a second's worth ahead of its limit.
        let full = self.full * 1.02 + 2.0;
        let calls = if window { d.mul_f64(full.ceil() * f64::from(each)) } else { Duration::ZERO };
        let recovery = self.recovery + calls + 2 * d;
        self.back + self.max_wait + self.lease + self.wait + (self.answers + 4) * d + 2 * recovery
    }
}

/// One call every `d`, each answered at once, until the circuit is closed: after which time.
pub(crate) fn heal(
    machine: &mut Machine,
    start: Instant,
    d: Duration,
    answer: Outcome,
    bound: Duration,
) -> Result<Duration, String> {
    let mut now = start;
    machine.set_mode(Mode::Auto, None, now);
    while machine.state() != State::Closed {
        if now.since(start) > bound {
            let seen = machine.snapshot(now);
            return Err(format!("after {bound:?} of health, a call each {d:?}, it is not closed: {seen:?}"));
        }
        now = now.after(d);
        if let Ok(stamp) = machine.admit(now) {
            machine.settle(stamp, Some(answer), now);
        }
    }
    Ok(now.since(start))
}

fn history(seed: u64, ops: &[u64], seen: &RefCell<Seen>) -> Result<(), String> {
    let mut dice = Dice::new(seed ^ 0x5eed);
    let config = settings::config(&mut Dice::new(seed));
    let alive = dice.once_in(4);
    let mut pair = Pair::new(config);
    let mut worst = Worst::default().and(&config, alive);
    let mut latest = config;
    let mut any_window = matches!(config.recovery, Recovery::Window(_));
    for number in ops {
        let op = match Op::drawn(*number) {
            // An answer after a month would make a month the usual latency, and the window as wide.
            Op::Advance(by) if by > Duration::from_secs(60) => Op::Advance(Duration::from_secs(20)),
            op => op,
        };
        match op {
            Op::Back(by) => worst.back += by,
            Op::Reconfigure(seed) => {
                latest = settings::config(&mut Dice::new(seed));
                worst = worst.and(&latest, alive);
                any_window |= matches!(latest.recovery, Recovery::Window(_));
            }
            _ => {}
        }
        if pair.apply(&op).is_err() {
            // Another test compares the two; here the reference only tells how wide the window is.
            return Ok(());
        }
    }
    let as_alive = latest.half_open.ignored_as_alive;
    // A recovery keeps the settings with which it began.
    if alive && (as_alive == 0 || ops.iter().any(|number| matches!(Op::drawn(*number), Op::Reconfigure(_)))) {
        return Ok(());
    }
    let (answer, each) = if alive { (Outcome::Ignored, as_alive) } else { (Outcome::Success, 1) };
    worst.full = pair.reference.full_window();
    let d = dice.of(&[10, 300, 1_000, 7_000, 40_000, 3_600_000]);
    let d = Duration::from_millis(d);
    let bound = worst.bound(d, each, any_window);
    let began = pair.machine.state();
    let told = || {
        let ops: Vec<Op> = ops.iter().map(|number| Op::drawn(*number)).collect();
        format!("{config:#?}\n{ops:#?}\n{worst:?}")
    };
    let took = heal(&mut pair.machine, pair.now, d, answer, bound).map_err(|fault| told() + &fault)?;
    let mut seen = seen.borrow_mut();
    let mut saw = |what: String| *seen.entry(what).or_default() += 1;
    let (probing, recovery) = (format!("{:?}", latest.probing), format!("{:?}", latest.recovery));
    if began != State::Closed {
        let kind = |text: &str| text.split([' ', '(']).next().unwrap().to_owned();
        saw(format!("{began} {}", kind(&recovery)));
        saw(kind(&probing));
        saw(if alive { "404".into() } else { "200".into() });
        saw(format!("every {d:?}"));
    }
    let share = took.as_secs_f64() / bound.as_secs_f64();
    saw(format!("took {:.0} tenths of the bound", (share * 10.0).floor()));
    Ok(())
}

#[test]
fn after_any_history_health_closes_the_circuit_in_time() {
    let cases = crate::cases();
    let mut runner =
        TestRunner::new(Runner { cases, failure_persistence: None, max_shrink_iters: 500, ..Runner::default() });
    let seen = RefCell::new(Seen::new());
    let histories = (any::<u64>(), vec(any::<u64>(), 1..60));
    let told = runner.run(&histories, |(seed, ops)| history(seed, &ops, &seen).map_err(TestCaseError::fail));
    if let Err(fault) = told {
        panic!("{fault}");
    }
    let seen = seen.into_inner();
    seen.iter().for_each(|(what, times)| println!("{times:>8} {what}"));
    let kinds = ["open", "half_open", "recovering"]
        .into_iter()
        .flat_map(|state| ["Probes", "Ramp", "Window"].into_iter().map(move |recovery| format!("{state} {recovery}")));
    let more = ["Backoff", "Fixed", "SquareRoot", "404", "200", "every 10ms", "every 3600s"];
    // A circuit that closes by its probes alone recovers only where other settings came meanwhile.
    let kinds = kinds.filter(|kind| kind != "recovering Probes").chain(more.into_iter().map(Into::into));
    let rare: Vec<_> = kinds.filter(|kind| seen.get(kind).copied().unwrap_or(0) < 100).collect();
    assert!(cases < 10_000 || rare.is_empty(), "too rarely met: {rare:?}");
}
