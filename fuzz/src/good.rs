//! Settings within their bounds, small enough that a short trace reaches every state.

use std::time::Duration;

use arbitrary::{Arbitrary, Result};
use tower_breaker::{
    Config, State,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
};

use crate::draw::{Bytes, maybe, one_of, share, span, within};

/// Returns settings that `Config::check` must accept.
pub fn config(u: Bytes) -> Result<Config> {
    if within(u, 0, 7)? == 0 {
        return preset(u);
    }
    let mut config = Config::without_rules()
        .probing(probing(u)?)
        .half_open(half_open(u)?)
        .recovery(recovery(u)?)
        .cancelled_after(cancelled_after(u)?)
        .initial_state(if within(u, 0, 3)? == 0 { one_of(u, &State::ALL)? } else { State::Closed })
        .max_retry_after(Duration::from_secs(within(u, 1, 90)?.into()));
    config.evidence = maybe(u, evidence)?;
    config.failure_rate = maybe(u, rate)?;
    config.burst = maybe(u, rate)?;
    config.slow_calls = maybe(u, slow)?;
    config.consecutive_failures =
        maybe(u, |u| Ok(Consecutive::new(within(u, 1, 12)?).span(Duration::from_millis(within(u, 0, 3_000)?.into()))))?;
    config.failure_count =
        maybe(u, |u| Ok(FailureCount::new(within(u, 1, 12)?, Duration::from_secs(within(u, 1, 20)?.into()))))?;
    Ok(config)
}

fn preset(u: Bytes) -> Result<Config> {
    one_of(
        u,
        &[
            Config::new(),
            Config::without_rules(),
            Config::classic(),
            Config::resilience4j(),
            Config::hystrix(),
            Config::polly(),
            Config::opossum(),
            Config::envoy(),
            Config::gobreaker(),
            Config::failsafe(),
        ],
    )
}

pub fn evidence(u: Bytes) -> Result<Evidence> {
    if bool::arbitrary(u)? {
        return Ok(Evidence::new());
    }
    let useless = share(u, 0.01, 0.99)?;
    let evidence = Evidence::new().useless(useless).tolerated(0.001 + share(u, 0.0, 0.5)? * useless);
    Ok(evidence.floor(within(u, 1, 10)?).persistence(Duration::from_millis(within(u, 0, 2_000)?.into())))
}

pub fn window(u: Bytes) -> Result<Window> {
    Ok(match within(u, 0, 2)? {
        0 => Window::DEFAULT,
        1 => Window::time(Duration::from_secs(within(u, 1, 30)?.into())).buckets(within(u, 1, 40)?),
        _ => Window::count(within(u, 1, 130)?),
    })
}

pub fn rate(u: Bytes) -> Result<FailureRate> {
    let (threshold, minimum, window) = (share(u, 0.01, 1.0)?, within(u, 1, 30)?, window(u)?);
    let minimum = if let Window::Count { calls } = window { minimum.min(calls) } else { minimum };
    Ok(FailureRate::new(threshold).minimum_calls(minimum).window(window))
}

pub fn slow(u: Bytes) -> Result<SlowCalls> {
    let FailureRate { threshold, minimum_calls, window, .. } = rate(u)?;
    Ok(SlowCalls::new(span(u, 3_000)?).threshold(threshold).minimum_calls(minimum_calls).window(window))
}

fn jitter(u: Bytes) -> Result<Jitter> {
    one_of(u, &[Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Spread(0.3), Jitter::Spread(0.9)])
}

pub fn probing(u: Bytes) -> Result<Probing> {
    let second = Duration::from_secs(1);
    Ok(match within(u, 0, 3)? {
        0 => Probing::SQUARE_ROOT,
        1 => Probing::SquareRoot {
            scale: Duration::from_millis(within(u, 1, 2_000)?.into()),
            max: Duration::from_millis(within(u, 250, 30_000)?.into()),
            spread: share(u, 0.0, 0.9)?,
        },
        2 => Probing::Backoff {
            base: within(u, 1, 10)? * second,
            factor: share(u, 1.0, 4.0)?,
            max: 30 * second,
            jitter: jitter(u)?,
        },
        _ => Probing::Fixed { wait: within(u, 1, 10)? * second, jitter: jitter(u)? },
    })
}

pub fn half_open(u: Bytes) -> Result<HalfOpen> {
    let half_open = HalfOpen::new();
    let half_open = if bool::arbitrary(u)? {
        half_open.success_threshold(within(u, 1, 4)?)
    } else {
        half_open.failure_rate(within(u, 1, 6)?, share(u, 0.1, 1.0)?)
    };
    let (lease, longer) = (within(u, 1, 20)?, within(u, 0, 40)?);
    Ok(half_open
        .max_concurrent_probes(within(u, 1, 3)?)
        .probe_timeout(Duration::from_secs(lease.into()))
        .max_wait(Duration::from_secs((lease + longer).into()))
        .ignored_as_alive(within(u, 0, 3)?))
}

pub fn recovery(u: Bytes) -> Result<Recovery> {
    Ok(match within(u, 0, 2)? {
        0 => Recovery::Probes,
        1 => {
            let low = share(u, 0.01, 0.99)?;
            let ramp = Ramp::new().shares([low, low.max(0.25), 1.0, 1.0]);
            Recovery::Ramp(ramp.step(Duration::from_secs(within(u, 1, 5)?.into())).tolerance(within(u, 1, 8)?))
        }
        _ => {
            let probation = Duration::from_millis(within(u, 1, 3_000)?.into());
            let window = RecoveryWindow::new().probation(probation).tolerance(within(u, 1, 8)?);
            Recovery::Window(window.max_probation(probation * within(u, 1, 20)?))
        }
    })
}

fn cancelled_after(u: Bytes) -> Result<CancelledAfter> {
    Ok(match within(u, 0, 2)? {
        0 => CancelledAfter::SlowCall,
        1 => CancelledAfter::Never,
        _ => CancelledAfter::After(Duration::from_millis(within(u, 0, 5_000)?.into())),
    })
}
