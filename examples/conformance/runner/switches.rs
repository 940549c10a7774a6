//! The switches of the schema: where systems contradict each other, and which of their answers we have.

use std::collections::BTreeMap;

/// A switch: its name, its values (the first is the base) and those that we have or can be set to.
///
/// What we have is fixed by the crate or chosen by `Config`, the classifier or the reader of a snapshot; `plan.rs` and
/// `reads.rs` do it.
const SWITCHES: [(&str, &[&str], &[&str]); 26] = [
    ("failure_rate_comparison", &[">=", ">"], &[">="]),
    ("slow_rate_comparison", &[">=", ">"], &[">="]),
    ("slow_call_comparison", &[">", ">="], &[">"]),
    ("evaluate_on", &["any", "failure"], &["failure"]),
    ("window_readiness", &["minimum_calls", "full", "full_plus_one"], &["minimum_calls", "full"]),
    ("rate_denominator", &["completed", "admitted", "fired"], &["completed"]),
    (
        "time_window_alignment",
        &["epoch", "start", "on_event", "tumbling", "exact"],
        // A tumbling window is one of a single bucket.
        &["epoch", "start", "tumbling"],
    ),
    ("tumbling_comparison", &[">=", ">"], &[">="]),
    ("ignored_as", &["neutral", "success"], &["neutral", "success"]),
    ("late_result", &["current_state", "discard"], &["discard"]),
    ("late_drop", &["release", "discard"], &["discard"]),
    ("window_on_close", &["clear", "keep"], &["clear"]),
    ("counts_on_open", &["keep", "clear"], &["keep"]),
    ("undefined_rate", &["null", "raw"], &["null", "raw"]),
    ("open_wait_comparison", &[">", ">="], &[">="]),
    ("state_read", &["pure", "transitions"], &["pure"]),
    ("half_open_rule", &["rate", "consecutive", "ratio"], &["rate", "consecutive"]),
    (
        "half_open_admission",
        &["total", "concurrent", "unlimited", "refill_per_wait", "needed"],
        // One more probe a wait: a lease that lasts as long as the wait.
        &["refill_per_wait", "needed"],
    ),
    ("half_open_slow_calls", &["rate", "ignore", "failure"], &["failure"]),
    ("on_probe_drop", &["release", "reopen", "reopen_keep_deadline", "failure"], &["release", "failure"]),
    // There is no call that forces half-open.
    ("illegal_force", &["error", "allow"], &[]),
    ("forced_states_publish", &["transitions_only", "all"], &["transitions_only"]),
    // There is no retry budget yet.
    ("budget_arithmetic", &["scaled", "integer_ratio"], &[]),
    ("config_zero_wait", &["reject", "accept"], &["reject"]),
    ("config_zero_rate", &["reject", "accept"], &["reject"]),
    ("config_minimum_floor", &["1", "0", "2"], &["1"]),
];

/// The switches that a file or a scenario sets.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub(crate) struct Switches(BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Switches {
    type Error = String;

    fn try_from(set: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, value) in &set {
            let known = SWITCHES.iter().find(|(known, ..)| known == name);
            let (_, values, _) = known.ok_or_else(|| format!("unknown switch `{name}`"))?;
            if !values.contains(&value.as_str()) {
                return Err(format!("unknown value `{value}` of the switch `{name}`"));
            }
        }
        Ok(Self(set))
    }
}

impl Switches {
    /// Those of a scenario over those of its file.
    pub(crate) fn over(&self, file: &Self) -> Self {
        let mut set = file.0.clone();
        set.extend(self.0.clone());
        Self(set)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }

    /// What it is set to, or its base.
    fn get(&self, name: &str) -> &str {
        let base = || SWITCHES.iter().find(|(known, ..)| *known == name).map(|(_, values, _)| values[0]);
        self.0.get(name).map(String::as_str).or_else(base).unwrap_or_else(|| panic!("no switch is called {name}"))
    }

    /// All values that are not ours, as `name=value`.
    pub(crate) fn not_ours(&self) -> Vec<String> {
        SWITCHES
            .iter()
            .map(|(name, _, ours)| (name, self.get(name), ours))
            .filter(|(_, value, ours)| !ours.contains(value))
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect()
    }
}
