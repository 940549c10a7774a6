//! What is wrong is told at once, with its path, its value and its bound.

use proptest::prelude::*;
use tower_breaker::settings::{Draft, TomlDraft};

use crate::{App, faults};

/// Below `by_name.it`: what stands there, and what is said of it.
pub(crate) const FAULTS: [(&str, &str); 57] = [
    ("failure_rate.threshold = 1.5", "`failure_rate.threshold` is 1.5, must be a share such as `0.5` or `\"50%\"`"),
    ("failure_rate.threshold = 50", "`failure_rate.threshold` is 50, must be a share such as `0.5` or `\"50%\"`"),
    ("failure_rate.threshold = '150%'", "`failure_rate.threshold` is 1.5, must be above 0 and at most 1"),
    ("failure_rate.threshold = nan", "`failure_rate.threshold` is NaN, must be above 0 and at most 1"),
    ("failure_rate.threshold = 'half'", "`failure_rate.threshold` is \"half\", must be a share such as"),
    ("failure_rate.minimum_calls = 0", "`failure_rate.minimum_calls` is 0, must be from 1 to 1000000"),
    (
        "failure_rate.minimum_calls = -1",
        "`failure_rate.minimum_calls` is -1, must be a whole number, at most 4294967295",
    ),
    ("failure_rate.minimum_calls = 1.5", "`failure_rate.minimum_calls` is 1.5, must be a whole number"),
    ("failure_rate.minimum_calls = 4294967296", "`failure_rate.minimum_calls` is 4294967296, must be a whole number"),
    ("failure_rate.window = 30", "`failure_rate.window` is 30, must be a duration such as `30s`, or a number of calls"),
    (
        "failure_rate.window = '10 calls'",
        "`failure_rate.minimum_calls` is 20, must be at most the 10 calls of the window",
    ),
    (
        "failure_rate = { window = '40 calls', buckets = 3 }",
        "`failure_rate.buckets` is 3, must be absent: a window of calls",
    ),
    ("failure_rate.buckets = 1001", "`failure_rate.window` is 1001, must be from 1 to 1000"),
    ("failure_rate = 'on'", "`failure_rate` is \"on\", must be a table, or true or false"),
    ("burst = true", "`burst` is true, must be a table: it has no numbers yet"),
    ("burst.window = '1s'", "`burst.threshold` is missing, must be a share such as"),
    ("slow_calls.threshold = 0.1", "`slow_calls.duration` is missing, must be a duration with its unit"),
    ("slow_calls.duration = '2'", "`slow_calls.duration` is \"2\", must be a duration with its unit, such as `500ms`"),
    (
        "slow_calls.duration = '99999999999999999999s'",
        "`slow_calls.duration` is \"99999999999999999999s\", must be a duration",
    ),
    ("slow_calls.duration = 2", "`slow_calls.duration` is 2, must be a duration with its unit"),
    ("consecutive_failures.span = '1s'", "`consecutive_failures.failures` is missing, must be a whole number"),
    ("failure_count.failures = 3", "`failure_count.period` is missing, must be a duration"),
    ("failure_count = { failures = 3, period = '1ms' }", "`failure_count.period` is 1ms, must be from 10ms to"),
    (
        "evidence.tolerated = '90%'",
        "`evidence.tolerated` is 0.9, must be from 0.001 to nine tenths of `evidence.useless`",
    ),
    (
        "probing.wait = '1s'",
        "`probing.wait` is \"1s\", must be absent: there are only `max`, `kind`, `scale`, `spread`",
    ),
    ("probing.kind = 'fix'", "`probing.kind` is \"fix\", must be one of `backoff`, `fixed`, `square_root`"),
    ("probing.kind = 'fixed'", "`probing.wait` is missing, must be a duration"),
    (
        "probing = { kind = 'fixed', wait = '1s', jitter = 'much' }",
        "`probing.jitter` is \"much\", must be `equal`, `full`, `none`",
    ),
    ("half_open.verdict = { successes = 1, probes = 2 }", "`half_open.verdict.successes` is beside `probes`"),
    ("half_open.verdict.probes = 2", "`half_open.verdict.threshold` is missing, must be a share"),
    ("half_open.max_wait = '1s'", "`half_open.max_wait` is 1s, must be from 30s to"),
    ("recovery = 'slowly'", "`recovery` is \"slowly\", must be `probes`, or a table with `window` or `ramp`"),
    ("recovery = { ramp = {}, window = {} }", "`recovery.ramp` is beside `window`, must be absent, or `window`"),
    ("recovery.ramp.shares = [0.5, 0.1]", "`recovery.ramp.shares` is [0.5, 0.1, 1.0, 1.0], must be not falling"),
    ("recovery.ramp.shares = []", "`recovery.ramp.shares` is a list, must be a list of one to four shares"),
    ("cancelled_after = 'soon'", "`cancelled_after` is \"soon\", must be `never`, `slow_call`, or a duration"),
    (
        "initial_state = 'shut'",
        "`initial_state` is \"shut\", must be one of `closed`, `open`, `half_open`, `recovering`",
    ),
    ("mode = 'off'", "`mode` is \"off\", must be one of `auto`, `forced_open`, `forced_closed`, `disabled`"),
    ("base = 'hystrics'", "`base` is \"hystrics\", must be one of `recommended`, `without_rules`, `classic`"),
    ("tags = 'payments'", "`tags` is \"payments\", must be a table"),
    ("tags.tier = 1", "`tags.tier` is 1, must be text"),
    ("bulkhead.queue = 3", "`bulkhead.limit` is missing, must be a whole number"),
    ("bulkhead.limit = 0", "`bulkhead.limit` is 0, must be from 1 to 1000000"),
    ("bulkhead = true", "`bulkhead` is true, must be a table: it has no numbers yet"),
    ("timeouts = '5s'", "`timeouts` is \"5s\", must be a table"),
    (
        "timeouts.attempt = 5",
        "`timeouts.attempt` is 5, must be a duration with its unit, such as `500ms` or `30s`, or false",
    ),
    ("timeouts.attempt = true", "`timeouts.attempt` is true, must be a duration"),
    ("timeouts.totl = '5s'", "`timeouts.totl` is \"5s\", must be absent: there are only `total`, `attempt`"),
    ("timeouts.total = '400d'", "`timeouts.total` is 34560000s, must be from 1ms to"),
    (
        "timeouts.attempt = '5100ms'",
        "`timeouts.attempt` is 5.1s, must be at most 5s, half of the window of `failure_rate`",
    ),
    (
        "timeouts.attempt = '2s'\nslow_calls.duration = '3s'",
        "`slow_calls.duration` is 3s, must be below the attempt, 2s",
    ),
    ("timeouts.total = '29s'", "`retry.deadline` is 30s, must be at most 29s, the total"),
    ("bulkhead.limit = 5\nretry.attempts = 7", "`retry.attempts` is 7, must be so few that attempts and waits"),
    ("timeouts = {}\nretry.ratio = 3", "`retry.ratio` is 3.0, must be from 0 to 2, the retries of one call"),
    ("retry.ratio = -1", "`retry.ratio` is -1.0, must be from 0 to 10"),
    ("retry.ratio = 0.0001", "`retry.ratio` is 0.0001, must be in steps of 0.001"),
    ("retry.backoff.factor = 0.5", "`retry.backoff.factor` is 0.5, must be from 1.0 to 100.0"),
];

