//! Bad settings are refused with their field, value and bound, all at once; good ones never make anything panic.

use std::time::Duration;

use proptest::{option::of, prelude::*};
use tower_breaker::{
    Config, Instant, Outcome, State,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
    machine::Machine,
};

/// A setting, what must be said of it, and a config that has it.
fn faults() -> Vec<(&'static str, &'static str, Config)> {
    let rate = |rate: FailureRate| Config::new().failure_rate(rate);
    let half_open = |half_open: HalfOpen| Config::new().half_open(half_open);
    let ramp = |ramp: Ramp| Config::new().recovery(Recovery::Ramp(ramp));
    let window = |window: RecoveryWindow| Config::new().recovery(Recovery::Window(window));
    let second = Duration::from_secs(1);
    let never = Duration::MAX;
    let zero = Duration::ZERO;
    vec![
        ("failure_rate.threshold", "NaN", rate(FailureRate::new(f64::NAN))),
        ("failure_rate.threshold", "inf", rate(FailureRate::new(f64::INFINITY))),
        ("failure_rate.threshold", "0.0", rate(FailureRate::new(0.0))),
        ("failure_rate.threshold", "-0.5", rate(FailureRate::new(-0.5))),
        ("failure_rate.threshold", "1.1", rate(FailureRate::new(1.1))),
        ("failure_rate.threshold", "1e-7", rate(FailureRate::new(1e-7))),
        ("failure_rate.minimum_calls", "0", rate(FailureRate::new(0.5).minimum_calls(0))),
        ("failure_rate.minimum_calls", "20", rate(FailureRate::new(0.5).window(Window::count(10)))),
        ("failure_rate.window", "0", rate(FailureRate::new(0.5).window(Window::count(0)))),
        ("failure_rate.window", "4294967295", rate(FailureRate::new(0.5).window(Window::count(u32::MAX)))),
        ("failure_rate.window", "0ns", rate(FailureRate::new(0.5).window(Window::time(zero)))),
        ("failure_rate.window", "0", rate(FailureRate::new(0.5).window(Window::time(second).buckets(0)))),
        ("failure_rate.window", "1001", rate(FailureRate::new(0.5).window(Window::time(second).buckets(1_001)))),
        ("failure_rate.window", "9ms", rate(FailureRate::new(0.5).window(Window::time(Duration::from_millis(9))))),
        ("burst.threshold", "2.0", Config::new().burst(FailureRate::new(2.0))),
        ("slow_calls.duration", "0ns", Config::new().slow_calls(SlowCalls::new(zero))),
        ("slow_calls.threshold", "NaN", Config::new().slow_calls(SlowCalls::new(second).threshold(f64::NAN))),
        ("consecutive_failures.failures", "0", Config::new().consecutive_failures(Consecutive::new(0))),
        ("consecutive_failures.span", "s", Config::new().consecutive_failures(Consecutive::new(5).span(never))),
        ("failure_count.failures", "0", Config::new().failure_count(FailureCount::new(0, second))),
        ("failure_count.period", "0ns", Config::new().failure_count(FailureCount::new(5, zero))),
        ("evidence.useless", "1.0", Config::new().evidence(Evidence::new().useless(1.0))),
        ("evidence.tolerated", "0.7", Config::new().evidence(Evidence::new().tolerated(0.7))),
        ("evidence.tolerated", "NaN", Config::new().evidence(Evidence::new().tolerated(f64::NAN))),
        ("evidence.false_opens", "0.0", Config::new().evidence(Evidence::new().false_opens(0.0))),
        ("evidence.floor", "0", Config::new().evidence(Evidence::new().floor(0))),
        ("evidence.persistence", "s", Config::new().evidence(Evidence::new().persistence(never))),
        ("probing.wait", "0ns", Config::new().probing(Probing::fixed(zero))),
        ("probing.base", "0ns", Config::new().probing(Probing::backoff(zero, second))),
        ("probing.max", "1s", Config::new().probing(Probing::backoff(2 * second, second))),
        (
            "probing.factor",
            "NaN",
            Config::new().probing(Probing::Backoff {
                base: second,
                factor: f64::NAN,
                max: second,
                jitter: Jitter::None,
            }),
        ),
        ("probing.jitter", "1.0", Config::new().probing(Probing::Fixed { wait: second, jitter: Jitter::Spread(1.0) })),
        (
            "probing.spread",
            "-0.1",
            Config::new().probing(Probing::SquareRoot { scale: second, max: second, spread: -0.1 }),
        ),
        ("max_retry_after", "0ns", Config::new().max_retry_after(zero)),
        ("half_open.verdict.successes", "0", half_open(HalfOpen::new().success_threshold(0))),
        ("half_open.verdict.probes", "0", half_open(HalfOpen::new().failure_rate(0, 0.5))),
        ("half_open.verdict.threshold", "0.0", half_open(HalfOpen::new().failure_rate(5, 0.0))),
        ("half_open.max_concurrent_probes", "0", half_open(HalfOpen::new().max_concurrent_probes(0))),
        ("half_open.max_concurrent_probes", "4294967295", half_open(HalfOpen::new().max_concurrent_probes(u32::MAX))),
        ("half_open.probe_timeout", "0ns", half_open(HalfOpen::new().probe_timeout(zero))),
        ("half_open.max_wait", "10s", half_open(HalfOpen::new().max_wait(10 * second))),
        ("half_open.ignored_as_alive", "1001", half_open(HalfOpen::new().ignored_as_alive(1_001))),
        ("recovery.ramp.shares", "NaN", ramp(Ramp::new().shares([0.1, f64::NAN, 1.0, 1.0]))),
        ("recovery.ramp.shares", "0.1", ramp(Ramp::new().shares([0.5, 0.1, 1.0, 1.0]))),
        ("recovery.ramp.step", "0ns", ramp(Ramp::new().step(zero))),
        ("recovery.ramp.tolerance", "0", ramp(Ramp::new().tolerance(0))),
        ("recovery.window.probation", "0ns", window(RecoveryWindow::new().probation(zero))),
        ("recovery.window.max_probation", "500ms", window(RecoveryWindow::new().max_probation(second / 2))),
        ("recovery.window.tolerance", "0", window(RecoveryWindow::new().tolerance(0))),
        ("cancelled_after", "s", Config::new().cancelled_after(CancelledAfter::After(never))),
    ]
}

