//! What the command line asks for.

use std::net::SocketAddr;

use crate::desk;

/// What to do.
pub(crate) enum Command {
    /// Say how to use the example.
    Help,
    /// Run the shop through its bad day, and keep it up after that if asked to, with its dashboard at this address.
    Shop { serve: Option<SocketAddr> },
}

pub(crate) const HELP: &str = "\
A shop whose four departments die one at a time, and then all at once; the shop stays up.

Usage: cargo run --release --example checkout [-- OPTIONS]

Options:
  --serve [ADDRESS]
             keep the shop up after its bad day, until it is interrupted, so that /health can be looked at, and with
             `--features axum` its dashboard, at this address or any free port of loopback
  --help     print this

Takes 20 to 30 s. Exit code: 0 if the shop stayed up, 1 if an expectation did not hold, 2 if the arguments are wrong.
Nothing but loopback is used.";

impl Command {
    /// Reads the arguments after the name of the program.
    ///
    /// # Errors
    ///
    /// A sentence that names the argument that is not understood.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut serve = None;
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--serve" => serve = Some(desk::address(&mut args)?),
                "--help" | "-h" => return Ok(Self::Help),
                _ => return Err(format!("unknown argument `{arg}`; --help shows those that are known")),
            }
        }
        Ok(Self::Shop { serve })
    }
}
