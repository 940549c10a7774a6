//! Builds the tests of the copy, each target once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Test targets that are built in the same way.
struct Suite {
    /// None for all that no other suite has.
    targets: Option<&'static [&'static str]>,
    /// The folder that it is built in, below the one for all.
    folder: &'static str,
    args: &'static [&'static str],
    flags: Option<&'static str>,
}

const SUITES: [Suite; 2] = [
    Suite { targets: None, folder: "", args: &["--all-features"], flags: None },
    // The model checker takes the place of locks and atomics; its models are too slow without optimisation.
    Suite {
        targets: Some(&["loom"]),
        folder: "loom",
        args: &["--release", "--features", "retry"],
        flags: Some("--cfg tower_breaker_loom"),
    },
];

/// Builds `targets` of the package in `copy` into `into`; returns the executable of each.
pub(crate) fn build(copy: &Path, into: &Path, targets: &BTreeSet<&str>) -> Result<BTreeMap<String, PathBuf>, String> {
    let special = |target: &&str| SUITES.iter().any(|suite| suite.targets.is_some_and(|own| own.contains(target)));
    let mut built = BTreeMap::new();
    for suite in &SUITES {
        let own = |target: &&&str| suite.targets.map_or_else(|| !special(target), |own| own.contains(*target));
        let targets: Vec<&str> = targets.iter().filter(own).copied().collect();
        if !targets.is_empty() {
            built.extend(suite.build(copy, into, &targets)?);
        }
    }
    Ok(built)
}

impl Suite {
    fn build(&self, copy: &Path, into: &Path, targets: &[&str]) -> Result<BTreeMap<String, PathBuf>, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--no-run", "--quiet", "--message-format=json-render-diagnostics"]).args(self.args);
        for target in targets {
            if *target == "lib" {
                command.arg("--lib");
            } else {
                command.args(["--test", target]);
            }
        }
        command.current_dir(copy).env("CARGO_TARGET_DIR", into.join(self.folder)).stderr(Stdio::inherit());
        if let Some(flags) = self.flags {
            let given = std::env::var("RUSTFLAGS").unwrap_or_default();
            command.env("RUSTFLAGS", format!("{given} {flags}"));
        }
        let output = command.output().map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!("the planted copy in {} does not build", copy.display()));
        }
        let built: BTreeMap<_, _> = String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect();
        match targets.iter().find(|target| !built.contains_key(**target)) {
            Some(target) => Err(format!("cargo has built no test target `{target}`")),
            None => Ok(built),
        }
    }
}

/// The target and the executable that a message of cargo tells of.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let path = text_after(message, "\"executable\":\"")?;
    let target = &message[message.find("\"target\":{")?..];
    let kind = text_after(target, "\"kind\":[\"")?;
    let name = if kind == "lib" { kind } else { text_after(target, "\"name\":\"")? };
    Some((name, path.into()))
}

/// The text of JSON that follows.
fn text_after(json: &str, key: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = json[json.find(key)? + key.len()..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_of_a_target_is_found_in_the_messages() {
        let test = r#"{"target":{"kind":["test"],"name":"it","src_path":"/x"},"executable":"/t\\it-1","fresh":true}"#;
        assert_eq!(executable(test), Some(("it".into(), PathBuf::from("/t\\it-1"))));
        let lib = r#"{"target":{"kind":["lib"],"name":"tower_breaker"},"executable":"/t/lib-1"}"#;
        assert_eq!(executable(lib).map(|(name, _)| name), Some("lib".into()));
        assert_eq!(executable(r#"{"target":{"kind":["lib"],"name":"x"},"executable":null}"#), None);
    }
}
