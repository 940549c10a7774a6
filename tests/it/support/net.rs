//! Servers on loopback, good ones and bad ones, and clients for them.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) type HttpClient = Client<HttpConnector, Empty<Bytes>>;

/// A client that opens a connection for each request and never repeats one by itself.
pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).retry_canceled_requests(false).build_http()
}

pub(crate) fn get(server: SocketAddr) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{server}/")).body(Empty::new()).expect("a request")
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// How often something was reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits(Arc<AtomicUsize>);

impl Hits {
    pub(crate) fn hit(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A well-behaved server whose answers are given by `answer`, for the n-th request, from one on.
pub(crate) async fn serve<F, Fut>(answer: F) -> (SocketAddr, Hits)
where
    F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send,
{
    let (listener, address) = listen().await;
    let hits = Hits::default();
    let seen = hits.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (answer, seen) = (answer.clone(), seen.clone());
            let service = hyper::service::service_fn(move |_: Request<Incoming>| {
                let answer = answer(seen.hit());
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tokio::spawn(connection);
        }
    });
    (address, hits)
}

pub(crate) fn status(code: u16) -> Response<Full<Bytes>> {
    Response::builder().status(code).body(Full::default()).expect("a response")
}

/// How a bad server treats a connection, once it has read the request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bad {
    /// Says ten bytes are coming, sends four and closes.
    HalfABody,
    /// Says nothing more.
    Hangs,
    /// Closes with a reset.
    Resets,
}

/// A server that treats every request badly. `before` runs when a request has come.
pub(crate) async fn misbehave(bad: Bad, before: impl Fn() + Clone + Send + 'static) -> (SocketAddr, Hits) {
    let (listener, address) = listen().await;
    let hits = Hits::default();
    let seen = hits.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (before, seen) = (before.clone(), seen.clone());
            tokio::spawn(async move {
                read_head(&mut socket).await;
                before();
                seen.hit();
                match bad {
                    Bad::HalfABody => {
                        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
                        let _ = socket.write_all(half).await;
                    }
                    Bad::Hangs => std::future::pending().await,
                    Bad::Resets => socket.set_zero_linger().expect("a socket option"),
                }
            });
        }
    });
    (address, hits)
}

async fn read_head(socket: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}

/// Waits until something has come about in another task; a busy machine may take its time.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came about: {what}");
}
