//! Who has which settings.

use std::time::Duration;

use tower_breaker::{
    CircuitsConfig, Config, Mode, State, Weight,
    bulkhead::BulkheadConfig,
    config::{
        CancelledAfter, Consecutive, Evidence, FailureCount, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery,
        RecoveryWindow, SlowCalls, Window,
    },
    retry::{Backoff, RetryConfig, Spread},
    stack::{Stack, StackConfig},
};

use crate::{faults, read};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

#[test]
fn an_empty_file_is_what_is_recommended() {
    assert_eq!(read(""), CircuitsConfig::default());
    assert_eq!(read("").by_name("it").config, Config::new());
    assert_eq!(read("").by_name("it").retry(), Some(RetryConfig::new()));
}

#[test]
fn each_setting_reaches_its_field() {
    let it = read(
        "[by_name.it]
        mode = 'metrics_only'
        evidence = { useless = '80%', tolerated = 0.1, false_opens = '1%', floor = 4, persistence = '1s' }
        failure_rate = { threshold = '30%', minimum_calls = '50', window = '1m 30s', buckets = 9 }
        burst = { threshold = 0.9, window = '100 calls' }
        slow_calls = { duration = '2s', threshold = 0.8, minimum_calls = 7, window = '3s' }
        consecutive_failures = { failures = 5, span = '200ms' }
        failure_count = { failures = 9, period = '1h' }
        max_retry_after = '5m'
        probing = { kind = 'backoff', base = '1s', factor = 3, max = '2m', jitter = '10%' }
        half_open = { max_concurrent_probes = 2, probe_timeout = '3s', max_wait = '4s', ignored_as_alive = 0, verdict = { probes = 8, threshold = 0.25 } }
        recovery.ramp = { shares = ['5%', 0.5], step = '2s', tolerance = 3 }
        cancelled_after = '700ms'
        initial_state = 'recovering'
        [by_name.it.retry]
        attempts = 4
        backoff = { base = '10ms', factor = 1.5, max = '1s', spread = 'equal' }
        deadline = '7s'
        max_retry_after = '2s'
        timeout_cost = 5",
    )
    .by_name("it");
    let expected = Config::new()
        .evidence(Evidence::new().useless(0.8).tolerated(0.1).false_opens(0.01).floor(4).persistence(SECOND))
        .failure_rate(FailureRate::new(0.3).minimum_calls(50).window(Window::time(90 * SECOND).buckets(9)))
        .burst(FailureRate::new(0.9).window(Window::count(100)))
        .slow_calls(SlowCalls::new(2 * SECOND).threshold(0.8).minimum_calls(7).window(Window::time(3 * SECOND)))
        .consecutive_failures(Consecutive::new(5).span(200 * MS))
        .failure_count(FailureCount::new(9, 3_600 * SECOND))
        .max_retry_after(300 * SECOND)
        .probing(Probing::Backoff { base: SECOND, factor: 3.0, max: 120 * SECOND, jitter: Jitter::Spread(0.1) })
        .half_open(
            HalfOpen::new()
                .failure_rate(8, 0.25)
                .max_concurrent_probes(2)
                .probe_timeout(3 * SECOND)
                .max_wait(4 * SECOND)
                .ignored_as_alive(0),
        )
        .recovery(Recovery::Ramp(Ramp::new().shares([0.05, 0.5, 1.0, 1.0]).step(2 * SECOND).tolerance(3)))
        .cancelled_after(CancelledAfter::After(700 * MS))
        .initial_state(State::Recovering);
    assert_eq!((it.config, it.mode), (expected, Mode::MetricsOnly));
    let retry = it.retry().expect("it is on");
    assert_eq!(retry.backoff, Backoff::new(10 * MS, SECOND).factor(1.5).spread(Spread::Equal));
    assert_eq!((retry.attempts, retry.deadline, retry.max_retry_after), (4, 7 * SECOND, 2 * SECOND));
    assert_eq!(retry.timeout_cost, Weight::new(5.0).expect("a weight"));
}

