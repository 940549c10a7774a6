//! Any numbers as settings: refused with field, value and bound, or a circuit that runs.

#![no_main]

use std::{collections::BTreeSet, time::Duration};

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tower_breaker::{Circuit, Config, ConfigError, Instant, clock::ManualClock, machine::Machine};
use tower_breaker_fuzz::{
    bounds, good,
    op::{Op, ops},
    play::Play,
    raw,
};

#[derive(Debug)]
struct Input {
    config: Config,
    /// What runs while `config` is refused.
    good: Config,
    pace: u8,
    jumps: [Duration; 2],
    ops: Vec<Op>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (config, good) = (raw::config(u)?, good::config(u)?);
        let jumps = [raw::any_span(u)?, raw::any_span(u)?];
        let mut ops = { (u8::arbitrary(u)?, ops(u)?) };
        ops.1.truncate(40);
        Ok(Self { config, good, pace: ops.0, jumps, ops: ops.1 })
    }
}

fuzz_target!(|input: Input| {
    match input.config.check() {
        Err(error) => refused(&input, &error),
        Ok(()) => accepted(&input),
    }
});

fn refused(input: &Input, error: &ConfigError) {
    let Input { config, good, ops, .. } = input;
    let expected = bounds::faults(config);
    let named: BTreeSet<&str> = error.faults().iter().map(|fault| fault.field()).collect();
    for must in expected.must.difference(&expected.may) {
        assert!(named.contains(must), "`{must}` is out of bounds, and not named: {error}");
    }
    for fault in error.faults() {
        let (field, value) = (fault.field(), fault.value());
        assert!(expected.must.contains(field) || expected.may.contains(field), "{field} is within bounds: {error}");
        assert!(expected.has(field, value), "{field} is not {value}: {error}");
        let text = error.to_string();
        assert!(!fault.bound().is_empty() && text.contains(&fault.to_string()), "{text}");
    }
    assert!(!named.is_empty() && named.len() <= error.faults().len());
    // Nothing takes them, and whoever is asked says the same.
    let clock = ManualClock::new();
    assert_eq!(&Machine::new("it", *config, 0, Instant::ZERO).expect_err("the machine took them"), error);
    assert_eq!(&Circuit::builder("it").config(*config).clock(clock).build().expect_err("the circuit took them"), error);
    let mut play = Play::new(*good);
    for op in ops.iter().take(8) {
        play.step(op);
    }
    play.refuse(*config);
}

fn accepted(input: &Input) {
    let expected = bounds::faults(&input.config);
    assert!(expected.must.is_empty(), "accepted, though out of bounds: {expected:?}");
    let mut play = Play::new(input.config);
    for (number, op) in input.ops.iter().enumerate() {
        play.step(op);
        if let Some(jump) = input.jumps.get(number / 16).filter(|_| number % 16 == 15) {
            play.step(&Op::Advance(*jump));
        }
    }
    if input.pace > 127 {
        play.sicken(input.pace - 127);
    }
    play.heal(input.pace);
}
