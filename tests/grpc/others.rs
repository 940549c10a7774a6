//! Other stacks over the types of `http`: a server that is not tonic's and answers as proxies do, and a client of hyper.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client as HyperClient,
    rt::{TokioExecutor, TokioIo},
};
use tonic::Code;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{Circuit, CircuitBreakerLayer, State};

use crate::support::{Client, Kind, SECOND, channel, circuit, counts, listen};

/// What the server answers to everything.
#[derive(Clone, Copy, Debug)]
struct Raw {
    status: u16,
    head: &'static [(&'static str, &'static str)],
    /// A message, if there is one, with its length before it.
    message: Option<&'static str>,
    trailers: Option<&'static [(&'static str, &'static str)]>,
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const FINE: Raw = Raw { status: 200, head: &[GRPC], message: Some("hello"), trailers: Some(&[("grpc-status", "0")]) };

impl Raw {
    fn response(self) -> Response<impl http_body::Body<Data = Bytes, Error = Infallible>> {
        let message = self.message.map(|text| {
            let length = u32::try_from(text.len()).expect("a short text").to_be_bytes();
            Frame::data([&[0], &length[..], text.as_bytes()].concat().into())
        });
        let trailers = self.trailers.map(|trailers| Frame::trailers(headers(trailers)));
        let mut response = Response::new(StreamBody::new(stream::iter(message.into_iter().chain(trailers).map(Ok))));
        *response.status_mut() = self.status.try_into().expect("a status");
        *response.headers_mut() = headers(self.head);
        response
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), value.parse().expect("a header value"))
    };
    pairs.iter().map(pair).collect()
}

async fn serve(raw: Raw) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service =
                hyper::service::service_fn(
                    move |_: Request<Incoming>| async move { Ok::<_, Infallible>(raw.response()) },
                );
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(socket), service));
        }
    });
    address
}

/// What a tonic client sees of a unary call, and what the circuit counts.
async fn ask(raw: Raw) -> (Code, (u64, u64, u64)) {
    let server = serve(raw).await;
    let (circuit, _clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    (client.code(Kind::Unary, "send 1").await, counts(&circuit))
}

#[tokio::test]
async fn the_status_of_a_unary_call_may_stand_in_the_trailers() {
    assert_eq!(ask(FINE).await, (Code::Ok, (1, 0, 0)));
    let unavailable = Some(&[("grpc-status", "14")][..]);
    assert_eq!(ask(Raw { trailers: unavailable, ..FINE }).await, (Code::Unavailable, (0, 1, 0)));
    assert_eq!(ask(Raw { trailers: unavailable, message: None, ..FINE }).await, (Code::Unavailable, (0, 1, 0)));
    let not_found = Some(&[("grpc-status", "5")][..]);
    assert_eq!(ask(Raw { trailers: not_found, message: None, ..FINE }).await, (Code::NotFound, (0, 0, 1)));
}

#[tokio::test]
async fn an_answer_without_a_status_is_unknown() {
    for trailers in [None, Some(&[][..]), Some(&[("other", "1")][..]), Some(&[("grpc-status", "fine")][..])] {
        for message in [None, Some("hello")] {
            let (_, counts) = ask(Raw { trailers, message, ..FINE }).await;
            assert_eq!(counts, (0, 1, 0), "{trailers:?} {message:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_a_proxy_is_judged_by_its_http_status() {
    let page = Raw { status: 200, head: &[("content-type", "text/html")], message: Some("hello"), trailers: None };
    for (status, expected) in [
        (200, (0, 1, 0)),
        (400, (0, 1, 0)),
        (401, (0, 0, 1)),
        (403, (0, 0, 1)),
        (404, (0, 0, 1)),
        (429, (0, 1, 0)),
        (500, (0, 1, 0)),
        (502, (0, 1, 0)),
        (503, (0, 1, 0)),
        (504, (0, 1, 0)),
    ] {
        assert_eq!(ask(Raw { status, ..page }).await.1, expected, "{status}");
    }
}

type Hyper = HyperClient<hyper_util::client::legacy::connect::HttpConnector, Empty<Bytes>>;

fn hyper() -> Hyper {
    HyperClient::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn request(server: SocketAddr) -> Request<Empty<Bytes>> {
    Request::post(format!("http://{server}/test.Echo/Unary")).body(Empty::new()).expect("a request")
}

/// Hyper's body has no default, and yet a rejection is an answer.
#[tokio::test]
async fn a_client_of_hyper_is_guarded_by_the_same_preset() {
    let server = serve(Raw { trailers: Some(&[("grpc-status", "13")]), ..FINE }).await;
    let (circuit, _clock) = circuit();
    let mut client = CircuitBreakerLayer::grpc_client(circuit.clone()).layer(hyper());
    for _ in 0..3 {
        let response = client.ready().await.unwrap().call(request(server)).await.unwrap();
        let trailers = response.into_body().collect().await.unwrap().trailers().cloned().unwrap();
        assert_eq!(trailers["grpc-status"], "13");
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
    let response = client.ready().await.unwrap().call(request(server)).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.headers()["grpc-message"], "circuit `gr%C3%B6%C3%9Fer 5 %25` is open, retry after 1.0s");
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

/// A server whose every answer has a good head and a bad end: the probes are good, and the recovery finds it out.
#[tokio::test]
async fn a_recovery_sees_the_errors_that_come_along_with_a_good_head() {
    use tower_breaker::config::{Recovery, RecoveryWindow};
    let server = serve(Raw { trailers: Some(&[("grpc-status", "13")]), ..FINE }).await;
    let clock = tower_breaker::clock::ManualClock::new();
    let config = crate::support::THREE.recovery(Recovery::Window(RecoveryWindow::new()));
    let circuit = Circuit::builder("test").config(config).clock(clock.clone()).build().unwrap();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for _ in 0..3 {
        assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Internal);
    }
    clock.advance(SECOND);
    assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Internal);
    assert_eq!(circuit.state(), State::Recovering, "the probe had a good head");
    for _ in 0..10 {
        client.code(Kind::Unary, "send 1").await;
    }
    assert_eq!(circuit.state(), State::Open);
}