#[test]
fn a_bad_setting_is_refused_with_its_field_its_value_and_its_bound() {
    for (field, value, config) in faults() {
        let error = config.check().expect_err(field);
        let [fault] = error.faults() else { panic!("{field} is one fault, not {:?}", error.faults()) };
        assert_eq!(fault.field(), field);
        assert!(fault.value().contains(value), "{field}: {fault}");
        let text = error.to_string();
        assert!(text.contains(field) && text.contains(value) && text.contains(fault.bound()), "{text}");
        assert!(Machine::new("it", config, 0, Instant::ZERO).is_err(), "{field}: the machine takes it");
        assert!(tower_breaker::Circuit::builder("it").config(config).build().is_err(), "{field}: the circuit takes it");
    }
}

#[test]
fn the_bounds_themselves_are_within() {
    let ms = Duration::from_millis(1);
    let rate = |rate: FailureRate| Config::new().failure_rate(rate);
    for (what, config) in [
        ("the finest share", rate(FailureRate::new(1e-6))),
        ("the largest share", rate(FailureRate::new(1.0))),
        ("buckets of a millisecond", rate(FailureRate::new(0.5).window(Window::Time { length: 10 * ms, buckets: 10 }))),
        ("as many calls as the window has", rate(FailureRate::new(0.5).minimum_calls(30).window(Window::count(30)))),
    ] {
        assert_eq!(config.check(), Ok(()), "{what}");
    }
    let error = rate(FailureRate::new(0.0)).check().expect_err("no share");
    assert_eq!(error.faults()[0].bound(), "above 0 and at most 1");
}

#[test]
fn all_faults_are_listed_at_once() {
    let config = Config::new()
        .failure_rate(FailureRate::new(0.0).minimum_calls(0))
        .half_open(HalfOpen::new().success_threshold(0))
        .max_retry_after(Duration::ZERO);
    let error = config.check().unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(|fault| fault.field().to_owned()).collect();
    assert_eq!(
        fields,
        ["failure_rate.threshold", "failure_rate.minimum_calls", "max_retry_after", "half_open.verdict.successes"]
    );
}

#[test]
fn every_preset_is_within_its_bounds() {
    for config in [
        Config::new(),
        Config::default(),
        Config::without_rules(),
        Config::classic(),
        Config::resilience4j(),
        Config::hystrix(),
        Config::polly(),
        Config::opossum(),
        Config::envoy(),
        Config::gobreaker(),
        Config::failsafe(),
    ] {
        assert_eq!(config.check(), Ok(()));
    }
}

/// Numbers as a careless program makes them.
fn wild() -> BoxedStrategy<f64> {
    prop_oneof![
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::MIN_POSITIVE),
        1 => Just(f64::MAX),
        1 => any::<f64>(),
        2 => 0.0..100.0f64,
        80 => 0.01..0.9f64,
    ]
    .boxed()
}

