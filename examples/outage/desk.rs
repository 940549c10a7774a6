//! Where an operator sits: the dashboard of the circuits, with the feature `axum`; without it, a hint. Both big examples have it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tower_breaker::{Circuit, Config, ConfigError};

/// Any free port of loopback.
pub(crate) const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where an operator sits.
#[derive(Default)]
pub(crate) struct Desk {
    #[cfg(feature = "axum")]
    dashboard: tower_breaker::dashboard::Dashboard,
}

impl Desk {
    /// Makes a circuit that can be seen and steered from here.
    #[cfg(feature = "axum")]
    pub(crate) fn circuit(&self, name: &'static str, config: Config) -> Result<Circuit, ConfigError> {
        let circuit = Circuit::builder(name).config(config).observe(self.dashboard.observer()).build()?;
        self.dashboard.add(circuit.clone());
        Ok(circuit)
    }

    #[cfg(not(feature = "axum"))]
    pub(crate) fn circuit(&self, name: &'static str, config: Config) -> Result<Circuit, ConfigError> {
        Circuit::builder(name).config(config).build()
    }

    /// Serves the dashboard for as long as the program runs, and returns where. Who sits at this machine may steer.
    #[cfg(feature = "axum")]
    pub(crate) async fn open(&self, at: SocketAddr) -> io::Result<Option<SocketAddr>> {
        let listener = tokio::net::TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let control = self.dashboard.control(|request| {
            // By its own name only, so that no name on the internet that leads here may.
            let host = request.headers.get("host").and_then(|host| host.to_str().ok());
            let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
            name.is_some_and(|name| ["localhost", "127.0.0.1", "[::1]"].contains(&name))
        });
        tokio::spawn(async move { axum::serve(listener, control.router()).await });
        Ok(Some(address))
    }

    #[cfg(not(feature = "axum"))]
    pub(crate) async fn open(&self, _at: SocketAddr) -> io::Result<Option<SocketAddr>> {
        Ok(None)
    }
}

/// Says where the dashboard is, or how to get one.
pub(crate) fn sign(desk: Option<SocketAddr>) -> String {
    match desk {
        Some(address) => format!("To watch the circuits, and steer them: http://{address}/circuits/dashboard"),
        None => "To watch the circuits in a browser, and steer them, add `--features axum`.".into(),
    }
}

/// Reads the address after `--serve`, if there is one.
///
/// # Errors
///
/// A sentence that says what an address looks like.
pub(crate) fn address(args: &mut std::iter::Peekable<impl Iterator<Item = String>>) -> Result<SocketAddr, String> {
    let Some(text) = args.next_if(|arg| !arg.starts_with('-')) else { return Ok(ANYWHERE) };
    text.parse().map_err(|_| format!("`{text}` is no address such as `127.0.0.1:3000`"))
}
