//! `docs/settings.schema.json`, for editors: made by asking the reader itself what it knows, so that the two cannot part.
//!
//! `SETTINGS_SCHEMA=write cargo test --all-features --test settings schema` writes it anew.

use std::{collections::BTreeMap, env, fs, path::Path};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use tower_breaker::settings::Draft;

use crate::{
    chapter::{BASES, file, known, rows},
    faults::FAULTS,
    formats,
};

/// What the reader says that must stand at a key where a value does, told by a value that is never right: an empty list.
fn expected(base: &str, key: &str) -> String {
    let draft: Draft = toml::from_str(&file(base, &format!("{key} = []"))).expect("it is TOML");
    let error = draft.check().expect_err("an empty list is never right");
    let told = error.faults().iter().find(|fault| fault.field() == format!("by_name.it.{key}"));
    told.unwrap_or_else(|| panic!("nothing is said of {key}: {error}")).bound().to_owned()
}

/// The least and the most that a number may be, where the reader has bounds of its own for it.
fn bounds(base: &str, key: &str, too_much: &str, too_little: &str) -> Option<(Value, Value)> {
    let told = |value: &str| {
        let draft: Draft = toml::from_str(&file(base, &format!("{key} = {value}"))).expect("it is TOML");
        let error = draft.check().err()?;
        let faults = error.faults().iter().find(|fault| fault.field() == format!("by_name.it.{key}"));
        let bound = faults.map(|fault| fault.bound().replace(',', ""))?;
        let mut numbers = bound.strip_prefix("from ")?.split(" to ").map(serde_json::from_str);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    told(too_much).or_else(|| told(too_little))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn words(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What a key takes that is no table with keys of its own.
fn leaf(base: &str, key: &str) -> Value {
    let said = expected(base, key);
    let or = |words: &[&str], other: &str| json!({ "anyOf": [{ "enum": words }, reference(other)] });
    match said.as_str() {
        "a table" => json!({ "type": ["object", "null"], "additionalProperties": { "type": "string" } }),
        "a number" => match bounds(base, key, "2e9", "-1.0") {
            Some((least, most)) => {
                json!({ "anyOf": [{ "type": "number", "minimum": least, "maximum": most }, { "type": "string" }] })
            }
            None => json!({ "type": ["number", "string"] }),
        },
        _ if key == "base" => json!({ "type": "string" }),
        _ if said.starts_with("one of ") => json!({ "enum": words(&said) }),
        _ if said.starts_with("a whole number") => {
            let bounds = bounds(base, key, "4294967295", "0");
            let (least, most) = bounds.unwrap_or_else(|| (json!(0), json!(u32::MAX)));
            json!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, reference("digits")] })
        }
        _ if said.starts_with("a weight") => {
            json!({ "anyOf": [{ "type": "number", "minimum": 0.01, "maximum": 100 }, { "type": "string" }] })
        }
        _ if said.starts_with("a share") => reference("share"),
        _ if said.starts_with("a list of one to four shares") => {
            json!({ "type": "array", "items": reference("share"), "minItems": 1, "maxItems": 4 })
        }
        _ if said.ends_with("or false") => json!({ "anyOf": [{ "enum": [false, "false"] }, reference("duration")] }),
        _ if said.contains("or a number of calls") => reference("window"),
        _ if said.starts_with("a duration") => reference("duration"),
        _ if said.ends_with("or a duration such as `500ms`") => or(&["never", "slow_call"], "duration"),
        _ if said.contains("or a share such as") => or(&["equal", "full", "none"], "share"),
        _ => panic!("nobody knows how `{said}` ({key}) is said in a schema"),
    }
}

/// A table with its keys, and what may stand in its place.
fn table(key: &str, properties: BTreeMap<String, Value>) -> Value {
    let object = json!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false });
    let said = if key.is_empty() { "a table".to_owned() } else { expected("all", key) };
    match said.as_str() {
        "a table" => object,
        "a table, or true or false" => json!({ "anyOf": [object, { "enum": [true, false, "true", "false"] }] }),
        _ if said.starts_with("`probes`, or a table") => {
            let mut one = object;
            one["maxProperties"] = json!(1);
            json!({ "anyOf": [one, { "const": "probes" }] })
        }
        _ => panic!("nobody knows how `{said}` ({key}) is said in a schema"),
    }
}

/// All keys below one, whichever base they need.
fn below(path: &str) -> BTreeMap<String, Value> {
    let mut properties = BTreeMap::new();
    for base in BASES {
        for key in known(base, path).unwrap_or_default() {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let is_table = known(base, &full).is_some_and(|keys| !keys.is_empty());
            // What is no table is the same whatever the base.
            if properties.contains_key(&key) && !is_table {
                continue;
            }
            let mut schema = if is_table { table(&full, below(&full)) } else { leaf(base, &full) };
            describe(&mut schema, &full);
            properties.insert(key, schema);
        }
    }
    properties
}

/// Adds what the chapter says of a key: the default and an example.
fn describe(schema: &mut Value, key: &str) {
    let Some((.., example, default)) = rows().into_iter().find(|(row, ..)| row == key) else { return };
    let example: toml::Table = toml::from_str(&format!("it = {example}")).expect("an example in TOML");
    schema["examples"] = json!([example["it"]]);
    if !default.is_empty() {
        schema["description"] = json!(format!("Default: {}", default.replace('`', "")));
    }
}

