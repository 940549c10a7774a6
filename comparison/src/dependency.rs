//! A dependency over a real socket: a server on loopback that misbehaves in one way, and a client for it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};
use tower::BoxError;

use crate::breaker::Job;

/// What the server does with each request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// Takes it and never answers.
    BlackHole,
    /// `200` and a tenth of the body, then the connection ends.
    BodyDies,
    /// `200` after this time.
    Healthy(Duration),
    /// `503`.
    Unavailable,
}

/// A running server. It ends with this value.
pub(crate) struct Dependency {
    address: SocketAddr,
    reached: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Dependency {
    pub(crate) async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let reached = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reached);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, behaviour, Arc::clone(&counter)));
            }
        });
        Ok(Self { address, reached, server })
    }

    /// How many requests have reached it.
    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    /// One request over a connection of its own.
    pub(crate) fn get(&self) -> Job {
        let address = self.address;
        Job::new(async move { get(&mut connect(address).await?, "/").await })
    }
}

impl Drop for Dependency {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request; the client's leaving ends the wait of a black hole.
async fn serve(mut stream: TcpStream, behaviour: Behaviour, reached: Arc<AtomicUsize>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    reached.fetch_add(1, Ordering::SeqCst);
    match behaviour {
        Behaviour::BlackHole => stream.read(&mut [0]).await.map(drop),
        Behaviour::BodyDies => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n..........").await,
        Behaviour::Healthy(after) => {
            sleep(after).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await
        }
        Behaviour::Unavailable => {
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await
        }
    }
}

/// Opens a connection, which ends when the sender is dropped.
pub(crate) async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, BoxError> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

pub(crate) async fn get(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Result<Response, BoxError> {
    let request = Request::get(path).header("host", "dependency").body(Empty::new())?;
    sender.ready().await?;
    Ok(sender.send_request(request).await?.map(Body::new))
}
