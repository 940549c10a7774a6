//! Settings as a careless program makes them: any number in any field.

use std::time::Duration;

use arbitrary::{Arbitrary, Result};
use tower_breaker::{
    Config, State,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
};

use crate::{
    draw::{Bytes, maybe, one_of, share, within},
    good,
};

/// How much of some settings is out of hand.
#[derive(Clone, Copy)]
enum Wild {
    /// Nothing but numbers within the bounds.
    Never,
    /// One number in sixteen.
    Seldom,
    Always,
}

/// Returns settings that may be anything.
pub fn config(u: Bytes) -> Result<Config> {
    if within(u, 0, 3)? == 0 {
        return good::config(u);
    }
    let wild = one_of(u, &[Wild::Never, Wild::Seldom, Wild::Seldom, Wild::Always])?;
    let mut config = Config::without_rules()
        .probing(probing(u, wild)?)
        .half_open(half_open(u, wild)?)
        .recovery(recovery(u, wild)?)
        .max_retry_after(span(u, wild)?)
        .initial_state(one_of(u, &State::ALL)?);
    config.evidence = maybe(u, |u| evidence(u, wild))?;
    config.failure_rate = maybe(u, |u| rate(u, wild))?;
    config.burst = maybe(u, |u| rate(u, wild))?;
    config.slow_calls = maybe(u, |u| {
        let FailureRate { threshold, minimum_calls, window, .. } = rate(u, wild)?;
        Ok(SlowCalls::new(span(u, wild)?).threshold(threshold).minimum_calls(minimum_calls).window(window))
    })?;
    config.consecutive_failures = maybe(u, |u| Ok(Consecutive::new(count(u, wild)?).span(span(u, wild)?)))?;
    config.failure_count = maybe(u, |u| Ok(FailureCount::new(count(u, wild)?, span(u, wild)?)))?;
    config.cancelled_after = match within(u, 0, 2)? {
        0 => CancelledAfter::SlowCall,
        1 => CancelledAfter::Never,
        _ => CancelledAfter::After(span(u, wild)?),
    };
    Ok(config)
}

fn is_wild(u: Bytes, wild: Wild) -> Result<bool> {
    Ok(match wild {
        Wild::Never => false,
        Wild::Seldom => within(u, 0, 15)? == 0,
        Wild::Always => true,
    })
}

/// The borders, one off on both sides, and what is no number.
fn number(u: Bytes, wild: Wild, low: f64, high: f64) -> Result<f64> {
    if !is_wild(u, wild)? {
        return share(u, low, high);
    }
    const SPECIAL: [f64; 15] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        f64::MAX,
        1.0,
        1.0 + f64::EPSILON,
        1e-6,
        0.99e-6,
        -1.0,
        100.0,
        0.9,
        0.01,
    ];
    if bool::arbitrary(u)? { one_of(u, &SPECIAL) } else { f64::arbitrary(u) }
}

fn span(u: Bytes, wild: Wild) -> Result<Duration> {
    if !is_wild(u, wild)? {
        return Ok(Duration::from_millis(within(u, 300, 60_000)?.into()));
    }
    any_span(u)
}