fn generated() -> Value {
    let circuit = table("", below(""));
    let keys = circuit["properties"].as_object().expect("a table").keys();
    let mut of_registry: BTreeMap<String, Value> =
        keys.map(|key| (key.clone(), json!({ "$ref": format!("#/$defs/circuit/properties/{key}") }))).collect();
    let many = |of: &str| json!({ "type": ["object", "null"], "additionalProperties": reference(of) });
    of_registry.insert("keys".to_owned(), many("circuit"));
    let unit = "(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y)";
    let duration = format!("^\\s*([0-9]+(\\.[0-9]+)?\\s*{unit}\\s*)+$|^\\s*0\\s*$");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of circuits (tower-breaker)",
        "type": ["object", "null"],
        "properties": {
            "defaults": reference("circuit"),
            "bases": many("circuit"),
            "by_name": many("circuit"),
            "by_key": many("registry"),
        },
        "additionalProperties": false,
        "$defs": {
            "circuit": circuit,
            "registry": table("", of_registry),
            "digits": { "type": "string", "pattern": "^\\s*[0-9]+\\s*$" },
            "duration": { "anyOf": [{ "type": "string", "pattern": duration }, { "const": 0 }] },
            "share": { "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 1 },
                { "type": "string", "pattern": "^\\s*(100|[0-9]{1,2}(\\.[0-9]+)?)(\\.0+)?\\s*%\\s*$|^\\s*(0?\\.[0-9]+|[01](\\.0*)?)\\s*$" },
            ] },
            "window": { "anyOf": [reference("duration"), { "type": "string", "pattern": "^\\s*[0-9]+\\s*calls\\s*$" }] },
        },
    })
}

fn committed() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.schema.json");
    serde_json::from_str(&fs::read_to_string(path).expect("it is there")).expect("it is JSON")
}

/// The committed schema, as an editor has it.
struct Validator(Schemas, SchemaIndex);

impl Validator {
    fn new() -> Self {
        const PLACE: &str = "https://localhost/settings.schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(PLACE, committed()).expect("it is a schema");
        let index = compiler.compile(PLACE, &mut schemas).expect("it is a schema");
        Self(schemas, index)
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        self.0.validate(value, self.1).map_err(|error| format!("{error:#}"))
    }
}

/// A file in TOML as the value that an editor checks.
fn value(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).expect("it is TOML")).expect("it is a value")
}

#[test]
fn the_schema_is_what_the_reader_says_of_itself() {
    let generated = generated();
    if env::var("SETTINGS_SCHEMA").is_ok_and(|wish| wish == "write") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.schema.json");
        fs::write(path, format!("{generated:#}\n")).expect("it can be written");
    }
    assert!(generated == committed(), "docs/settings.schema.json is old; see the head of this file");
}

#[test]
fn each_key_of_the_table_stands_in_the_schema() {
    let schema = committed();
    for (key, ..) in rows() {
        let mut place = &schema["$defs"]["circuit"];
        for word in key.split('.') {
            let object = if place["properties"].is_object() { place } else { &place["anyOf"][0] };
            place = &object["properties"][word];
        }
        assert!(place.is_object(), "{key}");
    }
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = Validator::new();
    let files = rows().into_iter().flat_map(|(key, bases, example, _)| {
        bases.into_iter().map(move |base| file(base, &format!("{key} = {example}")))
    });
    let whole = value(formats::TOML)["circuits"].clone();
    for value in files.map(|text| value(&text)).chain([whole]) {
        assert_eq!(validator.check(&value), Ok(()));
    }
}

/// Faults that only the whole of a table shows, with all that it inherits, and bounds that are no simple range: an editor does
/// not know them.
const UNSEEN: [&str; 27] = [
    "failure_rate.window = '10 calls'",
    "failure_rate = { window = '40 calls', buckets = 3 }",
    "failure_rate.buckets = 1001",
    "burst = true",
    "burst.window = '1s'",
    "slow_calls.threshold = 0.1",
    "slow_calls.duration = '99999999999999999999s'",
    "consecutive_failures.span = '1s'",
    "failure_count.failures = 3",
    "failure_count = { failures = 3, period = '1ms' }",
    "evidence.tolerated = '90%'",
    "probing.wait = '1s'",
    "probing.kind = 'fixed'",
    "half_open.verdict = { successes = 1, probes = 2 }",
    "half_open.verdict.probes = 2",
    "half_open.max_wait = '1s'",
    "recovery.ramp.shares = [0.5, 0.1]",
    "base = 'hystrics'",
    "bulkhead.queue = 3",
    "bulkhead = true",
    "timeouts.total = '400d'",
    "timeouts.attempt = '5100ms'",
    "timeouts.attempt = '2s'\nslow_calls.duration = '3s'",
    "timeouts.total = '29s'",
    "bulkhead.limit = 5\nretry.attempts = 7",
    "timeouts = {}\nretry.ratio = 3",
    "retry.ratio = 0.0001",
];

#[test]
fn what_the_reader_refuses_the_schema_refuses_but_for_what_only_the_whole_shows() {
    let validator = Validator::new();
    // Not a number is not a value of JSON.
    let lines = FAULTS.iter().map(|(line, _)| *line).filter(|line| !line.contains("nan"));
    let unseen: Vec<&str> =
        lines.filter(|line| validator.check(&value(&format!("[by_name.it]\n{line}"))).is_ok()).collect();
    assert_eq!(unseen, UNSEEN);
    for misspelt in
        ["default = {}", "[by_key.a.key.b]", "[by_name.it.recovery.ramp]\nstp = '1s'", "[by_name.it]\nkeys = {}"]
    {
        assert!(validator.check(&value(misspelt)).is_err(), "{misspelt}");
    }
}
