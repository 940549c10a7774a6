//! The pure machine is the oracle: on random traces the concurrent circuit gives the same decisions and the same numbers.
//!
//! `ORACLE_CASES` sets how many traces are tried; the default is quick enough for every run. A failing trace is shrunk and
//! printed, and its seed kept.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, FileFailurePersistence},
};
use tower_breaker::{
    Config, Failure, Instant, Mode, Outcome, State, Weight,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
};

use crate::subject::{Answer, Both};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    /// Time goes on.
    Advance(Duration),
    /// The clock steps back.
    Back(Duration),
    Begin,
    /// The n-th call under way ends; it is dropped where there is no outcome.
    End(usize, Option<Outcome>),
    /// Calls that begin and end at once: what fills windows.
    Many(u8, Outcome),
    Mode(Mode, Option<Duration>),
    /// An outage: so many probes fail, a minute apart. The number of the phase grows by two with each.
    Outage(u16),
    Reconfigure(Box<Config>),
    Reset,
    /// The process is away for so long.
    Restart(Duration),
}

fn cases() -> u32 {
    std::env::var("ORACLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(Runner {
        cases: cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("regressions"))),
        ..Runner::default()
    })]

    #[test]
    fn the_circuit_does_what_the_machine_says(config in config(), ops in vec((op(), any::<bool>()), 1..120)) {
        let mut both = Both::new(config, Mode::Auto).expect("the settings are within bounds");
        let mut now = Instant::ZERO;
        let mut under_way = Vec::new();
        let mut names = 0u32;
        for (op, looks) in ops {
            let told = match op.clone() {
                Op::Advance(by) => { now = now.after(by); both.set_clock(now); Ok(()) }
                Op::Back(by) => { now = Instant::ZERO.after(now.since(Instant::ZERO.after(by))); both.set_clock(now); Ok(()) }
                Op::Begin => begin(&mut both, &mut under_way, &mut names),
                Op::End(at, outcome) => end(&mut both, &mut under_way, at, outcome),
                Op::Many(times, outcome) => (0..times).try_for_each(|_| {
                    let before = under_way.len();
                    begin(&mut both, &mut under_way, &mut names)?;
                    if under_way.len() > before { end(&mut both, &mut under_way, before, Some(outcome)) } else { Ok(()) }
                }),
                Op::Mode(mode, lasting) => { both.set_mode(mode, lasting.map(|lasting| now.after(lasting)), now); Ok(()) }
                Op::Outage(probes) => (0..probes).try_for_each(|_| {
                    now = now.after(Duration::from_secs(61));
                    both.set_clock(now);
                    let before = under_way.len();
                    begin(&mut both, &mut under_way, &mut names)?;
                    let failed = Some(Failure::new().tripping().into());
                    if under_way.len() > before { end(&mut both, &mut under_way, before, failed) } else { Ok(()) }
                }),
                Op::Reconfigure(config) => both.reconfigure(*config),
                Op::Restart(gap) => {
                    let told = both.restart(gap);
                    now = now.after(gap);
                    under_way.clear();
                    told
                }
                Op::Reset => { both.reset(); Ok(()) }
            };
            // Not after each: whoever looks has the circuit take stock, which would hide that a decision forgot to.
            let told = told.and_then(|()| if looks { both.agree() } else { Ok(()) });
            prop_assert!(told.is_ok(), "after {op:?}: {}", told.unwrap_err());
        }
        let told = both.agree();
        prop_assert!(told.is_ok(), "in the end: {}", told.unwrap_err());
        both.take_events();
    }
}

fn begin(both: &mut Both, under_way: &mut Vec<String>, names: &mut u32) -> Result<(), String> {
    *names += 1;
    let name = names.to_string();
    if matches!(both.begin(&name)?, Answer::Admitted) {
        under_way.push(name);
    }
    Ok(())
}

fn end(both: &mut Both, under_way: &mut Vec<String>, at: usize, outcome: Option<Outcome>) -> Result<(), String> {
    if under_way.is_empty() {
        return Ok(());
    }
    let name = under_way.remove(at % under_way.len());
    both.end(&name, outcome)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => duration(20_000).prop_map(Op::Advance),
        1 => duration(86_400_000 * 40).prop_map(Op::Advance),
        1 => duration(5_000).prop_map(Op::Back),
        10 => Just(Op::Begin),
        12 => (any::<usize>(), proptest::option::weighted(0.8, outcome())).prop_map(|(at, outcome)| Op::End(at, outcome)),
        8 => (1..30u8, outcome()).prop_map(|(times, outcome)| Op::Many(times, outcome)),
        1 => (1..300u16).prop_map(Op::Outage),
        2 => (mode(), proptest::option::of(duration(30_000))).prop_map(|(mode, lasting)| Op::Mode(mode, lasting)),
        1 => config().prop_map(|config| Op::Reconfigure(Box::new(config))),
        1 => Just(Op::Reset),
        2 => duration(30_000).prop_map(Op::Restart),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        4 => Just(Mode::Auto),
        1 => Just(Mode::ForcedOpen),
        1 => Just(Mode::ForcedClosed),
        1 => Just(Mode::Disabled),
        1 => Just(Mode::MetricsOnly),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let weighted =
        (1..10_000u16).prop_map(|units| Failure::new().weight(Weight::new(f64::from(units) / 100.0).expect("bounded")));
    prop_oneof![
        6 => Just(Outcome::Success),
        6 => Just(Outcome::failure()),
        2 => Just(Outcome::Ignored),
        1 => weighted.prop_map(Outcome::Failure),
        1 => duration(100_000).prop_map(|wait| Failure::new().rate_limited().retry_after(wait).into()),
        1 => Just(Failure::new().tripping().into()),
    ]
}

