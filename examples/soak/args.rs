//! What the command line asks for.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

pub(crate) const HELP: &str = "\
Soaks a circuit in real traffic with faults drawn at random, and checks that nothing leaks and every answer is accounted for.

Usage: cargo run --release --example soak [-- OPTIONS]

Options:
  --minutes N    how long, fractions too; default 1
  --seconds N    the same in seconds
  --seed N       draws the same faults again; default: random, and printed
  --plant WHAT   breaks something, to show that it is found: answer, memory, permit, socket or task
  --help         print this

Exit code: 0 if all holds, 1 if something does not, 2 if the arguments are wrong. Nothing but loopback is used.";

pub(crate) enum Command {
    /// Say how to use the example.
    Help,
    Soak(Options),
}

#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) lasts: Duration,
    pub(crate) seed: u64,
    pub(crate) plant: Option<Plant>,
}

/// A fault of the soak's own making, that its checks must find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A user is told something else than the book.
    Answer,
    /// Some megabytes a round are never freed.
    Memory,
    /// The permit of a call is forgotten.
    Permit,
    /// A socket is never closed.
    Socket,
    /// A task never ends.
    Task,
}

impl Command {
    /// Reads the arguments after the name of the program.
    ///
    /// # Errors
    ///
    /// A sentence that names the argument that is not understood.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let seed = RandomState::new().build_hasher().finish() % 1_000_000;
        let mut options = Options { lasts: Duration::from_secs(60), seed, plant: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--minutes" => options.lasts = time(&arg, args.next(), 60.0)?,
                "--seconds" => options.lasts = time(&arg, args.next(), 1.0)?,
                "--seed" => {
                    let seed = args.next().and_then(|seed| seed.parse().ok());
                    options.seed = seed.ok_or("--seed needs a whole number")?;
                }
                "--plant" => options.plant = Some(plant(args.next().as_deref())?),
                _ => return Err(format!("unknown argument `{arg}`; --help shows those that are known")),
            }
        }
        Ok(Self::Soak(options))
    }
}

fn time(name: &str, value: Option<String>, unit: f64) -> Result<Duration, String> {
    let value = value.and_then(|value| value.parse::<f64>().ok());
    let time = value.and_then(|value| Duration::try_from_secs_f64(value * unit).ok());
    time.ok_or_else(|| format!("{name} needs a number that is not negative"))
}

fn plant(what: Option<&str>) -> Result<Plant, String> {
    match what {
        Some("answer") => Ok(Plant::Answer),
        Some("memory") => Ok(Plant::Memory),
        Some("permit") => Ok(Plant::Permit),
        Some("socket") => Ok(Plant::Socket),
        Some("task") => Ok(Plant::Task),
        _ => Err("--plant needs one of answer, memory, permit, socket, task".into()),
    }
}
