//! Random settings, drawn from a seed: small numbers, so that a short trace reaches every corner.

use std::time::Duration;

use tower_breaker::{
    Config, State,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
};

/// Numbers that follow from a seed (`xorshift64*`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d | 1)
    }

    /// A number from `low` to `high`.
    pub(crate) fn roll(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        low + (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % (high - low + 1)
    }

    pub(crate) fn number(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.roll(low.into(), high.into())).unwrap()
    }

    /// Holds once in so many.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.roll(1, times) == 1
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(0, choices.len() as u64 - 1) as usize]
    }

    /// Mostly round, since borders matter, sometimes a nanosecond off.
    pub(crate) fn time(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap();
        let time = if self.once_in(2) {
            Duration::from_millis(self.roll(1, most))
        } else {
            Duration::from_millis(self.roll(1, most.div_ceil(500)) * 500)
        };
        if self.once_in(4) { time - Duration::from_nanos(1) } else { time }
    }

    pub(crate) fn share(&mut self) -> f64 {
        let any = self.number(50, 1_000_000);
        self.of(&[f64::from(any) / 1e6, 0.5, 0.3, 1.0, 0.07, 1.0 / 3.0])
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn rate(dice: &mut Dice) -> FailureRate {
    let (length, buckets) = (ms(dice.roll(1, 30) * 500), dice.number(1, 12));
    let calls = dice.of(&[1, 2, 3, 7, 10, 63, 64, 65]);
    let window = dice.of(&[Window::DEFAULT, Window::time(length).buckets(buckets), Window::count(calls)]);
    let minimum = dice.number(1, 8).min(if let Window::Count { calls } = window { calls } else { 8 });
    FailureRate::new(dice.share()).minimum_calls(minimum).window(window)
}

fn jitter(dice: &mut Dice) -> Jitter {
    dice.of(&[Jitter::None, Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Spread(0.3)])
}

fn probing(dice: &mut Dice) -> Probing {
    let factor = f64::from(dice.number(100, 300)) / 100.0;
    let (wait, jitter) = (ms(dice.roll(1, 10) * 500), jitter(dice));
    let spread = dice.of(&[0.0, 0.25]);
    dice.of(&[
        Probing::SQUARE_ROOT,
        Probing::SquareRoot { scale: ms(500), max: ms(2_000), spread },
        Probing::Backoff { base: wait, factor, max: ms(20_000), jitter },
        Probing::Fixed { wait, jitter },
    ])
}

fn half_open(dice: &mut Dice) -> HalfOpen {
    let (number, share) = (dice.number(1, 5), dice.share().max(0.1));
    let lease = if dice.once_in(8) { dice.roll(1, 60) * 60_000 } else { dice.roll(1, 10) * 500 };
    let by_successes = HalfOpen::new().success_threshold(number.min(3));
    let by_rate = HalfOpen::new().failure_rate(number, share);
    let longest = ms(lease + dice.of(&[0, 500, 4_000, 20_000]));
    dice.of(&[by_successes, by_rate])
        .max_concurrent_probes(dice.of(&[1, 1, 1, 2, 3]))
        .probe_timeout(ms(lease))
        .max_wait(longest)
        .ignored_as_alive(dice.of(&[0, 1, 2, 3]))
}

fn recovery(dice: &mut Dice) -> Recovery {
    let (time, tolerance) = (ms(dice.of(&[1, 10, 100, 500, 1_000, 3_000])), dice.number(1, 6));
    let shares = dice.of(&[[0.05, 0.25, 1.0, 1.0], [0.5, 0.5, 0.9, 0.95], [0.3, 1.0, 1.0, 1.0], [1.0; 4]]);
    dice.of(&[
        Recovery::Probes,
        Recovery::Ramp(Ramp::new().shares(shares).step(time).tolerance(tolerance)),
        Recovery::Window(RecoveryWindow::new().probation(time).tolerance(tolerance)),
        Recovery::Window(RecoveryWindow::new()),
    ])
}

pub(crate) fn config(dice: &mut Dice) -> Config {
    let mut config = Config::without_rules()
        .probing(probing(dice))
        .half_open(half_open(dice))
        .recovery(recovery(dice))
        .max_retry_after(ms(dice.of(&[1, 3_000, 60_000])))
        .cancelled_after(dice.of(&[
            CancelledAfter::SlowCall,
            CancelledAfter::Never,
            CancelledAfter::After(Duration::ZERO),
            CancelledAfter::After(ms(1_500)),
        ]))
        .initial_state(dice.of(&[
            State::Closed,
            State::Closed,
            State::Closed,
            State::Closed,
            State::Open,
            State::HalfOpen,
            State::Recovering,
        ]));
    // One rule alone, or all at once by chance: none may hide behind the others.
    let only = dice.roll(0, 9);
    let mut wanted = |rule: u64| only == rule || only > 5 && dice.once_in(3);
    let wanted: Vec<bool> = (0..6).map(&mut wanted).collect();
    config.failure_rate = wanted[0].then(|| rate(dice));
    config.burst = wanted[1].then(|| rate(dice));
    config.slow_calls = wanted[2].then(|| {
        let FailureRate { threshold, minimum_calls, window, .. } = rate(dice);
        SlowCalls::new(ms(dice.of(&[1, 100, 500]))).threshold(threshold).minimum_calls(minimum_calls).window(window)
    });
    config.consecutive_failures =
        wanted[3].then(|| Consecutive::new(dice.number(1, 6)).span(ms(dice.of(&[0, 0, 1, 500, 2_000]))));
    config.failure_count = wanted[4].then(|| FailureCount::new(dice.number(1, 6), ms(dice.roll(1, 20) * 500)));
    config.evidence = wanted[5].then(|| {
        let useless = f64::from(dice.number(10, 90)) / 100.0;
        dice.of(&[
            Evidence::new(),
            Evidence::new().useless(useless).tolerated(useless * 0.5).floor(1).false_opens(0.3),
            Evidence::new().floor(6).persistence(Duration::ZERO),
        ])
    });
    config
}
