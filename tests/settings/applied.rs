//! Settings for circuits that run already.

use tower_breaker::{
    Circuit, Config, Failure, Mode, Outcome, Registry, State,
    circuit::Group,
    clock::ManualClock,
    config::{Consecutive, FailureRate},
    settings::Changes,
};

use crate::read;

fn by_name() -> Registry {
    Registry::by_name().clock(ManualClock::new()).build().expect("the settings are good")
}

fn fail(circuit: &Circuit, times: u32) {
    for _ in 0..times {
        circuit.try_acquire().expect("it is closed").record(Outcome::failure());
    }
}

fn lines(changes: &Changes) -> Vec<String> {
    changes.to_string().lines().map(str::to_owned).collect()
}

const RUN: &str = "[defaults]\nevidence = false\nconsecutive_failures.failures = 3\n";

#[test]
fn what_has_changed_is_told_and_so_is_what_has_not() {
    let circuits = by_name();
    let changes = circuits.apply(&read("[by_name.a]\n[by_name.b]\n[by_name.c]"));
    assert_eq!(
        (changes.added, changes.changed.len(), changes.gone.len()),
        (vec!["a".into(), "b".into(), "c".into()], 0, 0)
    );
    assert_eq!(circuits.len(), 3, "circuits are made of tables");

    let text = "[by_name.a]\nfailure_rate = { threshold = 0.3, window = '20 calls' }\nburst = { threshold = 0.9 }\n[by_name.c]\n[by_name.d]";
    let changes = circuits.apply(&read(text));
    assert_eq!((changes.added.as_slice(), changes.gone.as_slice()), (&["d".to_owned()][..], &["b".to_owned()][..]));
    assert_eq!(changes.unchanged, ["b", "c"]);
    let expected = "a: failure_rate.threshold 0.5 → 0.3, failure_rate.window 10s → 20 calls, burst off → on, \
                    burst.threshold none → 0.9, burst.minimum_calls none → 20, burst.window none → 10s, \
                    burst.buckets none → 10, failure_rate.buckets 10 → none";
    assert_eq!(lines(&changes), ["d: added", "b: not in the file any more", expected]);

    let changes = circuits.apply(&read("[by_name.c]\n[by_name.d]"));
    assert_eq!(changes.gone, ["a"]);
    assert_eq!(circuits.find("a").expect("it stays").config(), Config::new(), "with the defaults");
    let again = circuits.apply(&read("[by_name.c]\n[by_name.d]"));
    assert_eq!((again.to_string().as_str(), again.unchanged.len()), ("", 4));
}

#[test]
fn states_and_windows_go_on() {
    let circuits = by_name();
    circuits.apply(&read(&format!("{RUN}[by_name.a]\n[by_name.b]"))).added.clear();
    let (a, b) = (circuits.circuit("a"), circuits.circuit("b"));
    fail(&a, 2);
    fail(&b, 3);
    let _ = circuits.apply(&read(&format!("{RUN}failure_rate.threshold = 0.9")));
    assert_eq!((a.state(), b.state()), (State::Closed, State::Open));
    fail(&a, 1);
    assert_eq!(a.state(), State::Open, "the run goes on");
    assert_eq!(a.config().failure_rate, Some(FailureRate::new(0.9)));
}

#[test]
fn circuits_to_come_are_made_with_the_settings_that_were_applied() {
    let circuits = by_name();
    let _ = circuits.apply(&read(&format!("{RUN}[by_name.quiet]\nmode = 'metrics_only'")));
    assert_eq!(circuits.circuit("later").config().consecutive_failures, Some(Consecutive::new(3)));
    assert_eq!(circuits.circuit("quiet").mode(), Mode::MetricsOnly);
}

#[test]
fn tags_are_those_of_the_file_when_the_circuit_was_made() {
    let circuits = by_name();
    let file = |team: &str| read(&format!("defaults.tags = {{ team = '{team}' }}\n[by_name.a]\ntags.tier = '1'"));
    let _ = circuits.apply(&file("checkout"));
    assert_eq!(circuits.circuit("a").tags().to_string(), "team=checkout, tier=1");
    let changes = circuits.apply(&file("platform"));
    assert_eq!((changes.to_string().as_str(), changes.unchanged), ("", vec!["a".to_owned()]));
    assert_eq!(circuits.circuit("a").tags().get("team"), Some("checkout"));
    assert_eq!(circuits.circuit("later").tags().get("team"), Some("platform"));
}