fn span() -> BoxedStrategy<Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        1 => Just(Duration::from_nanos(1)),
        40 => (300..60_000u64).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => any::<u64>().prop_map(Duration::from_secs),
    ]
    .boxed()
}

/// Small numbers mostly, so that many configs are good, and windows that a test can afford.
fn count() -> BoxedStrategy<u32> {
    prop_oneof![1 => Just(0), 10 => Just(1), 1 => Just(u32::MAX), 60 => 1..300u32, 1 => any::<u32>()].boxed()
}

fn window() -> BoxedStrategy<Window> {
    prop_oneof![
        Just(Window::DEFAULT),
        count().prop_map(Window::count),
        (span(), count()).prop_map(|(length, buckets)| Window::time(length).buckets(buckets)),
    ]
    .boxed()
}

fn rate() -> BoxedStrategy<FailureRate> {
    (wild(), count(), window())
        .prop_map(|(threshold, calls, window)| FailureRate::new(threshold).minimum_calls(calls).window(window))
        .boxed()
}

fn config() -> BoxedStrategy<Config> {
    let rules = (
        of((wild(), wild(), wild(), count(), span())),
        of(rate()),
        of((rate(), span())),
        of((count(), span())),
        of((count(), span())),
    );
    let probing = (0..3u8, span(), wild(), span(), wild());
    let half_open = (any::<bool>(), count(), wild(), count(), span(), span(), count());
    let recovery = (0..3u8, wild(), span(), span(), count());
    (rules, probing, half_open, recovery, span(), 0..4usize)
        .prop_map(|(rules, probing, half_open, recovery, span, at)| {
            let mut config = Config::without_rules();
            let (evidence, failure_rate, slow, run, total) = rules;
            config.evidence = evidence.map(|(useless, tolerated, opens, floor, persistence)| {
                let evidence = Evidence::new().useless(useless).tolerated(tolerated).false_opens(opens);
                evidence.floor(floor).persistence(persistence)
            });
            config.failure_rate = failure_rate;
            config.slow_calls = slow.map(|(rate, limit)| {
                SlowCalls::new(limit).threshold(rate.threshold).minimum_calls(rate.minimum_calls).window(rate.window)
            });
            config.consecutive_failures = run.map(|(failures, span)| Consecutive::new(failures).span(span));
            config.failure_count = total.map(|(failures, period)| FailureCount::new(failures, period));
            let (kind, base, factor, max, share) = probing;
            config.probing = match kind {
                0 => Probing::Backoff { base, factor, max, jitter: Jitter::Spread(share) },
                1 => Probing::Fixed { wait: base, jitter: Jitter::Full },
                _ => Probing::SquareRoot { scale: base, max, spread: share },
            };
            let (by_rate, probes, threshold, concurrent, timeout, max, ignored) = half_open;
            let verdict = HalfOpen::new();
            let verdict =
                if by_rate { verdict.failure_rate(probes, threshold) } else { verdict.success_threshold(probes) };
            let verdict = verdict.max_concurrent_probes(concurrent).probe_timeout(timeout).max_wait(max);
            config.half_open = verdict.ignored_as_alive(ignored);
            let (kind, share, step, max, tolerance) = recovery;
            config.recovery = match kind {
                0 => Recovery::Probes,
                1 => Recovery::Ramp(Ramp::new().shares([share, 0.5, 1.0, 1.0]).step(step).tolerance(tolerance)),
                _ => Recovery::Window(RecoveryWindow::new().probation(step).max_probation(max).tolerance(tolerance)),
            };
            config.cancelled_after = CancelledAfter::After(span);
            config.initial_state = State::ALL[at];
            config
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Most configs have a dozen faults, some none; whichever, the answer is an answer.
    #[test]
    fn whatever_the_numbers_nothing_panics(config in config(), jumps in proptest::collection::vec(any::<u64>(), 1..6)) {
        let error = match Machine::new("it", config, 0, Instant::ZERO) {
            Err(error) => error,
            Ok(mut machine) => {
                for jump in jumps {
                    let now = Instant::from_nanos(jump);
                    for outcome in [Some(Outcome::failure()), Some(Outcome::Success), None, Some(Outcome::Ignored)] {
                        if let Ok(stamp) = machine.admit(now) {
                            machine.settle(stamp, outcome, now);
                        }
                    }
                    let rate = machine.snapshot(now).window.failure_rate;
                    prop_assert!(rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{rate:?}");
                    prop_assert!(!machine.snapshot(now).explain().is_empty());
                }
                return Ok(());
            }
        };
        for fault in error.faults() {
            prop_assert!(!fault.field().is_empty() && !fault.value().is_empty() && !fault.bound().is_empty());
        }
    }
}
