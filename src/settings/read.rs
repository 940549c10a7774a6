//! From what a file says to settings: inheritance, and all faults at once.

use std::collections::BTreeMap;

use super::{
    CircuitSettings, CircuitsConfig, KeySettings, circuit,
    fields::{Fields, one_of},
    value::Value,
};
use crate::config::{Config, ConfigError, Fault};

/// The bases that are always there: what is recommended, nothing, and the figures of other systems.
const PRESETS: [(&str, Config); 10] = [
    ("recommended", Config::new()),
    ("without_rules", Config::without_rules()),
    ("classic", Config::classic()),
    ("resilience4j", Config::resilience4j()),
    ("hystrix", Config::hystrix()),
    ("polly", Config::polly()),
    ("opossum", Config::opossum()),
    ("envoy", Config::envoy()),
    ("gobreaker", Config::gobreaker()),
    ("failsafe", Config::failsafe()),
];

/// How many bases may stand on each other, so that no file can exhaust the stack.
const DEEPEST: usize = 16;

/// What a table comes to, and which of its faults have been told already, so that its heirs do not tell them again.
#[derive(Clone)]
struct Resolved {
    settings: CircuitSettings,
    told: Vec<Fault>,
}

impl Resolved {
    fn new(config: Config) -> Self {
        Self { settings: CircuitSettings::new(config), told: Vec::new() }
    }
}

/// Reads the whole of `circuits`.
pub(super) fn circuits(value: &Value) -> Result<CircuitsConfig, ConfigError> {
    let mut faults = Vec::new();
    let mut fields = Fields::new(String::new(), value, &mut faults);
    let defaults = fields.value("defaults");
    let (bases, by_name, by_key) = (fields.names("bases"), fields.names("by_name"), fields.names("by_key"));
    fields.end();

    let mut reader = Reader { faults, bases, done: BTreeMap::new() };
    for preset in reader.bases.iter().filter(|(name, ..)| PRESETS.iter().any(|(preset, _)| preset == name)) {
        reader.faults.push(Fault::read(preset.1.clone(), "a base of this crate", "another name"));
    }
    let recommended = Resolved::new(Config::new());
    let defaults = match defaults {
        Some(value) => reader.circuit("defaults".to_owned(), value, &recommended, &[]).0,
        None => recommended,
    };
    // Also those that nobody has for a base: their faults are to be told.
    for (name, ..) in reader.bases.clone() {
        reader.base(name, &defaults, &mut Vec::new());
    }
    let mut config = CircuitsConfig::new(defaults.settings.clone());
    for (name, path, value) in by_name {
        let settings = reader.circuit(path, value, &defaults, &[]).0.settings;
        config.by_name.insert(name.to_owned(), settings);
    }
    for (name, path, value) in by_key {
        let (common, keys) = reader.circuit(path, value, &defaults, &["keys"]);
        let mut settings = KeySettings { common: common.settings.clone(), keys: BTreeMap::new() };
        for (key, path, value) in keys {
            let own = reader.circuit(path, value, &common, &[]).0.settings;
            settings.keys.insert(key.to_owned(), own);
        }
        config.by_key.insert(name.to_owned(), settings);
    }
    if reader.faults.is_empty() { Ok(config) } else { Err(ConfigError::new(reader.faults)) }
}

/// A table whose keys are names: the name, its path, what stands there.
type Named<'v> = Vec<(&'v str, String, &'v Value)>;

struct Reader<'v> {
    faults: Vec<Fault>,
    bases: Named<'v>,
    done: BTreeMap<&'v str, Resolved>,
}