/// A file for a time is laid over the one that is for always.
#[test]
fn while_a_second_file_is_laid_over_the_first_its_numbers_hold() {
    use figment::{
        Figment,
        providers::{Format, Toml},
    };

    let circuits = by_name();
    let always = Figment::from(Toml::string(&format!("{RUN}[by_name.a]\n[by_name.b]\nfailure_rate.threshold = 0.9")));
    let deployment = Toml::string("[defaults]\nconsecutive_failures.failures = 1");
    let apply = |figment: &Figment| circuits.apply(&figment.extract().expect("it is good"));
    apply(&always).added.clear();
    let (a, b) = (circuits.circuit("a"), circuits.circuit("b"));
    fail(&a, 1);
    let begun = apply(&always.clone().merge(deployment));
    assert_eq!(lines(&begun), ["a", "b"].map(|name| format!("{name}: consecutive_failures.failures 3 → 1")));
    fail(&b, 1);
    assert_eq!(
        (a.state(), b.state(), a.config().failure_rate),
        (State::Closed, State::Open, Some(FailureRate::new(0.5)))
    );
    assert_eq!(apply(&always).changed.len(), 2);
    fail(&a, 1);
    assert_eq!((a.state(), a.snapshot().window.run, b.state()), (State::Closed, 2.0, State::Open), "the run goes on");
    fail(&a, 1);
    assert_eq!(a.state(), State::Open);
}

#[test]
fn an_operators_wish_stays_until_the_mode_in_the_file_changes() {
    let circuits = by_name();
    let _ = circuits.apply(&read("[by_name.a]"));
    circuits.circuit("a").force_open();
    let _ = circuits.apply(&read("[by_name.a]\nburst.threshold = 0.9"));
    assert_eq!(circuits.circuit("a").mode(), Mode::ForcedOpen);
    let changes = circuits.apply(&read("[by_name.a]\nburst.threshold = 0.9\nmode = 'metrics_only'"));
    assert_eq!(lines(&changes), ["a: mode auto → metrics_only"]);
    assert_eq!(circuits.circuit("a").mode(), Mode::MetricsOnly);
}

#[test]
fn the_kill_switch_reaches_every_circuit_and_lets_go_of_it_again() {
    let watched = |name: &String, circuit: tower_breaker::circuit::Builder| match name.as_str() {
        "watched" => circuit.mode(Mode::MetricsOnly),
        _ => circuit,
    };
    let circuits = Registry::by_name().each(watched).build().expect("the settings are good");
    circuits.insert("own".to_owned(), Circuit::builder("own").build().expect("the settings are good"));
    let mode = |name: &str| circuits.circuit(name).mode();
    let before = ["own", "watched", "other"].map(mode);
    assert_eq!(before, [Mode::Auto, Mode::MetricsOnly, Mode::Auto]);
    let _ = circuits.apply(&read("").disable("*"));
    assert_eq!(["own", "watched", "other", "new"].map(mode), [Mode::Disabled; 4]);
    let _ = circuits.apply(&read("").disable("other"));
    assert_eq!(["own", "watched", "other", "new"].map(mode), [before[0], before[1], Mode::Disabled, Mode::Auto]);
}

#[test]
fn what_is_inserted_after_the_file_was_applied_gets_what_it_says() {
    let circuits = by_name();
    let _ = circuits.apply(&read("[by_name.searched]\nmode = 'metrics_only'\nbase = 'polly'").disable("payments"));
    let insert = |name: &str, mode: Mode| {
        let circuit =
            Circuit::builder(name).config(Config::hystrix()).mode(mode).build().expect("the settings are good");
        circuits.insert(name.to_owned(), circuit.clone());
        (circuit.mode(), circuit.config() == Config::hystrix())
    };
    assert_eq!(insert("payments", Mode::Auto), (Mode::Disabled, true));
    assert_eq!(insert("searched", Mode::Auto), (Mode::MetricsOnly, false));
    assert_eq!(insert("other", Mode::MetricsOnly), (Mode::MetricsOnly, true), "of which it says nothing");

    let forced = Circuit::builder("searched").build().expect("the settings are good");
    forced.force_open();
    circuits.insert("searched".to_owned(), forced.clone());
    assert_eq!(forced.mode(), Mode::ForcedOpen, "an operator has said so");
    let _ = circuits.apply(&read("").disable("*"));
    assert_eq!((forced.mode(), circuits.circuit("other").mode()), (Mode::Disabled, Mode::Disabled));
    let _ = circuits.apply(&read(""));
    assert_eq!(
        (forced.mode(), circuits.circuit("other").mode()),
        (Mode::Auto, Mode::MetricsOnly),
        "as they were built"
    );
}

