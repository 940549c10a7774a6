//! A settings file that is watched, and applied while the circuits run.
//!
//! `cargo run --example settings_watch --features serde -- circuits.toml` watches that file until it is stopped. Without a file
//! the example writes one of its own, changes it twice, once wrongly, and ends. It prints
//!
//! ```text
//! payments: added
//! search: added
//! payments: failure_rate.threshold 0.5 → 0.3
//! the file is wrong, nothing has changed: `by_name.payments.failure_rate.treshold` is 0.2, must be absent: … (line 2)
//! payments: failure_rate.threshold 0.3 → 0.2
//! search: not in the file any more
//! ```
//!
//! It polls: that works on every file system, and with a mounted config map, where a link is exchanged and the file itself
//! never changes. Write a file under another name and rename it, or a half of it may be read.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use tower_breaker::{Registry, settings::TomlDraft};

fn main() -> Result<(), Box<dyn Error>> {
    let circuits = Registry::by_name().build()?;
    if let Some(path) = env::args_os().nth(1) {
        let told = watch(circuits, path.into(), Duration::from_secs(1));
        told.iter().for_each(|said| println!("{said}"));
        return Ok(());
    }
    let folder = env::temp_dir().join(format!("settings_watch_{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = play(&circuits, &folder.join("circuits.toml"));
    fs::remove_dir_all(&folder)?;
    result
}

fn play(circuits: &Registry, path: &Path) -> Result<(), Box<dyn Error>> {
    write(path, "[by_name.payments]\n[by_name.search]\n")?;
    let told = watch(circuits.clone(), path.to_owned(), Duration::from_millis(20));
    let hear = || told.recv_timeout(Duration::from_secs(10)).inspect(|said| println!("{said}"));
    hear()?;
    let payments = circuits.find("payments").ok_or("the file has made it")?;
    let threshold = || payments.config().failure_rate.map(|rule| rule.threshold);

    write(path, "[by_name.payments]\nfailure_rate.threshold = 0.3\n[by_name.search]\n")?;
    hear()?;
    assert_eq!(threshold(), Some(0.3));

    write(path, "[by_name.payments]\nfailure_rate.treshold = 0.2\n")?;
    assert!(hear()?.contains("(line 2)"));
    assert_eq!(threshold(), Some(0.3), "a wrong file changes nothing");

    write(path, "[by_name.payments]\nfailure_rate.threshold = 0.2\n")?;
    hear()?;
    assert_eq!(threshold(), Some(0.2));
    Ok(())
}

/// Applies the file now and whenever it says something else, on a thread of its own, which ends with whoever listens.
fn watch(circuits: Registry, path: PathBuf, every: Duration) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut seen = None;
        loop {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string());
            if seen.as_ref() != Some(&text) {
                let said = text.clone().and_then(|text| apply(&circuits, &text));
                let said = said.unwrap_or_else(|error| format!("the file is wrong, nothing has changed: {error}"));
                if tell.send(said).is_err() {
                    return;
                }
                seen = Some(text);
            }
            thread::sleep(every);
        }
    });
    told
}

fn apply(circuits: &Registry, text: &str) -> Result<String, String> {
    let draft: TomlDraft = toml::from_str(text).map_err(|error| error.to_string())?;
    let config = draft.check(text).and_then(|config| config.with_environment()).map_err(|error| error.to_string())?;
    Ok(circuits.apply(&config).to_string())
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let other = path.with_extension("new");
    fs::write(&other, text)?;
    Ok(fs::rename(other, path)?)
}
