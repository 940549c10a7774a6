//! The dependency: HTTP/1.1 over plain sockets, so that it can misbehave in every way a server can.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use crate::{
    rng::Rng,
    weather::{Fault, Weather, work},
};

const BODY: [u8; 1_024] = [b'.'; 1_024];

/// A running back end.
pub(crate) struct BackEnd {
    pub(crate) address: SocketAddr,
    accepts: JoinHandle<()>,
}

impl BackEnd {
    pub(crate) async fn start(weather: Arc<Weather>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepts = tokio::spawn(async move {
            loop {
                if let Ok((socket, _)) = listener.accept().await {
                    let weather = Arc::clone(&weather);
                    // A caller that hangs up is none of our business.
                    tokio::spawn(async move { drop(connection(socket, &weather).await) });
                }
            }
        });
        Ok(Self { address, accepts })
    }

    /// Takes no more connections. Those that are there end when their callers close them.
    pub(crate) fn stop(&self) {
        self.accepts.abort();
    }
}

/// Answers calls on one connection until either side ends it.
async fn connection(mut socket: TcpStream, weather: &Weather) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut head = Vec::with_capacity(1_024);
    while read_head(&mut socket, &mut head).await? {
        let (fault, mut rng) = weather.fault();
        match fault {
            Fault::Works => {
                sleep(work(&mut rng)).await;
                answer(&mut socket, "200 OK", "", &BODY).await?;
            }
            Fault::Slow => {
                sleep(rng.millis(150, 400)).await;
                answer(&mut socket, "200 OK", "", &BODY).await?;
            }
            Fault::Fails => fail(&mut socket, &mut rng).await?,
            Fault::NotFound => answer(&mut socket, "404 Not Found", "", b"").await?,
            Fault::BreaksOff => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY.len());
                socket.write_all(head.as_bytes()).await?;
                return socket.write_all(&BODY[..BODY.len() / 2]).await;
            }
            Fault::Resets => return socket.set_zero_linger(),
            // Until the caller has enough.
            Fault::Hangs => {
                while socket.read(&mut [0; 64]).await? > 0 {}
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn fail(socket: &mut TcpStream, rng: &mut Rng) -> io::Result<()> {
    match rng.below(3) {
        0 => answer(socket, "503 Service Unavailable", "retry-after: 1\r\n", b"").await,
        1 => answer(socket, "429 Too Many Requests", "retry-after: 0\r\n", b"").await,
        _ => answer(socket, "500 Internal Server Error", "", b"").await,
    }
}

async fn answer(socket: &mut TcpStream, status: &str, header: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\n{header}content-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body).await
}

/// Reads the head of the next call; false if there is none. Calls have no bodies.
async fn read_head(socket: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<bool> {
    head.clear();
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read_buf(head).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
