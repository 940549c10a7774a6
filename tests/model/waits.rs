//! How long an open circuit waits: P19, the sequence before jitter; P20, how jitter spreads it.

use std::time::Duration;

use tower_breaker::{
    Config, Instant, Outcome, State,
    config::{Consecutive, Jitter, Probing, Ramp, Recovery},
    machine::Machine,
};

const SECOND: Duration = Duration::from_secs(1);

fn tripping(probing: Probing) -> Config {
    Config::without_rules()
        .consecutive_failures(Consecutive::new(1))
        .probing(probing)
        .recovery(Recovery::Probes)
        .max_retry_after(Duration::from_millis(1))
}

/// Lets the next call end so, after the wait if there is one; which wait follows.
fn call(machine: &mut Machine, now: &mut Instant, outcome: Outcome) -> Option<Duration> {
    *now = now.after(machine.snapshot(*now).retry_after.unwrap_or_default());
    let stamp = machine.admit(*now).expect("the wait is over");
    machine.settle(stamp, Some(outcome), *now);
    machine.snapshot(*now).retry_after
}

/// In whole nanoseconds of a 64-bit float, as far as one can tell a wait.
fn near(wait: Duration, expected: f64) -> bool {
    (wait.as_secs_f64() - expected).abs() <= 2e-9 + expected * 1e-12
}

#[test]
fn the_wait_is_the_base_times_the_factor_to_the_power_of_the_failed_probes_up_to_the_cap() {
    for (base, factor, max) in
        [(1.0, 2.0, 60.0), (5.0, 1.0, 5.0), (0.001, 1.1, 31e6), (0.25, 3.0, 1e4), (1.0, 100.0, 1e7)]
    {
        let seconds = Duration::from_secs_f64;
        let probing = Probing::Backoff { base: seconds(base), factor, max: seconds(max), jitter: Jitter::None };
        let mut machine = Machine::new("it", tripping(probing), 1, Instant::ZERO).expect("within bounds");
        let mut now = Instant::ZERO;
        let mut expected: f64 = base;
        let mut capped = 0;
        for k in 0..400 {
            // 31 million seconds times 400 are beyond the end of time: there the clock stands still.
            if now.as_nanos() > u64::MAX / 2 {
                break;
            }
            let wait = call(&mut machine, &mut now, Outcome::failure()).expect("open");
            assert!(near(wait, expected), "{wait:?} after {k} failed probes, not {expected} s: {probing:?}");
            expected = (expected * factor).min(max);
            capped += u32::from(expected >= max);
        }
        assert!(capped > 10, "{probing:?} never reached its cap");
    }
}

/// 2^32 failed probes take too long, but not the numbers around them: the cap holds whatever the streak.
#[test]
fn a_wait_of_a_very_long_outage_neither_wraps_nor_grows() {
    let probing = Probing::Backoff { base: SECOND, factor: 2.0, max: 2 * SECOND, jitter: Jitter::None };
    let mut machine = Machine::new("it", tripping(probing), 1, Instant::ZERO).expect("within bounds");
    let mut now = Instant::ZERO;
    for k in 0..70_000u32 {
        let wait = call(&mut machine, &mut now, Outcome::failure());
        assert_eq!(wait, Some(if k == 0 { SECOND } else { 2 * SECOND }), "after {k} failed probes");
        machine.next_event();
        machine.next_event();
    }
}

#[test]
fn the_streak_is_forgotten_only_after_the_whole_recovery() {
    let probing = Probing::Backoff { base: SECOND, factor: 2.0, max: 60 * SECOND, jitter: Jitter::None };
    let ramp = Ramp::new().step(SECOND).tolerance(1);
    let config = tripping(probing).recovery(Recovery::Ramp(ramp));
    let mut machine = Machine::new("it", config, 1, Instant::ZERO).expect("within bounds");
    let mut now = Instant::ZERO;
    for secs in [1, 2, 4] {
        assert_eq!(call(&mut machine, &mut now, Outcome::failure()), Some(secs * SECOND));
    }
    // A good probe is not the end of it.
    call(&mut machine, &mut now, Outcome::Success);
    assert_eq!(machine.state(), State::Recovering);
    assert_eq!(call(&mut machine, &mut now, Outcome::failure()), Some(8 * SECOND));
    call(&mut machine, &mut now, Outcome::Success);
    now = now.after(4 * SECOND);
    call(&mut machine, &mut now, Outcome::Success);
    assert_eq!(machine.state(), State::Closed);
    assert_eq!(call(&mut machine, &mut now, Outcome::failure()), Some(SECOND));
}

/// The first wait of a circuit that trips at the same instant as all others.
fn first_wait(probing: Probing, seed: u64) -> Duration {
    let mut machine = Machine::new("it", tripping(probing), seed, Instant::ZERO).expect("within bounds");
    call(&mut machine, &mut Instant::ZERO.clone(), Outcome::failure()).expect("open")
}

/// Of a hundred times 1,000 circuits that trip together, none of the 1 % stretches of the wait gets more than 5 % of a
/// thousand (Poisson: ten of 1,000 expected where the whole wait is used, twenty for equal jitter), and the waits are
/// spread evenly: chi-square over ten parts with nine degrees of freedom, 27.9 at p = 0.001.
#[test]
fn jitter_spreads_those_that_trip_together() {
    let wait = 10 * SECOND;
    for (jitter, low, high) in
        [(Jitter::Equal, 5.0, 10.0), (Jitter::Full, 0.0, 10.0), (Jitter::Spread(0.25), 7.5, 12.5)]
    {
        for probing in
            [Probing::Fixed { wait, jitter }, Probing::Backoff { base: wait, factor: 2.0, max: wait, jitter }]
        {
            let mut unlikely = 0;
            for hundred in 0..100u64 {
                let waits: Vec<f64> =
                    (0..1_000).map(|seed| first_wait(probing, hundred * 1_000 + seed).as_secs_f64()).collect();
                assert!(waits.iter().all(|wait| (low..=high).contains(wait)), "out of bounds: {probing:?}");
                let mut hundredths = [0u32; 130];
                let mut tenths = [0f64; 10];
                for wait in waits {
                    hundredths[(wait * 10.0) as usize] += 1;
                    tenths[(((wait - low) / (high - low) * 10.0) as usize).min(9)] += 1.0;
                }
                let most = hundredths.iter().max().expect("there are some");
                assert!(*most <= 50, "{most} of 1,000 within 1 % of the wait: {probing:?}");
                let chi: f64 = tenths.iter().map(|seen| (seen - 100.0).powi(2) / 100.0).sum();
                unlikely += u32::from(chi > 27.9);
            }
            // One in a thousand is expected.
            assert!(unlikely <= 2, "{unlikely} of 100 are unevenly spread: {probing:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_waits_and_another_seed_others() {
    let waits = |seed: u64| -> Vec<Duration> {
        let probing = Probing::backoff(SECOND, 60 * SECOND);
        let mut machine = Machine::new("it", tripping(probing), seed, Instant::ZERO).expect("within bounds");
        let mut now = Instant::ZERO;
        (0..20).map(|_| call(&mut machine, &mut now, Outcome::failure()).expect("open")).collect()
    };
    for seed in 0..1_000 {
        assert_eq!(waits(seed), waits(seed), "seed {seed}");
        assert_ne!(waits(seed), waits(seed + 1), "seed {seed}");
    }
}
