//! The textbook breaker, and the figures of other systems: for moving over, and for comparing.
//!
//! Only the figures are theirs; the semantics stay ours (late results decide nothing, a probe is a lease, a success
//! never opens). What a system leaves unlimited (probes that never end) keeps our bound.

use std::time::Duration;

use super::{CancelledAfter, Config, Consecutive, FailureRate, HalfOpen, Jitter, Probing, Recovery, SlowCalls, Window};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Config {
    /// Everything off but the parts that every system has.
    const fn bare(wait: Duration, half_open: HalfOpen) -> Self {
        Self::without_rules()
            .probing(Probing::fixed(wait))
            .half_open(half_open.ignored_as_alive(0))
            .recovery(Recovery::Probes)
            .cancelled_after(CancelledAfter::Never)
    }

    /// Returns the textbook breaker: half of at least 20 calls in 10 s, or 5 failures in a row over at least 200 ms;
    /// open for 5 s, doubling to 60 s with equal jitter; 3 successful probes, one at a time, close it.
    pub const fn classic() -> Self {
        Self::bare(secs(5), HalfOpen::new().success_threshold(3))
            .failure_rate(FailureRate::new(0.5))
            .consecutive_failures(Consecutive::new(5).span(Duration::from_millis(200)))
            .probing(Probing::backoff(secs(5), secs(60)))
            .cancelled_after(CancelledAfter::SlowCall)
    }

    /// Returns the figures of Resilience4j's `CircuitBreakerConfig`: half of the last 100 calls, or all of them slower
    /// than 60 s; open for 60 s; 10 probes judged by the same rate.
    pub const fn resilience4j() -> Self {
        let hundred = Window::count(100);
        let slow = SlowCalls::new(secs(60)).threshold(1.0).minimum_calls(100).window(hundred);
        Self::bare(secs(60), HalfOpen::new().failure_rate(10, 0.5).max_concurrent_probes(10))
            .failure_rate(FailureRate::new(0.5).minimum_calls(100).window(hundred))
            .slow_calls(slow)
    }

    /// Returns the figures of Hystrix's `HystrixCommandProperties`: half of at least 20 calls in 10 s; open for 5 s; one
    /// probe.
    pub const fn hystrix() -> Self {
        Self::bare(secs(5), HalfOpen::new()).failure_rate(FailureRate::new(0.5))
    }

    /// Returns the figures of Polly's `CircuitBreakerStrategyOptions`: a tenth of at least 100 calls in 30 s; open for
    /// 5 s; one probe.
    pub const fn polly() -> Self {
        let rate = FailureRate::new(0.1).minimum_calls(100).window(Window::time(secs(30)));
        Self::bare(secs(5), HalfOpen::new()).failure_rate(rate)
    }

    /// Returns the figures of opossum: half of the calls in 10 s, with no minimum; open for 30 s; one probe.
    ///
    /// Its first failure opens it.
    pub const fn opossum() -> Self {
        Self::bare(secs(30), HalfOpen::new()).failure_rate(FailureRate::new(0.5).minimum_calls(1))
    }

    /// Returns the figures of Envoy's outlier detection: 5 failures in a row; open for 30 s, up to 300 s.
    ///
    /// Envoy adds 30 s with each ejection where this doubles, and lets a host return without a probe.
    pub const fn envoy() -> Self {
        Self::bare(secs(30), HalfOpen::new()).consecutive_failures(Consecutive::new(5)).probing(Probing::Backoff {
            base: secs(30),
            factor: 2.0,
            max: secs(300),
            jitter: Jitter::None,
        })
    }

    /// Returns the figures of gobreaker's `Settings`: more than 5 failures in a row; open for 60 s; one probe.
    pub const fn gobreaker() -> Self {
        Self::bare(secs(60), HalfOpen::new()).consecutive_failures(Consecutive::new(6))
    }

    /// Returns the figures of failsafe-go's `circuitbreaker.NewBuilder`: one failure; open for 60 s; one probe.
    pub const fn failsafe() -> Self {
        Self::bare(secs(60), HalfOpen::new()).consecutive_failures(Consecutive::new(1))
    }
}
