//! States over a restart: what is written, what is read, and what becomes of it.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tower_breaker::{
    Circuit, CircuitsConfig, Config, Mode, Outcome, Registry, State,
    circuit::Saved,
    clock::ManualClock,
    config::{Consecutive, Probing},
    machine::NotRestored,
    registry::{RegistryBuilder, SavedCircuits},
    settings::Draft,
};

use crate::read;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const RUN: Config = Config::without_rules().consecutive_failures(Consecutive::new(1)).probing(Probing::fixed(MINUTE));

fn by_name() -> Registry {
    Registry::by_name().config(RUN).clock(ManualClock::new()).build().expect("the settings are good")
}

fn trip(circuit: &Circuit) {
    circuit.try_acquire().expect("it is closed").record(Outcome::failure());
}

fn lines(registry: &Registry, saved: &SavedCircuits, later: Duration) -> Vec<String> {
    registry.restore_at(saved, 10 * MINUTE, saved.at + later).to_string().lines().map(str::to_owned).collect()
}

/// Two circuits of note among three.
fn saved() -> SavedCircuits {
    let circuits = by_name();
    trip(&circuits.circuit("payments"));
    circuits.circuit("search").set_mode(Mode::ForcedOpen, Some(30 * SECOND));
    circuits.circuit("mail");
    circuits.save()
}

#[test]
fn circuits_of_note_come_back_and_each_is_told() {
    let (saved, circuits) = (saved(), by_name());
    assert_eq!(lines(&circuits, &saved, 20 * SECOND), ["payments: open again", "search: in its mode again"]);
    let payments = circuits.circuit("payments").snapshot();
    assert_eq!(
        (payments.state, payments.retry_after, payments.outage),
        (State::Open, Some(40 * SECOND), Some(20 * SECOND))
    );
    assert!(
        payments.explain().starts_with("open: restored, it had opened because: 1 failures in a row"),
        "{payments:?}"
    );
    assert_eq!(circuits.circuit("search").snapshot().mode_ends_in, Some(10 * SECOND));
    assert_eq!(circuits.len(), 2, "of `mail` there was nothing to say");
}

