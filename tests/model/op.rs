//! What happens in a random trace, each drawn from one number, so that a failing trace shrinks by leaving things out.

use std::time::Duration;

use tower_breaker::Mode;

use crate::{
    reference::{Fail, What},
    settings::Dice,
};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Time goes on.
    Advance(Duration),
    /// Time goes on to when the next call may pass, but for a nanosecond if not `quite`.
    AdvanceUntilDue {
        quite: bool,
    },
    /// The clock steps back.
    Back(Duration),
    Begin,
    /// The n-th call under way ends; it is dropped where there is no outcome.
    End(usize, Option<What>),
    /// A call that lasts.
    Lasting(Duration, What),
    /// Calls that begin and end at once.
    Many(u32, What),
    Mode(Mode, Option<Duration>),
    /// Other settings, drawn from this.
    Reconfigure(u64),
    Reset,
}

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn what(dice: &mut Dice) -> What {
    let hint = dice.time(70 * SECOND);
    let weight = dice.of(&[1, 29, 99, 101, 150, 300, 1_000, 10_000]);
    dice.of(&[
        What::Success,
        What::Success,
        What::Success,
        What::Success,
        What::Failure(Fail::PLAIN),
        What::Failure(Fail::PLAIN),
        What::Failure(Fail::PLAIN),
        What::Failure(Fail::PLAIN),
        What::Failure(Fail::PLAIN),
        What::Ignored,
        What::Ignored,
        What::Failure(Fail { hundredths: weight, ..Fail::PLAIN }),
        What::Failure(Fail { rate_limited: true, retry_after: Some(hint), ..Fail::PLAIN }),
        What::Failure(Fail { retry_after: Some(hint), ..Fail::PLAIN }),
    ])
}

impl Op {
    pub(crate) fn drawn(number: u64) -> Self {
        let mut dice = Dice::new(number);
        match dice.roll(0, 99) {
            0..=14 => Self::Advance(dice.time(3 * SECOND)),
            15..=16 => Self::Advance(dice.time(30 * SECOND)),
            17 => Self::Advance(dice.time(40 * 86_400 * SECOND)),
            18..=25 => Self::AdvanceUntilDue { quite: !dice.once_in(5) },
            26..=28 => {
                let step = dice.of(&[SECOND, 5 * SECOND, 3_600 * SECOND]);
                Self::Back(dice.time(step))
            }
            29..=49 => Self::Begin,
            50..=57 => Self::Lasting(dice.time(SECOND), what(&mut dice)),
            58..=74 => Self::End(dice.roll(0, 7) as usize, if dice.once_in(6) { None } else { Some(what(&mut dice)) }),
            75..=93 => Self::Many(dice.number(1, 7), what(&mut dice)),
            94 => Self::Many(1, What::Failure(Fail { tripping: true, ..Fail::PLAIN })),
            95..=96 => {
                let modes =
                    [Mode::Auto, Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Disabled, Mode::MetricsOnly];
                Self::Mode(dice.of(&modes), dice.once_in(2).then(|| dice.time(10 * SECOND)))
            }
            97 => Self::Reconfigure(dice.roll(0, u64::from(u32::MAX))),
            98 if dice.once_in(2) => Self::Reset,
            _ => Self::Mode(Mode::Auto, None),
        }
    }
}
