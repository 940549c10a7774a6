//! The kill switch in the environment.

use std::{env, ffi::OsStr, process::Command};

use tower_breaker::{CircuitsConfig, Mode, settings::DISABLE};

/// Runs itself once more with the variable set, since a process must not change its own environment.
fn again(test: &str, value: impl AsRef<OsStr>) {
    let itself = env::current_exe().expect("it runs");
    let child = Command::new(itself).args(["--exact", test]).env(DISABLE, value).output().expect("it runs again");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

fn modes() -> [Mode; 3] {
    let config = CircuitsConfig::default().with_environment().expect("it is text");
    ["a", "b", "c"].map(|name| config.by_name(name).mode)
}

#[test]
fn the_variable_disables_whom_it_lists() {
    match env::var(DISABLE).as_deref() {
        Err(_) => {
            assert_eq!(modes(), [Mode::Auto; 3]);
            for list in ["a, c", "*", ""] {
                again("environment::the_variable_disables_whom_it_lists", list);
            }
        }
        Ok("a, c") => assert_eq!(modes(), [Mode::Disabled, Mode::Auto, Mode::Disabled]),
        Ok("*") => assert_eq!(modes(), [Mode::Disabled; 3]),
        Ok(other) => assert_eq!((other, modes()), ("", [Mode::Auto; 3])),
    }
}

#[test]
fn it_is_read_only_when_asked_for() {
    match env::var(DISABLE).as_deref() {
        Err(_) => again("environment::it_is_read_only_when_asked_for", "*"),
        Ok(_) => assert_eq!(CircuitsConfig::default().by_name("a").mode, Mode::Auto),
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    match env::var_os(DISABLE) {
        None => again("environment::what_is_no_text_is_refused", OsStr::from_bytes(b"\xff")),
        Some(_) => {
            let error = CircuitsConfig::default().with_environment().expect_err("it is no text");
            assert!(error.to_string().contains("`TOWER_BREAKER_DISABLE` is"), "{error}");
        }
    }
}