#[test]
fn a_group_does_not_end_the_mode_of_a_file() {
    let group = Group::new(0.5).expect("a share");
    let circuits = by_name();
    let endpoints = ["a", "b"].map(|name| {
        let circuit = Circuit::builder(name).config(Config::classic()).group(&group).build().expect("it is good");
        circuits.insert(name.to_owned(), circuit.clone());
        circuit
    });
    for circuit in &endpoints {
        circuit.try_acquire().expect("it is closed").record(Failure::new().tripping());
    }
    assert_eq!(endpoints.each_ref().map(Circuit::mode), [Mode::MetricsOnly; 2], "all are out, so all pass");
    let _ = circuits.apply(&read("[by_name.a]\nmode = 'metrics_only'"));
    endpoints.iter().for_each(Circuit::reset);
    assert_eq!(endpoints.each_ref().map(Circuit::mode), [Mode::MetricsOnly, Mode::Auto]);
}

#[test]
fn the_kill_switch_for_a_registry_reaches_those_for_whom_there_was_no_room() {
    let tenants = Registry::by_key("tenants").capacity(0).build().expect("the settings are good");
    tenants.overflow().auto();
    let _ = tenants.apply(&read("").disable("others"));
    assert_eq!(tenants.circuit("acme").mode(), Mode::Auto);
    let _ = tenants.apply(&read("").disable("tenants"));
    assert_eq!(tenants.circuit("acme").mode(), Mode::Disabled);
    let _ = tenants.apply(&read(""));
    assert_eq!(tenants.circuit("acme").mode(), Mode::MetricsOnly);
}

#[test]
fn what_was_inserted_keeps_its_numbers_unless_it_has_a_table() {
    let circuits = by_name();
    let own = Circuit::builder("own").config(Config::hystrix()).build().expect("the settings are good");
    circuits.insert("own".to_owned(), own.clone());
    let changes = circuits.apply(&read("[defaults]\nfailure_rate.threshold = 0.1"));
    assert_eq!((changes.unchanged, own.config()), (vec!["own".to_owned()], Config::hystrix()));
    let _ = circuits.apply(&read("[by_name.own]\nbase = 'polly'"));
    assert_eq!(own.config(), Config::polly());
}

#[test]
fn code_has_the_last_word_over_a_circuit_that_it_completes() {
    let each = |name: &String, circuit: tower_breaker::circuit::Builder| match name.as_str() {
        "fixed" => circuit.config(Config::envoy()),
        _ => circuit,
    };
    let circuits = Registry::by_name().each(each).build().expect("the settings are good");
    assert_eq!(circuits.circuit("fixed").config(), Config::envoy());
    let changes = circuits.apply(&read("[defaults]\nbase = 'polly'"));
    assert_eq!((circuits.circuit("fixed").config(), changes.unchanged), (Config::envoy(), vec!["fixed".to_owned()]));
    assert_eq!(circuits.circuit("other").config(), Config::polly());
}

#[test]
fn a_registry_by_key_takes_the_table_of_its_name() {
    let tenants = Registry::by_key("tenants").clock(ManualClock::new()).build().expect("the settings are good");
    let shards = tower_breaker::registry::RegistryBuilder::<u32>::new("shards").build().expect("the settings are good");
    let (acme, other, seven) = (tenants.circuit("acme"), tenants.circuit("other"), shards.circuit(&7));
    let config = read(
        "[by_name.acme]
        base = 'hystrix'
        [by_key.tenants]
        base = 'polly'
        [by_key.tenants.keys.acme]
        mode = 'metrics_only'
        [by_key.shards.keys.7]
        base = 'envoy'",
    );
    let changes = tenants.apply(&config);
    assert_eq!((changes.added, changes.changed.len()), (vec!["acme".to_owned()], 2));
    assert_eq!((acme.config(), acme.mode()), (Config::polly(), Mode::MetricsOnly));
    assert_eq!((other.config(), other.mode()), (Config::polly(), Mode::Auto));
    assert_eq!((tenants.circuit("new").config(), tenants.overflow().config()), (Config::polly(), Config::polly()));
    let _ = shards.apply(&config);
    assert_eq!((seven.config(), shards.circuit(&8).config()), (Config::envoy(), Config::new()));
}

/// What is made while settings are applied has those of before or those of after until both are done, and then the last.
#[test]
fn among_threads_every_circuit_ends_with_the_settings_that_were_applied_last() {
    let files = ["polly", "envoy", "hystrix"].map(|base| read(&format!("[defaults]\nbase = '{base}'")));
    for round in 0..20 {
        let circuits = by_name();
        std::thread::scope(|scope| {
            for file in &files {
                scope.spawn(|| circuits.apply(file));
            }
            for thread in 0..2 {
                let circuits = &circuits;
                scope.spawn(move || (0..50).for_each(|i| drop(circuits.circuit(&format!("{thread} {i}")))));
            }
        });
        let last = circuits.circuit("last").config();
        assert!(circuits.circuits().iter().all(|(_, circuit)| circuit.config() == last), "round {round}");
    }
}
