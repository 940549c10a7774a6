//! Settings from files: every format, every key, every fault at once, and changes in a running process.

mod applied;
mod chapter;
mod environment;
mod faults;
mod formats;
mod inheritance;
mod saved;
mod schema;

use serde::Deserialize;
use tower_breaker::{CircuitsConfig, settings::Draft};

/// The settings of a program, as its users have them.
#[derive(Debug, Deserialize)]
struct App {
    circuits: CircuitsConfig,
}

/// What a file in TOML says of circuits.
fn read(text: &str) -> CircuitsConfig {
    match toml::from_str::<Draft>(text).expect("it is TOML").check() {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

/// The faults of a file in TOML, as lines for people.
fn faults(text: &str) -> Vec<String> {
    let draft: Draft = toml::from_str(text).expect("it is TOML");
    draft.check().expect_err("it is refused").faults().iter().map(ToString::to_string).collect()
}