#[test]
fn the_other_kinds_are_read_too() {
    let config = read(
        "[by_name.it]
        evidence = false
        failure_rate = 'false'
        probing = { kind = 'fixed', wait = '3s', jitter = 'full' }
        half_open.verdict.successes = 3
        recovery.window = { probation = '2s', max_probation = '9s', tolerance = 4 }
        cancelled_after = 'never'
        initial_state = 'open'
        [by_name.plain]
        probing = { scale = '1s', max = '1m', spread = '0%' }
        recovery = 'probes'
        cancelled_after = 0",
    );
    let window = RecoveryWindow::new().probation(2 * SECOND).max_probation(9 * SECOND).tolerance(4);
    let it = Config::without_rules()
        .probing(Probing::Fixed { wait: 3 * SECOND, jitter: Jitter::Full })
        .half_open(HalfOpen::new().success_threshold(3))
        .recovery(Recovery::Window(window))
        .cancelled_after(CancelledAfter::Never)
        .initial_state(State::Open);
    assert_eq!(config.by_name("it").config, it);
    let plain = Config::new()
        .probing(Probing::SquareRoot { scale: SECOND, max: 60 * SECOND, spread: 0.0 })
        .recovery(Recovery::Probes)
        .cancelled_after(CancelledAfter::After(Duration::ZERO));
    assert_eq!(config.by_name("plain").config, plain);
}

#[test]
fn a_table_inherits_from_its_base_and_a_base_from_its_own_or_the_defaults() {
    let config = read(
        "[defaults]
        failure_rate = { threshold = 0.1, minimum_calls = 11 }
        mode = 'metrics_only'
        [bases.slow]
        slow_calls.duration = '2s'
        [bases.slower]
        base = 'slow'
        slow_calls.threshold = 0.9
        failure_rate.threshold = 0.2
        [by_name.it]
        base = 'slower'
        mode = 'auto'
        failure_rate.minimum_calls = 33
        [by_name.other]
        [by_name.old]
        base = 'hystrix'
        [by_key.tenants]
        failure_rate.threshold = 0.4
        [by_key.tenants.keys.acme]
        failure_rate.minimum_calls = 44",
    );
    let base = Config::new().failure_rate(FailureRate::new(0.1).minimum_calls(11));
    let it = base
        .slow_calls(SlowCalls::new(2 * SECOND).threshold(0.9))
        .failure_rate(FailureRate::new(0.2).minimum_calls(33));
    assert_eq!((config.by_name("it").config, config.by_name("it").mode), (it, Mode::Auto));
    assert_eq!((config.by_name("other").config, config.by_name("other").mode), (base, Mode::MetricsOnly));
    assert_eq!(config.by_name("nobody"), config.defaults());
    assert_eq!(config.names().collect::<Vec<_>>(), ["it", "old", "other"]);
    // A preset is whole: the defaults are not under it.
    assert_eq!((config.by_name("old").config, config.by_name("old").mode), (Config::hystrix(), Mode::Auto));
    let of = |registry, key| config.by_key(registry, key).config.failure_rate;
    assert_eq!(of("tenants", "umbrella"), Some(FailureRate::new(0.4).minimum_calls(11)));
    assert_eq!(of("tenants", "acme"), Some(FailureRate::new(0.4).minimum_calls(44)));
    assert_eq!(of("hosts", "acme"), base.failure_rate);
}

#[test]
fn true_leaves_the_numbers_as_they_are_and_switches_on_what_was_off() {
    let config = read(
        "[bases.off]
        failure_rate.threshold = 0.2
        evidence = false
        [by_name.it]
        base = 'off'
        failure_rate = true
        evidence = true",
    );
    assert_eq!(config.by_name("it").config, Config::new().failure_rate(FailureRate::new(0.2)));
}