/// Nanoseconds matter at the borders, so most durations are round and some are one off.
fn duration(most_millis: u64) -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..=most_millis).prop_map(Duration::from_millis),
        (1..=most_millis.div_ceil(1_000)).prop_map(Duration::from_secs),
        (1..=most_millis.div_ceil(1_000)).prop_map(|secs| Duration::from_secs(secs) - Duration::from_nanos(1)),
        Just(Duration::from_nanos(1)),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        Just(Window::DEFAULT),
        (1..=30u64, 1..=40u32).prop_map(|(secs, buckets)| Window::time(Duration::from_secs(secs)).buckets(buckets)),
        (1..=130u32).prop_map(Window::count),
    ]
}

fn rate() -> impl Strategy<Value = FailureRate> {
    (0.01..=1.0f64, 1..=30u32, window()).prop_map(|(threshold, minimum, window)| {
        let minimum = if let Window::Count { calls } = window { minimum.min(calls) } else { minimum };
        FailureRate::new(threshold).minimum_calls(minimum).window(window)
    })
}

fn probing() -> impl Strategy<Value = Probing> {
    let jitter = prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full), Just(Jitter::Spread(0.3))];
    prop_oneof![
        Just(Probing::SQUARE_ROOT),
        (1..=10u64, 1.0..4.0f64, jitter.clone()).prop_map(|(secs, factor, jitter)| Probing::Backoff {
            base: Duration::from_secs(secs),
            factor,
            max: Duration::from_secs(30),
            jitter,
        }),
        (1..=10u64, jitter).prop_map(|(secs, jitter)| Probing::Fixed { wait: Duration::from_secs(secs), jitter }),
    ]
}

fn half_open() -> impl Strategy<Value = HalfOpen> {
    let verdict = prop_oneof![
        (1..=4u32).prop_map(|successes| HalfOpen::new().success_threshold(successes)),
        (1..=6u32, 0.1..=1.0f64).prop_map(|(probes, threshold)| HalfOpen::new().failure_rate(probes, threshold)),
    ];
    (verdict, 1..=3u32, 1..=20u64, 0..=40u64, 0..=3u32).prop_map(|(half_open, concurrent, lease, longer, ignored)| {
        half_open
            .max_concurrent_probes(concurrent)
            .probe_timeout(Duration::from_secs(lease))
            .max_wait(Duration::from_secs(lease + longer))
            .ignored_as_alive(ignored)
    })
}

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![
        Just(Recovery::Probes),
        (1..=5u64, 1..=8u32)
            .prop_map(|(secs, net)| Recovery::Ramp(Ramp::new().step(Duration::from_secs(secs)).tolerance(net))),
        (1..=3_000u64, 1..=8u32).prop_map(|(millis, net)| {
            Recovery::Window(RecoveryWindow::new().probation(Duration::from_millis(millis)).tolerance(net))
        }),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    use proptest::option::of;
    let rules = (
        of(Just(Evidence::new())),
        of(rate()),
        of(rate()),
        of((1..3_000u64, rate())),
        of((1..12u32, 0..3_000u64)),
        of((1..12u32, 1..20u64)),
    );
    let cancelled = prop_oneof![
        Just(CancelledAfter::SlowCall),
        Just(CancelledAfter::Never),
        (1..5_000u64).prop_map(|millis| CancelledAfter::After(Duration::from_millis(millis))),
    ];
    let initial = prop_oneof![
        8 => Just(State::Closed),
        1 => Just(State::Open),
        1 => Just(State::HalfOpen),
        1 => Just(State::Recovering),
    ];
    (rules, probing(), half_open(), recovery(), cancelled, initial).prop_map(
        |((evidence, failure_rate, burst, slow, run, count), probing, half_open, recovery, cancelled, initial)| {
            let mut config = Config::without_rules()
                .probing(probing)
                .half_open(half_open)
                .recovery(recovery)
                .cancelled_after(cancelled)
                .initial_state(initial);
            config.evidence = evidence;
            config.failure_rate = failure_rate;
            config.burst = burst;
            config.slow_calls = slow.map(|(millis, rate)| {
                SlowCalls::new(Duration::from_millis(millis))
                    .threshold(rate.threshold)
                    .minimum_calls(rate.minimum_calls)
                    .window(rate.window)
            });
            config.consecutive_failures =
                run.map(|(n, millis)| Consecutive::new(n).span(Duration::from_millis(millis)));
            config.failure_count = count.map(|(n, secs)| FailureCount::new(n, Duration::from_secs(secs)));
            config
        },
    )
}
