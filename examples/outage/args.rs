//! What the command line asks for.

use std::net::SocketAddr;

use crate::desk;

/// What to do.
pub(crate) enum Command {
    /// Be a gateway: the example starts itself twice in this role.
    Gateway { back_end: SocketAddr, breaker: bool, desk: SocketAddr },
    /// Say how to use the example.
    Help,
    /// Run the outage and show it.
    Show(Options),
}

/// How to show it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// One JSON object on stdout at the end; what people read goes to stderr.
    pub(crate) json: bool,
    /// A line for each probe too.
    pub(crate) probes: bool,
    /// Keep the gateway up afterwards, with its dashboard at this address.
    pub(crate) serve: Option<SocketAddr>,
}

pub(crate) const HELP: &str = "\
Runs one outage past two gateways, one without and one with a circuit breaker, and shows what the breaker changes.

Usage: cargo run --release --example outage [-- OPTIONS]

Options:
  --json     print one JSON object on stdout at the end; what people read goes to stderr
  --probes   print a line for each probe too (otherwise failed probes are only counted)
  --serve [ADDRESS]
             keep the gateway and its dashboard up afterwards, until it is interrupted, at this address or any free port of
             loopback; needs `--features axum`
  --help     print this

Takes about 50 s. Exit code: 0 if every phase behaved, 1 if one did not, 2 if the arguments are wrong.
The gateways are processes of their own (`--gateway ADDRESS with|without DASHBOARD`), so that their memory can be told apart.
Nothing but loopback is used; it needs about 500 open files.";

impl Command {
    /// Reads the arguments after the name of the program.
    ///
    /// # Errors
    ///
    /// A sentence that names the argument that is not understood.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options::default();
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--json" => options.json = true,
                "--probes" => options.probes = true,
                "--help" | "-h" => return Ok(Self::Help),
                "--gateway" => return gateway(args.next(), args.next(), args.next()),
                "--serve" if cfg!(feature = "axum") => options.serve = Some(desk::address(&mut args)?),
                "--serve" => {
                    return Err("there is no dashboard to serve without `--features axum` before `--example`".into());
                }
                _ => return Err(format!("unknown argument `{arg}`; --help shows those that are known")),
            }
        }
        Ok(Self::Show(options))
    }
}

fn gateway(back_end: Option<String>, breaker: Option<String>, desk: Option<String>) -> Result<Command, String> {
    let back_end =
        back_end.and_then(|address| address.parse().ok()).ok_or("--gateway needs the address of a back end")?;
    let desk = desk.and_then(|address| address.parse().ok()).ok_or("--gateway needs the address of a dashboard")?;
    match breaker.as_deref() {
        Some("with") => Ok(Command::Gateway { back_end, breaker: true, desk }),
        Some("without") => Ok(Command::Gateway { back_end, breaker: false, desk }),
        _ => Err("--gateway needs `with` or `without` after the address".into()),
    }
}
