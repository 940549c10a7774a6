//! Random operations: the circuit does what the pure machine says, its ledger adds up, and it is never stuck: neither while
//! all calls hang nor once all is well.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tower_breaker::Config;
use tower_breaker_fuzz::{
    good,
    op::{Op, ops},
    play::Play,
};

#[derive(Debug)]
struct Input {
    config: Config,
    /// How many calls come while the circuit heals.
    pace: u8,
    /// How many calls come before that and hang, if any.
    sick: u8,
    ops: Vec<Op>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { config: good::config(u)?, pace: u8::arbitrary(u)?, sick: u8::arbitrary(u)?, ops: ops(u)? })
    }
}

fuzz_target!(|input: Input| {
    let mut play = Play::new(input.config);
    for op in &input.ops {
        play.step(op);
    }
    if input.sick > 0 {
        play.sicken(input.sick);
    }
    play.heal(input.pace);
});