#[test]
fn each_fault_is_one_and_says_its_path_its_value_and_its_bound() {
    for (line, expected) in FAULTS {
        let found = faults(&format!("[by_name.it]\n{line}"));
        let expected = expected.replacen('`', "`by_name.it.", 1);
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{line}: {found:?}\nnot {expected}");
    }
}

#[test]
fn all_faults_of_all_tables_are_told_at_once() {
    let text: String = (0..).zip(FAULTS).map(|(i, (line, _))| format!("[by_name.it{i}]\n{line}\n")).collect();
    assert_eq!(faults(&text).len(), FAULTS.len());
}

#[test]
fn a_key_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let found = faults("[defaults]\nfailure_rat = 0.5\n[by_names.it]\nmode = 'auto'");
    let meant: Vec<_> = found.iter().map(|fault| fault.split("there are only ").nth(1).expect("keys")).collect();
    assert!(meant[0].starts_with("`by_name`, ") && meant[1].starts_with("`failure_rate`, "), "{found:?}");
}

#[test]
fn what_is_inherited_is_told_where_it_stands_and_nowhere_else() {
    let text = "[defaults]\nfailure_rate.minimum_calls = 0\n[bases.slow]\n[by_name.a]\nbase = 'slow'\n[by_name.b]\n[by_key.c.keys.d]";
    assert_eq!(faults(text), ["`defaults.failure_rate.minimum_calls` is 0, must be from 1 to 1000000"]);
}

