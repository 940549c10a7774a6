//! What may happen to a circuit.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use tower_breaker::{Config, Failure, Mode, Outcome, Weight};

use crate::{
    draw::{Bytes, maybe, one_of, span, within},
    good,
};

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Op {
    /// Time goes on.
    Advance(Duration),
    /// The clock steps back.
    Back(Duration),
    Begin,
    /// The n-th call under way ends; it is dropped where there is no outcome.
    End(u8, Option<Outcome>),
    /// Calls that begin and end at once: what fills windows.
    Many(u8, Outcome),
    Mode(Mode, Option<Duration>),
    /// So many probes fail, a minute apart.
    Outage(u8),
    Reconfigure(Box<Config>),
    Reset,
}

const MODES: [Mode; 8] = [
    Mode::Auto,
    Mode::Auto,
    Mode::Auto,
    Mode::Auto,
    Mode::ForcedOpen,
    Mode::ForcedClosed,
    Mode::Disabled,
    Mode::MetricsOnly,
];
/// So that an input ends within a millisecond or two.
const MOST: usize = 80;

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match within(u, 0, 31)? {
            0..=7 => Self::Begin,
            8..=14 => Self::Advance(span(u, 20_000)?),
            15..=21 => Self::End(u8::arbitrary(u)?, if within(u, 0, 4)? == 0 { None } else { Some(outcome(u)?) }),
            22..=26 => Self::Many(u.int_in_range(1..=30)?, outcome(u)?),
            27 => Self::Advance(span(u, 40 * 86_400_000)?),
            28 => Self::Back(span(u, 5_000)?),
            29 => Self::Mode(one_of(u, &MODES)?, maybe(u, |u| span(u, 30_000))?),
            30 => match within(u, 0, 3)? {
                0 => Self::Outage(u8::arbitrary(u)?),
                1 => Self::Reset,
                _ => Self::Many(30, outcome(u)?),
            },
            _ => Self::Reconfigure(Box::new(good::config(u)?)),
        })
    }
}

/// Returns the operations that the rest of the bytes stand for.
pub fn ops(u: Bytes) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    while !u.is_empty() && ops.len() < MOST {
        ops.push(Op::arbitrary(u)?);
    }
    Ok(ops)
}

pub fn outcome(u: Bytes) -> Result<Outcome> {
    Ok(match within(u, 0, 15)? {
        0..=5 => Outcome::Success,
        6..=10 => Outcome::failure(),
        11..=12 => Outcome::Ignored,
        13 => {
            let weight = f64::from(within(u, 1, 10_000)?) / 100.0;
            Failure::new().weight(Weight::new(weight).expect("from 0.01 to 100")).into()
        }
        14 => Failure::new().rate_limited().retry_after(span(u, 100_000)?).into(),
        _ => Failure::new().tripping().into(),
    })
}
