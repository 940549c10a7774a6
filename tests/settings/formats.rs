//! The same settings in every format come to the same.

use figment::providers::Format;
use tower_breaker::CircuitsConfig;

use crate::App;

pub(crate) const TOML: &str = "
[circuits.defaults]
failure_rate = { threshold = '50%', minimum_calls = 10, window = '1m 30s' }
[circuits.by_name.payments]
slow_calls = { duration = '500ms', threshold = 0.8 }
recovery.ramp.shares = [0.1, 1]
evidence = false
";

const JSON: &str = r#"{ "circuits": {
    "defaults": { "failure_rate": { "threshold": "50%", "minimum_calls": "10", "window": "1m 30s" } },
    "by_name": { "payments": {
        "slow_calls": { "duration": "500ms", "threshold": 0.8 },
        "recovery": { "ramp": { "shares": [0.1, 1] } },
        "evidence": false
    } }
} }"#;

const YAML: &str = "
circuits:
  defaults:
    failure_rate: { threshold: 50%, minimum_calls: 10, window: 1m 30s }
  by_key:
  by_name:
    payments:
      slow_calls:
        duration: 500ms
        threshold: 0.8
      recovery: { ramp: { shares: [0.1, 1] } }
      evidence: false
";

fn toml() -> CircuitsConfig {
    toml::from_str::<App>(TOML).expect("it is good").circuits
}

#[test]
fn json_comes_to_the_same_as_toml() {
    assert_eq!(serde_json::from_str::<App>(JSON).expect("it is good").circuits, toml());
}

#[test]
fn yaml_comes_to_the_same_as_toml() {
    assert_eq!(serde_saphyr::from_str::<App>(YAML).expect("it is good").circuits, toml());
    let error = serde_saphyr::from_str::<App>("circuits:\n  defaults:\n    mode: of\n    burst: 3\n").unwrap_err();
    assert!(error.to_string().contains("`defaults.mode`") && error.to_string().contains("`defaults.burst`"), "{error}");
}

#[test]
fn figment_comes_to_the_same_and_says_where_it_is_wrong() {
    use figment::{
        Figment,
        providers::{Serialized, Toml},
    };
    let figment = Figment::from(Toml::string(TOML));
    assert_eq!(figment.extract::<App>().expect("it is good").circuits, toml());
    assert_eq!(figment.extract_inner::<CircuitsConfig>("circuits").expect("it is good"), toml());

    let wrong = figment.merge(Serialized::default("circuits.by_name.payments.failure_rate.minimum_calls", "0"));
    let error = wrong.extract::<App>().unwrap_err().to_string();
    assert!(error.contains("`by_name.payments.failure_rate.minimum_calls` is 0, must be from 1"), "{error}");
}

/// It hands numbers over as text, where they come from the environment.
#[test]
fn config_comes_to_the_same_with_numbers_as_text() {
    use config::{Config, File, FileFormat};
    let built = Config::builder()
        .add_source(File::from_str(TOML, FileFormat::Toml))
        .set_override("circuits.defaults.failure_rate.minimum_calls", "10")
        .and_then(|builder| builder.set_override("circuits.by_name.payments.evidence", "false"))
        .and_then(|builder| builder.set_override("circuits.by_name.payments.slow_calls.threshold", "0.8"))
        .and_then(|builder| builder.build())
        .expect("it is good");
    assert_eq!(built.try_deserialize::<App>().expect("it is good").circuits, toml());
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line() {
    let error = toml::from_str::<App>("[circuits.defaults]\nmode = \n").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
}