impl<'v> Reader<'v> {
    /// Reads the table of a circuit, and looks whether its parts fit together; a base need not be whole.
    fn circuit(
        &mut self,
        path: String,
        value: &'v Value,
        parent: &Resolved,
        more: &[&'static str],
    ) -> (Resolved, Named<'v>) {
        let before = self.faults.len();
        let (mut resolved, named) = self.table(path.clone(), value, parent, &mut Vec::new(), more);
        // What does not fit only because something else is wrong is no second fault.
        if self.faults.len() == before && bounds(&resolved.settings).is_empty() {
            for fault in resolved.settings.misfits() {
                if !resolved.told.contains(&fault) {
                    resolved.told.push(fault.clone());
                    self.faults.push(fault.below(&path));
                }
            }
        }
        (resolved, named)
    }

    /// Reads the settings of one table, over its base or else over `parent`; `more` are tables of names beside them.
    fn table(
        &mut self,
        path: String,
        value: &'v Value,
        parent: &Resolved,
        under_way: &mut Vec<&'v str>,
        more: &[&'static str],
    ) -> (Resolved, Named<'v>) {
        let mut faults = Vec::new();
        let mut fields = Fields::new(path.clone(), value, &mut faults);
        let base = fields.value("base");
        let mut resolved = match base {
            None => parent.clone(),
            Some(Value::Text(name)) => self.find(name, &path, parent, under_way),
            Some(value) => {
                self.faults.push(Fault::read(format!("{path}.base"), value, self.base_names()));
                parent.clone()
            }
        };
        let settings = &mut resolved.settings;
        if let Some(mode) = fields.word("mode", &circuit::MODES) {
            settings.mode = mode;
        }
        circuit::lay_over(&mut settings.config, &mut fields);
        settings.retry.lay_over(&mut fields);
        settings.stack.lay_over(&mut fields);
        super::tags::lay_over(&mut settings.tags, &mut fields);
        let named = more.iter().flat_map(|key| fields.names(key)).collect();
        fields.end();

        let misread: Vec<String> = faults.iter().map(|fault| fault.field().to_owned()).collect();
        for fault in bounds(settings) {
            // What is bound by something that could not be read looks wrong only for that.
            let spurious = [fault.field(), bound_by(fault.field())].iter().any(|field| {
                misread.iter().any(|misread| {
                    misread.strip_prefix(&path).and_then(|below| below.strip_prefix('.')) == Some(*field)
                })
            });
            if !spurious && !resolved.told.contains(&fault) {
                resolved.told.push(fault.clone());
                faults.push(fault.below(&path));
            }
        }
        self.faults.append(&mut faults);
        (resolved, named)
    }

    fn find(&mut self, name: &'v str, path: &str, parent: &Resolved, under_way: &mut Vec<&'v str>) -> Resolved {
        if let Some((_, config)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
            return Resolved::new(*config);
        }
        let field = || format!("{path}.base");
        if under_way.contains(&name) {
            let round = [under_way.as_slice(), &[name]].concat().join(" → ");
            self.faults.push(Fault::read(field(), format!("{name:?} ({round})"), "no base of itself"));
            return parent.clone();
        }
        if under_way.len() == DEEPEST {
            self.faults.push(Fault::read(
                field(),
                format!("{name:?}"),
                format!("at most the {DEEPEST}th base in a row"),
            ));
            return parent.clone();
        }
        if let Some(resolved) = self.base(name, parent, under_way) {
            return resolved;
        }
        self.faults.push(Fault::read(field(), format!("{name:?}"), self.base_names()));
        parent.clone()
    }

    /// Returns a base of the file. One without a base of its own has the defaults for it.
    fn base(&mut self, name: &'v str, defaults: &Resolved, under_way: &mut Vec<&'v str>) -> Option<Resolved> {
        if let Some(done) = self.done.get(name) {
            return Some(done.clone());
        }
        let (name, path, value) = self.bases.iter().find(|(base, ..)| *base == name)?.clone();
        under_way.push(name);
        let (resolved, _) = self.table(path, value, defaults, under_way, &[]);
        under_way.pop();
        self.done.insert(name, resolved.clone());
        Some(resolved)
    }

    fn base_names(&self) -> String {
        let own = self.bases.iter().map(|(name, ..)| *name);
        one_of(own.chain(PRESETS.iter().map(|(name, _)| *name)))
    }
}

/// What is out of its bounds.
fn bounds(settings: &CircuitSettings) -> Vec<Fault> {
    let mut faults = settings.config.check().err().map(|error| error.faults().to_vec()).unwrap_or_default();
    faults.extend(settings.retry.faults());
    faults.extend(settings.stack.faults());
    faults
}

/// The setting that bounds another.
fn bound_by(field: &str) -> &str {
    match field {
        "burst.minimum_calls" => "burst.window",
        "evidence.tolerated" => "evidence.useless",
        "failure_rate.minimum_calls" => "failure_rate.window",
        "half_open.max_wait" => "half_open.probe_timeout",
        "probing.max" => "probing.base",
        "recovery.window.max_probation" => "recovery.window.probation",
        "retry.backoff.max" => "retry.backoff.base",
        "slow_calls.minimum_calls" => "slow_calls.window",
        own => own,
    }
}

impl CircuitSettings {
    fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }
}
