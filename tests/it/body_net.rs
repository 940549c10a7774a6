//! Calls that are over when the body is, over real sockets: hyper on both sides, HTTP/1 and HTTP/2, and axum.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, routing};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::sync::watch;
use tower::{Layer, ServiceExt};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Rejected, State, service::ResponseBody};

use crate::support::{
    SECOND, THREE, manual,
    net::{Bad, Hits, HttpClient, client, eventually, get, listen, misbehave},
    trip,
};

/// How a body of the server goes on after its first frame.
#[derive(Clone, Copy, Debug)]
enum Then {
    Breaks,
    Empty,
    Ends,
    Goes,
}

struct Stream {
    polls: u32,
    then: Then,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.polls += 1;
        match (self.polls, self.then) {
            (_, Then::Empty) => Poll::Ready(None),
            (1, _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data"))))),
            (2, _) => {
                // hyper sends what it has when a body is not ready.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (_, Then::Breaks) => Poll::Ready(Some(Err(io::Error::other("the disk is gone")))),
            (_, Then::Ends) => Poll::Ready(None),
            (_, Then::Goes) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.then, Then::Empty)
    }
}

/// A server of both versions whose bodies go on as the path says.
async fn server() -> (SocketAddr, Hits) {
    let (listener, address) = listen().await;
    let hits = Hits::default();
    let seen = hits.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let seen = seen.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                seen.hit();
                let then = match request.uri().path() {
                    "/breaks" => Then::Breaks,
                    "/goes" => Then::Goes,
                    _ if request.method() == Method::HEAD => Then::Empty,
                    "/204" => Then::Empty,
                    _ => Then::Ends,
                };
                let response = Response::builder().status(if request.uri().path() == "/204" { 204 } else { 200 });
                async move { Ok::<_, Infallible>(response.body(Stream { polls: 0, then }).expect("a response")) }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move { builder.serve_connection(TokioIo::new(socket), service).await.is_ok() });
        }
    });
    (address, hits)
}

fn http2() -> HttpClient {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn request(method: Method, server: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://{server}{path}");
    Request::builder().method(method).uri(uri).body(Empty::new()).expect("a request")
}

async fn call(
    circuit: &Circuit,
    client: HttpClient,
    request: Request<Empty<Bytes>>,
) -> Result<Response<ResponseBody<Incoming>>, BoxError> {
    CircuitBreakerLayer::new(circuit.clone()).until_end_of_body().layer(client).oneshot(request).await
}

fn counts(circuit: &Circuit) -> (u64, u64, u64) {
    let ledger = circuit.snapshot().ledger;
    (ledger.succeeded, ledger.failed, ledger.ignored)
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_over_both_versions_of_http() {
    let (server, hits) = server().await;
    for client in [client(), http2()] {
        let (circuit, _clock) = manual(THREE);
        for _ in 0..3 {
            let response = call(&circuit, client.clone(), request(Method::GET, server, "/breaks")).await.unwrap();
            assert_eq!((response.status().as_u16(), circuit.state()), (200, State::Closed));
            assert!(response.into_body().collect().await.is_err());
        }
        assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
        let error = call(&circuit, client, request(Method::GET, server, "/")).await.unwrap_err();
        assert!(Rejected::find(&*error).is_some());
    }
    assert_eq!(hits.count(), 6);
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_is_a_failure() {
    let (circuit, _clock) = manual(THREE);
    let (server, _) = misbehave(Bad::HalfABody, || ()).await;
    let response = call(&circuit, client(), get(server)).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(10));
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(counts(&circuit), (0, 1, 0));
}

#[tokio::test]
async fn a_body_that_is_read_to_its_end_is_a_success() {
    let (server, _) = server().await;
    for client in [client(), http2()] {
        let (circuit, _clock) = manual(THREE);
        let response = call(&circuit, client, request(Method::GET, server, "/")).await.unwrap();
        assert_eq!(counts(&circuit), (0, 0, 0));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "data");
        assert_eq!(counts(&circuit), (1, 0, 0));
    }
}

#[tokio::test]
async fn an_answer_without_a_body_is_settled_at_its_head() {
    let (server, _) = server().await;
    for client in [client(), http2()] {
        for (method, path) in [(Method::HEAD, "/"), (Method::GET, "/204")] {
            let (circuit, _clock) = manual(THREE);
            let response = call(&circuit, client.clone(), request(method, server, path)).await.unwrap();
            assert_eq!((counts(&circuit), response.body().is_settled()), ((1, 0, 0), true), "{path}");
        }
    }
}

#[tokio::test]
async fn a_reader_who_leaves_says_nothing_against_the_head() {
    let (server, _) = server().await;
    for client in [client(), http2()] {
        let (circuit, _clock) = manual(THREE);
        let mut response = call(&circuit, client.clone(), request(Method::GET, server, "/goes")).await.unwrap();
        assert!(response.body_mut().frame().await.is_some());
        drop(response);
        drop(call(&circuit, client, request(Method::GET, server, "/breaks")).await.unwrap());
        assert_eq!(counts(&circuit), (2, 0, 0));
    }
}

#[tokio::test]
async fn an_endless_stream_as_a_probe_does_not_hold_the_circuit_half_open() {
    let (server, _) = server().await;
    for client in [client(), http2()] {
        let (circuit, clock) = manual(THREE);
        trip(&circuit);
        clock.advance(SECOND);
        let stream = call(&circuit, client.clone(), request(Method::GET, server, "/goes")).await.unwrap();
        assert_eq!(circuit.state(), State::Closed);
        let response = call(&circuit, client, request(Method::GET, server, "/")).await.unwrap();
        assert!(response.into_body().collect().await.is_ok());
        drop(stream);
        assert_eq!(counts(&circuit), (2, 1, 0));
    }
}

/// Serves a router behind the circuit, and says when it has dropped a body.
async fn guarded_server(circuit: &Circuit, then: Then) -> SocketAddr {
    let (listener, address) = listen().await;
    let handler = move || async move { axum::body::Body::new(Stream { polls: 0, then }) };
    let layer = CircuitBreakerLayer::new(circuit.clone()).reply_503().until_end_of_body();
    let app = Router::new().route("/", routing::get(handler)).layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_server_sees_its_own_bodies_break_off() {
    let (circuit, _clock) = manual(THREE);
    let server = guarded_server(&circuit, Then::Breaks).await;
    for _ in 0..3 {
        let response = client().request(get(server)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_err());
    }
    eventually("three failures", || circuit.state() == State::Open).await;
    assert_eq!(client().request(get(server)).await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_body_is_no_failure_of_the_server() {
    let (circuit, _clock) = manual(THREE);
    let server = guarded_server(&circuit, Then::Goes).await;
    for n in 1..=5 {
        let mut response = client().request(get(server)).await.unwrap();
        assert!(response.body_mut().frame().await.is_some());
        drop(response);
        eventually("the server sees it", || counts(&circuit).0 == n).await;
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Closed, (5, 0, 0)));
}

/// A body that goes on may be read by another task than the one that made the call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_end_on_another_thread() {
    let (server, _) = server().await;
    let (circuit, _clock) = manual(THREE);
    let (done, mut all) = watch::channel(0);
    for _ in 0..20 {
        let response = call(&circuit, client(), request(Method::GET, server, "/")).await.unwrap();
        let done = done.clone();
        tokio::spawn(async move {
            let mut body = std::pin::pin!(response.into_body());
            while poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_some() {}
            done.send_modify(|n| *n += 1);
        });
    }
    all.wait_for(|n| *n == 20).await.unwrap();
    assert_eq!(counts(&circuit), (20, 0, 0));
}