#[test]
fn a_mode_that_code_or_settings_gave_is_not_saved_since_they_give_it_again() {
    let circuits = by_name();
    let own = Circuit::builder("own").mode(Mode::MetricsOnly).build().expect("the settings are good");
    circuits.insert("own".to_owned(), own.clone());
    let _ = circuits.apply(&read("[by_name.file]\nmode = 'disabled'"));
    assert_eq!(circuits.save().circuits.keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(own.save().memory.mode, Mode::Auto);
    own.metrics_only();
    circuits.circuit("file").force_open();
    let saved = circuits.save().circuits;
    let modes = saved.iter().map(|(name, memory)| (name.as_str(), memory.mode)).collect::<Vec<_>>();
    assert_eq!(modes, [("file", Mode::ForcedOpen), ("own", Mode::MetricsOnly)], "an operator has said so");
}

#[test]
fn what_is_not_restored_is_told_with_the_reason() {
    let saved = saved();
    let told = |later| lines(&by_name(), &saved, later);
    assert_eq!(told(31 * SECOND), ["payments: open again", "search: not in its mode again: its time is over"]);
    let old = "not restored: it was saved too long ago";
    assert_eq!(told(601 * SECOND), [format!("payments: {old}"), format!("search: {old}")]);

    let earlier = by_name().restore_at(&saved, MINUTE, saved.at - SECOND);
    assert_eq!(earlier.circuits["payments"].state, Err(NotRestored::FromTheFuture));

    let circuits = by_name();
    let payments = circuits.circuit("payments");
    trip(&payments);
    payments.reset();
    circuits.circuit("search").disable();
    let newer = "the circuit knows better by now";
    let expected = [format!("payments: not open again: {newer}"), format!("search: not in its mode again: {newer}")];
    assert_eq!(lines(&circuits, &saved, SECOND), expected);
    assert_eq!((payments.state(), circuits.circuit("search").mode()), (State::Closed, Mode::Disabled));
}

#[test]
fn a_registry_without_room_or_with_other_keys_says_so() {
    let full = Registry::by_name().capacity(0).build().expect("the settings are good");
    assert_eq!(lines(&full, &saved(), SECOND)[0], "payments: not restored: there is no room for another circuit");
    assert_eq!(full.overflow().state(), State::Closed, "strangers share it");

    let shards = || RegistryBuilder::<u32>::new("shards").config(RUN).clock(ManualClock::new()).build();
    let (before, after) = (shards().expect("good settings"), shards().expect("good settings"));
    trip(&before.circuit(&7));
    let mut saved = before.save();
    let seven = saved.circuits["7"].clone();
    saved.circuits.insert("seven".to_owned(), seven);
    let restoration = after.restore_at(&saved, MINUTE, saved.at);
    assert_eq!(restoration.to_string(), "7: open again\nseven: not restored: it is no key of this registry");
    assert_eq!((after.circuit(&7).state(), after.len()), (State::Open, 1));
}

#[test]
fn a_mode_of_the_settings_is_left_to_the_settings() {
    let file = |mode: &str| read(&format!("[by_name.a]\nmode = '{mode}'\n[by_name.b]\n"));
    let circuits = by_name();
    let _ = circuits.apply(&file("metrics_only"));
    assert!(circuits.save().circuits.is_empty());
    circuits.circuit("a").set_mode(Mode::MetricsOnly, Some(MINUTE));
    circuits.circuit("b").force_open();
    assert_eq!(circuits.save().circuits.keys().collect::<Vec<_>>(), ["a", "b"], "an operator's wish");

    let after = by_name();
    let _ = after.apply(&CircuitsConfig::default().disable("b"));
    let restoration = after.restore(&circuits.save(), MINUTE);
    assert_eq!(restoration.circuits["b"].mode, Err(NotRestored::Newer), "the kill switch is stronger");
}

#[test]
fn what_is_written_is_read_again_in_every_format() {
    let saved = saved();
    let json = serde_json::to_string(&saved).expect("it can be written");
    assert_eq!(serde_json::from_str::<SavedCircuits>(&json).expect("it can be read"), saved);
    let toml = toml::Table::try_from(&saved).expect("it can be written");
    assert_eq!(toml.try_into::<SavedCircuits>().expect("it can be read"), saved);
    let figment = figment::Figment::from(figment::providers::Serialized::defaults(&saved));
    assert_eq!(figment.extract::<SavedCircuits>().expect("it can be read"), saved);

    let circuit = Circuit::builder("one").config(RUN).build().expect("the settings are good");
    trip(&circuit);
    let one = circuit.save();
    let json = serde_json::to_string(&one).expect("it can be written");
    assert_eq!(serde_json::from_str::<Saved>(&json).expect("it can be read"), one);
}

#[test]
fn the_form_of_the_file_is_that_of_its_version() {
    let mut saved = saved();
    saved.at = SystemTime::UNIX_EPOCH;
    let payments = saved.circuits.get_mut("payments").and_then(|memory| memory.outage.as_mut()).expect("it was open");
    payments.usual_latency = Some(Duration::from_millis(1_500));
    let expected = serde_json::json!({
        "version": 1,
        "saved_at": "1970-01-01T00:00:00.000000000Z",
        "circuits": {
            "payments": {
                "state": "open", "mode": "auto", "wait_left": "1m", "outage_lasted": "0s",
                "reason": "1 failures in a row over 0.0ns, 1 open it", "openings": 1, "failed_probes": 0, "relapses": 0,
                "traffic": 1.0, "usual_latency": "1s 500ms",
            },
            "search": { "state": "closed", "mode": "forced_open", "mode_ends_in": "30s" },
        },
    });
    assert_eq!(serde_json::to_value(&saved).expect("it can be written"), expected);
}

fn faults(value: serde_json::Value) -> Vec<String> {
    let draft: Draft = serde_json::from_value(value).expect("a draft takes everything");
    let error = SavedCircuits::try_from(&draft).expect_err("it is refused");
    error.faults().iter().map(ToString::to_string).collect()
}

#[test]
fn what_cannot_be_read_is_told_at_once_with_its_path() {
    let state = serde_json::json!({ "state": "opened", "wait_lef": "1s", "traffic": -1, "openings": "many" });
    let found = faults(serde_json::json!({ "version": 1, "saved_at": "now", "circuits": { "a.b": state, "c": {} } }));
    let begins = [
        "`saved_at` is \"now\", must be a date such as",
        "`circuits.\"a.b\".state` is \"opened\", must be one of `closed`, `open`, `half_open`, `recovering`",
        "`circuits.\"a.b\".openings` is \"many\", must be a whole number",
        "`circuits.\"a.b\".traffic` is -1, must be a number, zero or above",
        "`circuits.\"a.b\".wait_lef` is \"1s\", must be absent: there are only `wait_left`",
        "`circuits.c.state` is missing, must be one of",
    ];
    assert!(
        found.len() == begins.len() && found.iter().zip(begins).all(|(found, begin)| found.starts_with(begin)),
        "{found:#?}"
    );
}

#[test]
fn another_version_is_refused_and_nothing_else_is_said_of_it() {
    let found = faults(serde_json::json!({ "version": 2, "saved": 0, "circuits": [] }));
    assert_eq!(found, ["`version` is 2, must be 1: another version of this crate has written it"]);
    assert_eq!(faults(serde_json::json!({})).len(), 2, "neither version nor date");
    let error = serde_json::from_str::<Saved>(r#"{"version": 2}"#).expect_err("it is refused");
    assert!(error.to_string().contains("`version` is 2"), "{error}");
    let mut saved = saved();
    for at in [SystemTime::UNIX_EPOCH - SECOND, SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)] {
        saved.at = at;
        assert!(serde_json::to_string(&saved).expect_err("no such year").to_string().contains("a date from 1970"));
    }
}

/// Numbers of any size, in the fields that there are.
fn anything() -> impl Strategy<Value = serde_json::Value> {
    let number =
        || prop_oneof![any::<u32>().prop_map(serde_json::Value::from), Just(1e300.into()), Just(u32::MAX.into())];
    let span = || "([0-9]{1,3}(y|h|s|ns)|500000000000y|18446744073709551615s)".prop_map(serde_json::Value::from);
    let field = prop_oneof![
        ("mode", "auto|forced_open|forced_closed|metrics_only".prop_map(serde_json::Value::from)),
        ("openings|failed_probes|relapses|traffic", number()),
        ("wait_left|mode_ends_in|outage_lasted|usual_latency", span()),
    ];
    let state = "open|half_open|recovering|closed".prop_map(serde_json::Value::from);
    (state, proptest::collection::vec(field, 0..10)).prop_map(|(state, fields)| {
        let fields = fields.into_iter().chain([("state".to_owned(), state)]);
        serde_json::Value::Object(fields.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file that was tampered with, or is of another machine, does not stop a circuit for longer than its settings say.
    #[test]
    fn whatever_was_saved_the_circuit_goes_on(said in anything(), ago in 0..100_000_u64, classic in any::<bool>()) {
        let file = serde_json::json!({ "version": 1, "saved_at": "2026-01-01T00:00:00Z", "circuits": { "a": said } });
        if let Ok(saved) = serde_json::from_value::<SavedCircuits>(file) {
            let clock = ManualClock::new();
            let config = if classic { Config::classic() } else { Config::new() };
            let circuits = Registry::by_name().config(config).clock(clock.clone()).build().expect("good settings");
            let restored = circuits.restore_at(&saved, Duration::MAX, saved.at + Duration::from_secs(ago));
            let circuit = circuits.circuit("a");
            prop_assert_eq!(circuit.state() == State::Open, restored.circuits["a"].state.is_ok());
            circuit.auto();
            clock.advance(2 * MINUTE);
            for _ in 0..200 {
                if let Ok(permit) = circuit.try_acquire() {
                    permit.record(Outcome::Success);
                }
                prop_assert!(!circuit.explain().is_empty());
                clock.advance(SECOND);
            }
// With a traffic that nobody has it is long until the window is as wide as that; but it does not bind.
            let passes = matches!(circuit.state(), State::Closed | State::Recovering) && circuit.check().is_ok();
            prop_assert!(passes, "{}", circuit.explain());
        }
    }
}