#[test]
fn the_kill_switch_is_stronger_than_the_file_and_reaches_whom_it_names() {
    let config = read("[by_name.it]\nmode = 'forced_open'\n[by_key.tenants]").disable(" it ,, tenants");
    assert_eq!(config.by_name("it").mode, Mode::Disabled);
    assert_eq!(config.by_key("tenants", "acme").mode, Mode::Disabled);
    assert_eq!((config.by_name("other").mode, config.defaults().mode), (Mode::Auto, Mode::Auto));
    let config = config.disable("*");
    assert_eq!((config.by_name("other").mode, config.defaults().mode), (Mode::Disabled, Mode::Disabled));
}

#[test]
fn a_stack_has_the_mode_of_its_table_and_obeys_the_kill_switch() {
    let config = read("[by_name.watched]\nmode = 'metrics_only'");
    let mode = |config: &CircuitsConfig, name: &str| {
        let stack = Stack::http_client(name).config(config.by_name(name).stack()).build().expect("it fits together");
        stack.circuit().mode()
    };
    assert_eq!((mode(&config, "watched"), mode(&config, "other")), (Mode::MetricsOnly, Mode::Auto));
    let config = config.disable("*");
    assert_eq!((mode(&config, "watched"), mode(&config, "other")), (Mode::Disabled, Mode::Disabled));
}

#[test]
fn a_stack_is_read_with_its_parts_and_what_is_inherited() {
    let config = read(
        "[bases.quick]
        timeouts = { attempt = '20s', total = '4s' } # on its own it would not fit
        retry = { attempts = 2, ratio = '0.1', deadline = '3s' }
        bulkhead = { limit = 7, queue = 3, max_wait = '1s' }
        [by_name.client]
        base = 'quick'
        timeouts.attempt = '1s'
        failure_rate.threshold = 0.3
        [by_name.server]
        timeouts.total = false
        retry = false
        [by_name.bare]
        base = 'quick'
        timeouts = { attempt = false, total = 'false' }
        bulkhead = false
        retry = 'false'
        [by_name.again]
        base = 'quick'
        timeouts.attempt = '1s'
        retry = true",
    );
    let client = config.by_name("client").stack();
    assert_eq!((client.attempt, client.total), (Some(SECOND), Some(4 * SECOND)));
    assert_eq!((client.retry, client.retry_ratio), (Some(RetryConfig::new().attempts(2).deadline(3 * SECOND)), 0.1));
    assert_eq!(client.bulkhead, Some(BulkheadConfig::new(7).queue(3, SECOND)));
    assert_eq!(client.circuit.failure_rate, Some(FailureRate::new(0.3)));
    assert_eq!(config.by_name("again").stack().retry, client.retry, "true leaves the numbers as they are");
    let server = config.by_name("server").stack();
    assert_eq!((server.total, server.retry, server.attempt), (None, None, StackConfig::new().attempt));
    let bare = config.by_name("bare").stack();
    assert_eq!((bare.attempt, bare.total, bare.bulkhead, bare.retry), (None, None, None, None));
    assert_eq!(config.by_name("other").stack(), StackConfig::new());
    for name in config.names() {
        assert_eq!(config.by_name(name).stack().check(), Ok(()), "{name}");
    }
}

#[test]
fn who_uses_no_stack_is_not_told_how_its_parts_should_fit() {
    // An attempt of five seconds, the default, would be too long for this window.
    let circuit = "[by_name.it]\nfailure_rate.window = '2s'\n";
    assert!(read(circuit).by_name("it").stack().check().is_err());
    let told = faults(&format!("{circuit}[defaults]\nbulkhead.limit = 9"));
    assert_eq!(told, ["`by_name.it.timeouts.attempt` is 5s, must be at most 1s, half of the window of `failure_rate`"]);
}

#[test]
fn what_does_not_fit_is_told_where_it_stands_and_nowhere_else() {
    let file = "[defaults]\ntimeouts.total = '20s'\n[by_name.a]\n[by_name.b]\ntimeouts.attempt = '9s'\nretry = false";
    let told = faults(file);
    let begins = ["`defaults.retry.deadline` is 30s", "`by_name.b.timeouts.attempt` is 9s"];
    assert!(told.len() == 2 && told.iter().zip(begins).all(|(told, begin)| told.starts_with(begin)), "{told:?}");
}
