//! A file as it is written: its scenarios, and for each the subject with its config and its steps.
//!
//! Whatever the schema does not name is refused, so that no expectation is lost by a typo.

use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::Value;

use super::{
    settings::{Backoff, Breaker, Number, WindowConfig},
    steps::{AttemptStep, Step, WindowStep},
    switches::Switches,
};

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) system: String,
    pub(crate) commit: String,
    pub(crate) scenarios: Vec<Scenario>,
}

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) id: String,
    pub(crate) switches: Switches,
    pub(crate) subject: Subject,
}

/// What a scenario is about.
#[derive(Debug)]
pub(crate) enum Subject {
    Backoff(Backoff, Vec<AttemptStep>),
    Breaker(Vec<(String, Breaker)>, Vec<Step>),
    Config {
        config: Box<Breaker>,
        valid: bool,
    },
    /// The crate has no such part, or none that a file could describe.
    Elsewhere(&'static str),
    Window(WindowConfig, Vec<WindowStep>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    schema: String,
    system: String,
    #[serde(rename = "repo")]
    _repo: String,
    commit: String,
    #[serde(rename = "about")]
    _about: String,
    semantics: Switches,
    scenarios: Vec<RawScenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    id: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "concept")]
    _concept: String,
    #[serde(default, rename = "notes")]
    _notes: Option<String>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
    #[serde(default)]
    subject: RawSubject,
    #[serde(default)]
    semantics: Switches,
    config: Value,
    steps: Vec<Value>,
    expect_valid: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawSubject {
    Backoff,
    #[default]
    Breaker,
    Bulkhead,
    Classifier,
    Config,
    RetryBudget,
    Window,
}

/// Several breakers that a call passes one after another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStack {
    breakers: std::collections::BTreeMap<String, Breaker>,
    order: Vec<String>,
}

/// The advised values of the switches, without scenarios.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(rename = "about")]
    _about: IgnoredAny,
    pub(crate) semantics: Switches,
}

impl File {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let raw: RawFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if raw.schema != "breaker-conformance/1" {
            return Err(format!("unknown schema `{}`", raw.schema));
        }
        let mut seen = std::collections::HashSet::new();
        let mut scenarios = Vec::new();
        for scenario in raw.scenarios {
            let id = scenario.id.clone();
            if !seen.insert(id.clone()) {
                return Err(format!("{id} stands there twice"));
            }
            scenarios.push(scenario.read(&raw.semantics).map_err(|fault| format!("{id}: {fault}"))?);
        }
        Ok(Self { system: raw.system, commit: raw.commit, scenarios })
    }
}

impl RawScenario {
    fn read(self, file: &Switches) -> Result<Scenario, String> {
        let switches = self.semantics.over(file);
        if self.expect_valid.is_some() != matches!(self.subject, RawSubject::Config) {
            return Err("`expect_valid` belongs to the subject `config`".into());
        }
        let steps = self.steps;
        let subject = match self.subject {
            RawSubject::Backoff => Subject::Backoff(read("config", self.config)?, read_steps(steps)?),
            RawSubject::Breaker => {
                let breakers = read_breakers(self.config)?;
                let steps: Vec<Step> = read_steps(steps)?;
                steps.iter().try_for_each(|step| step.check(&breakers))?;
                Subject::Breaker(breakers, steps)
            }
            RawSubject::Bulkhead => Subject::Elsewhere("a bulkhead is tower's `ConcurrencyLimit`, not ours"),
            RawSubject::Classifier => Subject::Elsewhere("a classifier is a function of the user's, no table"),
            RawSubject::Config => {
                if !steps.is_empty() {
                    return Err("a config has no steps".into());
                }
                let config = Box::new(read("config", self.config)?);
                Subject::Config { config, valid: self.expect_valid.unwrap_or_default() }
            }
            RawSubject::RetryBudget => Subject::Elsewhere("there is no retry budget"),
            RawSubject::Window => Subject::Window(read("config", self.config)?, read_steps(steps)?),
        };
        Ok(Scenario { id: self.id, switches, subject })
    }
}

/// One breaker without a name, or those of a stack in the order in which a call passes them.
fn read_breakers(config: Value) -> Result<Vec<(String, Breaker)>, String> {
    if config.get("breakers").is_none() {
        return Ok(vec![(String::new(), read("config", config)?)]);
    }
    let RawStack { mut breakers, order } = read("config", config)?;
    let take = |name: String| {
        let breaker = breakers.remove(&name).ok_or_else(|| format!("order: no breaker is called `{name}`"))?;
        Ok((name, breaker))
    };
    let stack = order.into_iter().map(take).collect::<Result<Vec<_>, String>>()?;
    match breakers.keys().next() {
        Some(left) => Err(format!("order: `{left}` is missing")),
        None => Ok(stack),
    }
}

fn read_steps<T: DeserializeOwned>(steps: Vec<Value>) -> Result<Vec<T>, String> {
    steps.into_iter().enumerate().map(|(i, step)| read(&format!("step {}", i + 1), step)).collect()
}

fn read<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{place}: {error}"))
}

/// A field that may be left out, or be null, which says something else.
#[expect(clippy::option_option, reason = "left out, null and a number are three things")]
pub(crate) fn nullable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::<Number>::deserialize(deserializer).map(|number| Some(number.map(|number| number.0)))
}
