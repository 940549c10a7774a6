//! All settings in one file, a change while the circuits run, and a file that is wrong.
//!
//! `cargo run --example settings --features serde` ends by itself. It prints
//!
//! ```text
//! at start
//!   payments: added
//!   search: added
//! after 4 of 8 calls failed, payments is closed
//! the file has changed
//!   search: not in the file any more
//!   payments: failure_rate.threshold 0.6 → 0.4
//! after one more, payments is open: …
//! a file with two faults changes nothing
//!   `by_name.payments.failure_rate.treshold` is "40%", must be absent: there are only `threshold`, …
//!   `by_name.payments.slow_calls.duration` is 2, must be a duration with its unit, such as `500ms`, …
//! ```
//!
//! `TOWER_BREAKER_DISABLE=payments` in the environment switches the circuit off, and the example says so.

use std::error::Error;

use tower_breaker::{Circuit, CircuitsConfig, Mode, Outcome, Registry, State, settings::Draft};

const AT_START: &str = "
[defaults]
evidence = false
failure_rate = { threshold = '60%', minimum_calls = 5 }
[by_name.payments]
[by_name.search]
";

const CHANGED: &str = "
[defaults]
evidence = false
failure_rate = { threshold = '60%', minimum_calls = 5 }
[by_name.payments]
failure_rate.threshold = '40%'
";

const WRONG: &str = "
[by_name.payments]
failure_rate.treshold = '40%'
slow_calls = { duration = 2 }
";

fn main() -> Result<(), Box<dyn Error>> {
    let circuits = Registry::by_name().build()?;
    apply("at start", &circuits, AT_START)?;
    let payments = circuits.circuit("payments");
    if payments.mode() == Mode::Disabled {
        println!("payments is disabled by the environment");
        return Ok(());
    }
    call(&payments, 4, Outcome::Success)?;
    call(&payments, 4, Outcome::failure())?;
    println!("after 4 of 8 calls failed, payments is {}", payments.state());
    assert_eq!(payments.state(), State::Closed);

    apply("the file has changed", &circuits, CHANGED)?;
    call(&payments, 1, Outcome::failure())?; // the eight calls before still count
    println!("after one more, payments is {}", payments.explain());
    assert_eq!(payments.state(), State::Open);

    println!("a file with two faults changes nothing");
    let error = toml::from_str::<Draft>(WRONG)?.check().expect_err("it is wrong");
    error.faults().iter().for_each(|fault| println!("  {fault}"));
    assert_eq!(error.faults().len(), 2);
    Ok(())
}

/// What a program does at its start, and again when its file has changed or a signal says so.
fn apply(when: &str, circuits: &Registry, file: &str) -> Result<(), Box<dyn Error>> {
    let config: CircuitsConfig = toml::from_str(file)?;
    let changes = circuits.apply(&config.with_environment()?);
    println!("{when}\n  {}", changes.to_string().replace('\n', "\n  "));
    Ok(())
}

fn call(circuit: &Circuit, times: u32, outcome: Outcome) -> Result<(), Box<dyn Error>> {
    for _ in 0..times {
        circuit.try_acquire()?.record(outcome);
    }
    Ok(())
}