/// Any duration, the borders of all settings among them.
pub fn any_span(u: Bytes) -> Result<Duration> {
    const NS: Duration = Duration::from_nanos(1);
    const MS: Duration = Duration::from_millis(1);
    const YEAR: Duration = Duration::from_secs(31_536_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const SPECIAL: [Duration; 12] = [
        Duration::ZERO,
        NS,
        Duration::from_nanos(999_999),
        MS,
        Duration::from_millis(10),
        Duration::from_millis(250),
        MINUTE,
        Duration::from_nanos(60_000_000_001),
        YEAR,
        Duration::new(31_536_000, 1),
        Duration::from_nanos(u64::MAX),
        Duration::MAX,
    ];
    Ok(match within(u, 0, 3)? {
        0 | 1 => one_of(u, &SPECIAL)?,
        2 => Duration::from_nanos(u64::arbitrary(u)?),
        _ => Duration::new(u64::arbitrary(u)?, within(u, 0, 999_999_999)?),
    })
}

/// Small numbers mostly, so that windows are quick to make.
fn count(u: Bytes, wild: Wild) -> Result<u32> {
    if !is_wild(u, wild)? {
        return within(u, 1, 200);
    }
    const SPECIAL: [u32; 11] = [0, 1, 1_000, 1_001, 10_000, 10_001, 400_000, 400_001, 1_000_000, 1_000_001, u32::MAX];
    if bool::arbitrary(u)? { one_of(u, &SPECIAL) } else { u32::arbitrary(u) }
}

fn window(u: Bytes, wild: Wild) -> Result<Window> {
    Ok(match within(u, 0, 2)? {
        0 => Window::DEFAULT,
        1 => Window::time(span(u, wild)?).buckets(count(u, wild)?),
        _ => Window::count(200 * count(u, wild)?.min(20_000_000)),
    })
}

fn rate(u: Bytes, wild: Wild) -> Result<FailureRate> {
    let rate = FailureRate::new(number(u, wild, 0.01, 1.0)?).minimum_calls(count(u, wild)?);
    Ok(rate.window(window(u, wild)?))
}

fn evidence(u: Bytes, wild: Wild) -> Result<Evidence> {
    let useless = number(u, wild, 0.4, 0.99)?;
    let evidence = Evidence::new().useless(useless).tolerated(number(u, wild, 0.01, 0.36)?);
    let evidence = evidence.false_opens(number(u, wild, 0.001, 0.5)?).floor(count(u, wild)?);
    Ok(evidence.persistence(span(u, wild)?))
}

fn jitter(u: Bytes, wild: Wild) -> Result<Jitter> {
    Ok(match within(u, 0, 3)? {
        0 => Jitter::Equal,
        1 => Jitter::Full,
        2 => Jitter::None,
        _ => Jitter::Spread(number(u, wild, 0.0, 0.9)?),
    })
}

fn probing(u: Bytes, wild: Wild) -> Result<Probing> {
    Ok(match within(u, 0, 2)? {
        0 => {
            let base = span(u, wild)?;
            let max = span(u, wild)?;
            let max = if is_wild(u, wild)? { max } else { max.max(base) };
            Probing::Backoff { base, factor: number(u, wild, 1.0, 100.0)?, max, jitter: jitter(u, wild)? }
        }
        1 => Probing::Fixed { wait: span(u, wild)?, jitter: jitter(u, wild)? },
        _ => Probing::SquareRoot { scale: span(u, wild)?, max: span(u, wild)?, spread: number(u, wild, 0.0, 0.9)? },
    })
}

fn half_open(u: Bytes, wild: Wild) -> Result<HalfOpen> {
    let half_open = HalfOpen::new();
    let half_open = if bool::arbitrary(u)? {
        half_open.success_threshold(count(u, wild)?)
    } else {
        half_open.failure_rate(count(u, wild)?, number(u, wild, 0.01, 1.0)?)
    };
    let lease = span(u, wild)?;
    let max = span(u, wild)?;
    let max = if is_wild(u, wild)? { max } else { max.max(lease) };
    let half_open = half_open.max_concurrent_probes(count(u, wild)?).probe_timeout(lease).max_wait(max);
    Ok(half_open.ignored_as_alive(count(u, wild)?))
}

fn recovery(u: Bytes, wild: Wild) -> Result<Recovery> {
    Ok(match within(u, 0, 2)? {
        0 => Recovery::Probes,
        1 => {
            let mut shares = [0.0; 4];
            for share in &mut shares {
                *share = number(u, wild, 0.01, 1.0)?;
            }
            if !is_wild(u, wild)? {
                shares.sort_by(f64::total_cmp);
            }
            Recovery::Ramp(Ramp::new().shares(shares).step(span(u, wild)?).tolerance(count(u, wild)?))
        }
        _ => {
            let probation = span(u, wild)?;
            let max = span(u, wild)?;
            let max = if is_wild(u, wild)? { max } else { max.max(probation) };
            let window = RecoveryWindow::new().probation(probation).max_probation(max);
            Recovery::Window(window.tolerance(count(u, wild)?))
        }
    })
}