#[test]
fn one_fault_is_not_told_as_two() {
    let found = faults("[by_name.it.half_open]\nprobe_timeout = '2m'\nmax_wait = 'long'");
    assert_eq!(found.len(), 1, "{found:?}");
    let found =
        faults("[by_name.it]\nfailure_rate = { minimum_calls = 30, window = 'short' }\nevidence.useless = 'much'");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_fault_does_not_hide_its_neighbour() {
    let found = faults("[by_name.it.half_open]\nprobe_timeout = 'long'\nmax_concurrent_probes = 0\nmax_wat = '1s'");
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(faults("defaults.failure_rate.minimum_calls = 0\nby_name.it = 3").len(), 2);
}

#[test]
fn names_that_are_no_words_are_put_in_quotes() {
    let found = faults("[by_name.'api.example.com:443']\nmode = 'of'");
    assert!(found[0].starts_with("`by_name.\"api.example.com:443\".mode` is \"of\""), "{found:?}");
}

#[test]
fn a_base_of_itself_is_refused_and_so_is_a_tower_of_them() {
    let found = faults("[bases.a]\nbase = 'b'\n[bases.b]\nbase = 'a'\n[by_name.it]\nbase = 'a'");
    assert_eq!(found, ["`bases.b.base` is \"a\" (a → b → a), must be no base of itself"]);
    let tower: String = (0..10_000).map(|i| format!("[bases.b{i}]\nbase = 'b{}'\n", i + 1)).collect();
    assert!(faults(&(tower + "[bases.b10000]"))[0].contains("in a row"));
    assert!(faults("[bases.hystrix]")[0].starts_with("`bases.hystrix` is a base of this crate, must be another name"));
}

#[test]
fn the_error_of_the_format_has_all_faults_in_its_text() {
    let error =
        toml::from_str::<App>("[circuits.defaults]\nmode = 'of'\n[circuits.by_name.it]\nburst = 3").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`defaults.mode` is") && text.contains("`by_name.it.burst` is 3"), "{text}");
    let error = serde_json::from_str::<App>(r#"{"circuits": {"defaults": {"mode": 1, "mode": 2}}}"#).unwrap_err();
    assert!(error.to_string().contains("`defaults.mode` is 2, must be given once"), "{error}");
    // No key of a file is taken for what tells where another stands.
    let draft: Draft = serde_json::from_str(r#"{"$__serde_spanned_private_value": {}}"#).expect("it is JSON");
    assert_eq!(draft.check().expect_err("there is no such key").faults().len(), 1);
}

#[test]
fn faults_of_toml_have_lines() {
    let text = "[circuits.defaults]
        mode = 'of'
        evidence = { floor = 0,
            tolerate = 1 }
        [circuits.by_name.'a.b']
        # ä
        burst = {}
        recovery.ramp.shares = [0.5, 0.1]
        [circuits.by_key.c.keys.d]
        base = 'e'";
    #[derive(serde::Deserialize)]
    struct Lined {
        circuits: TomlDraft,
    }
    let lined: Lined = toml::from_str(text).expect("it is TOML");
    let error = lined.circuits.check(text).expect_err("it is refused");
    let mut lines: Vec<_> = error.faults().iter().map(|fault| fault.line().expect("a line")).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 4, 7, 8, 10], "{error}");
    assert!(
        error.to_string().contains("`defaults.mode` is \"of\"") && error.to_string().contains("(line 2)"),
        "{error}"
    );
    let good: Lined = toml::from_str(crate::formats::TOML).expect("it is TOML");
    let plain: App = toml::from_str(crate::formats::TOML).expect("it is good");
    assert_eq!(good.circuits.check(crate::formats::TOML).expect("it is good"), plain.circuits);
}

/// Something that some format can say.
fn anything() -> BoxedStrategy<serde_json::Value> {
    let keys = "defaults|bases|by_name|by_key|keys|base|mode|evidence|failure_rate|burst|slow_calls|probing|half_open|\
                verdict|recovery|ramp|window|shares|retry|backoff|threshold|duration|kind|jitter|hystrix|a|b";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "a|b|hystrix|fixed|backoff|full|never|[0-9]{1,20}(ns|ms|s|m|h|y|%| calls)?".prop_map(Into::into),
    ];
    let node = leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::hash_map(keys, inner, 0..8)
                .prop_map(|table| serde_json::Value::Object(table.into_iter().collect())),
        ]
    });
    node.boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_file_says_the_answer_is_settings_within_bounds_or_faults(said in anything()) {
        let draft: Draft = serde_json::from_value(said).expect("a draft takes everything");
        match draft.check() {
            Ok(config) => prop_assert!(config.by_name("a").config.check().is_ok()),
            Err(error) => prop_assert!(!error.faults().is_empty()),
        }
    }
}
