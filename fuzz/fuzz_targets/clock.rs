//! Any clock: forwards, backwards, standing still, a month at once, another time with each look at it.
//!
//! Nothing panics; a circuit is open for no longer than its settings say, by the clock that it was given; and once the
//! clock goes on as clocks do, it closes within the bound plus the time by which the clock had been ahead.

#![no_main]

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tower_breaker::{
    Config, Instant, Mode, Outcome, State,
    machine::{Event, RejectReason},
};
use tower_breaker_fuzz::{
    draw::{self, Bytes, one_of, within},
    good,
    heal::{LATEST, Limits, Past, heal},
    op,
    restless::{Heart, Pure, Restless, Shared},
};

#[derive(Debug)]
struct Input {
    config: Config,
    start: Instant,
    pace: u8,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    /// What the clock shows meanwhile, from one look at it to the next.
    readings: Vec<Reading>,
    does: Does,
}

#[derive(Clone, Copy, Debug)]
enum Reading {
    At(Instant),
    Back(Duration),
    On(Duration),
}

#[derive(Debug)]
enum Does {
    Begin,
    Call(Outcome),
    End(u8, Option<Outcome>),
    Look,
    Mode(Mode),
    Reconfigure(Box<Config>),
    Reset,
}

const MOST: usize = 100;
const MONTH: Duration = Duration::from_secs(30 * 86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const MODES: [Mode; 6] =
    [Mode::Auto, Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly];

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (config, pace) = (good::config(u)?, u8::arbitrary(u)?);
        let start = if bool::arbitrary(u)? { Instant::ZERO } else { Instant::from_nanos(u64::arbitrary(u)?) };
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < MOST {
            steps.push(Step::arbitrary(u)?);
        }
        Ok(Self { config, start, pace, steps })
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let looks = one_of(u, &[0, 1, 1, 1, 1, 2, 3, 4])?;
        let readings = (0..looks).map(|_| reading(u)).collect::<Result<_>>()?;
        let does = match within(u, 0, 31)? {
            0..=9 => Does::Begin,
            10..=15 => Does::Call(op::outcome(u)?),
            16..=26 => Does::End(u8::arbitrary(u)?, draw::maybe(u, op::outcome)?),
            27 => Does::Reset,
            28 => Does::Mode(one_of(u, &MODES)?),
            29 => Does::Reconfigure(Box::new(good::config(u)?)),
            _ => Does::Look,
        };
        Ok(Self { readings, does })
    }
}

fn reading(u: Bytes) -> Result<Reading> {
    Ok(match within(u, 0, 15)? {
        0..=7 => Reading::On(draw::span(u, 40_000)?),
        8 | 9 => Reading::On(Duration::ZERO),
        10 => Reading::On(MONTH),
        11 => Reading::Back(MONTH),
        12 => Reading::Back(HOUR),
        13 | 14 => Reading::Back(draw::span(u, 40_000)?),
        _ => match within(u, 0, 7)? {
            0 => Reading::At(Instant::ZERO),
            1 => Reading::At(Instant::FAR),
            2 => Reading::At(Instant::from_nanos(u64::arbitrary(u)?)),
            _ => Reading::At(Instant::from_nanos(u64::arbitrary(u)? >> 20)),
        },
    })
}

fuzz_target!(|input: Input| {
    play(&input, Pure::new);
    play(&input, Shared::new);
});

fn play<H: Heart>(input: &Input, make: impl FnOnce(Config, Restless) -> H) {
    let clock = Restless::default();
    clock.set(std::iter::once(input.start));
    let mut heart = make(input.config, clock);
    let mut limits = Limits::default();
    limits.add(&input.config);
    let mut past = Past::default();
    let mut opened = input.start;
    let mut began = Vec::new();
    for step in &input.steps {
        let mut at = heart.clock().shown();
        let readings: Vec<_> = step.readings.iter().map(|reading| read(&mut at, *reading)).collect();
        heart.clock().set(readings.into_iter());
        heart.clock().earliest();
        let refusal = match &step.does {
            Does::Begin => heart.begin().map(|()| began.push(at)).err(),
            Does::Call(outcome) => {
                let refusal = heart.begin().err();
                if refusal.is_none() {
                    heart.end(heart.under_way() - 1, Some(*outcome));
                    past.calls += 1;
                }
                refusal
            }
            Does::End(at, outcome) => {
                if heart.under_way() > 0 {
                    let at = usize::from(*at) % heart.under_way();
                    heart.end(at, *outcome);
                    past.calls += 1;
                }
                None
            }
            Does::Look => {
                heart.look();
                None
            }
            Does::Mode(mode) => {
                heart.set_mode(*mode);
                None
            }
            Does::Reconfigure(config) => {
                heart.reconfigure(**config);
                limits.add(config);
                None
            }
            Does::Reset => {
                heart.reset();
                None
            }
        };
        while let Some(event) = heart.next_event() {
            let Event::Transition(transition) = event else { continue };
            if transition.to == State::Open {
                opened = transition.at;
                let wait = transition.retry_after.expect("an open circuit says for how long");
                assert!(wait <= limits.wait, "open for {wait:?}: {limits:?}");
            }
        }
        let Some((reason, wait)) = refusal else { continue };
        past.rejected += 1;
        let (earliest, latest) = (heart.clock().earliest(), heart.clock().latest());
        if reason == RejectReason::Open {
            let until = opened.after(limits.wait);
            assert!(earliest < until, "open until {until:?}, and still at {earliest:?}");
        }
        if reason != RejectReason::Forced {
            let wait = wait.expect("only an operator's wish has no end");
            let most = limits.wait.max(Duration::from_secs(1)) + latest.since(earliest);
            assert!(wait <= most, "come back in {wait:?}, at most {most:?}");
        }
    }
    // The longest call cannot have been longer than the clock's whole way.
    past.longest = heart.clock().latest().since(Instant::ZERO);
    let (now, latest) = (heart.clock().shown(), heart.clock().latest());
    if latest > LATEST {
        return;
    }
    heart.set_mode(Mode::Auto);
    heal(&mut heart, &limits, past, now, latest, limits.pace(input.pace));
}

fn read(at: &mut Instant, reading: Reading) -> Instant {
    *at = match reading {
        Reading::At(instant) => instant,
        Reading::Back(by) => Instant::ZERO.after(at.since(Instant::ZERO.after(by))),
        Reading::On(by) => at.after(by),
    };
    *at
}
