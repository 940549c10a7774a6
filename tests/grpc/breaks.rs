//! Servers that die, calls that take too long, and readers that leave.

use std::{net::SocketAddr, thread, time::Duration};

use tokio::runtime::{Builder, Runtime};
use tonic::{
    Code, Status,
    service::interceptor::InterceptedService,
    transport::{Channel, Server},
};
use tower::Layer;
use tower_breaker::{
    Circuit, CircuitBreakerLayer, State,
    config::{CancelledAfter, Config},
};

use crate::support::{Client, KINDS, Kind, THREE, channel, circuit, counts, eventually, read, serve, serve_behind};

/// Long enough for loopback on a busy machine to be no accident, short enough for a test.
const SHORT: Duration = Duration::from_millis(40);

/// A server in a runtime of its own, which can be killed with all its connections.
fn server_to_be_killed() -> (Runtime, SocketAddr) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (told, address) = std::sync::mpsc::channel();
    runtime.spawn(async move { told.send(serve().await) });
    let address = thread::spawn(move || address.recv().expect("it starts")).join().expect("no panic");
    (runtime, address)
}

#[tokio::test]
async fn a_server_that_is_killed_in_mid_stream_is_a_failure_of_each_stream() {
    let (runtime, server) = server_to_be_killed();
    let (circuit, _clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    let mut streams = Vec::new();
    for kind in [Kind::ServerStream, Kind::Bidi, Kind::ServerStream] {
        streams.push(client.start(kind, "send 2 then wait").await.unwrap());
    }
    assert_eq!(counts(&circuit), (0, 0, 0));
    runtime.shutdown_background();
    for stream in streams {
        let (messages, end) = read(stream, usize::MAX).await;
        assert!(messages <= 2 && end.is_err());
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure() {
    let (runtime, server) = server_to_be_killed();
    // A runtime cannot wait for the end of another.
    thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(10))).join().unwrap();
    let (circuit, _clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for kind in KINDS {
        assert_eq!(client.code(kind, "send 1").await, Code::Unavailable);
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

#[tokio::test]
async fn a_deadline_of_the_channel_is_a_failure() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let channel = Channel::from_shared(format!("http://{server}")).unwrap().timeout(SHORT).connect_lazy();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel));
    for kind in [Kind::Unary, Kind::ServerStream, Kind::Bidi] {
        assert_eq!(client.code(kind, "wait").await, Code::Cancelled, "so tonic says");
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

/// As `Request::set_timeout`; the header is honoured by the channel too.
#[tokio::test]
async fn a_deadline_of_the_request_is_a_failure() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let deadline = |mut request: tonic::Request<()>| {
        request.set_timeout(SHORT);
        Ok::<_, Status>(request)
    };
    let guarded = CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server));
    let mut client = Client::new(InterceptedService::new(guarded, deadline));
    for kind in [Kind::Unary, Kind::ServerStream, Kind::Bidi] {
        assert_eq!(client.code(kind, "wait").await, Code::Cancelled, "so tonic says");
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

#[tokio::test]
async fn a_deadline_that_the_server_reports_is_a_failure() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for request in ["head 4", "send 0 then 4", "send 3 then 4"] {
        assert_eq!(client.code(Kind::ServerStream, request).await, Code::DeadlineExceeded);
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

/// tonic's server puts its timeout around all layers, so the call is dropped.
#[tokio::test]
async fn a_timeout_around_a_server_counts_with_cancelled_after() {
    let config = THREE.cancelled_after(CancelledAfter::After(SHORT / 2));
    let circuit = Circuit::builder("test").config(config).build().unwrap();
    let layer = CircuitBreakerLayer::grpc_server(circuit.clone());
    let server = serve_behind(Server::builder().timeout(SHORT).layer(layer)).await;
    let mut client = Client::new(channel(server));
    for _ in 0..3 {
        assert_eq!(client.code(Kind::Unary, "wait").await, Code::Cancelled);
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

#[tokio::test]
async fn a_reader_who_leaves_before_the_status_says_nothing() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for kind in [Kind::ServerStream, Kind::Bidi] {
        let stream = client.start(kind, "send 2 then wait").await.unwrap();
        assert_eq!(read(stream, 2).await.0, 2);
    }
    assert_eq!(counts(&circuit), (0, 0, 2));
    let stream = client.start(Kind::Bidi, "send 1 then wait").await.unwrap();
    let late = tokio::time::timeout(SHORT, read(stream, usize::MAX)).await;
    assert!(late.is_err(), "a deadline around the reader");
    assert_eq!(counts(&circuit), (0, 0, 3));
}

/// The server's view of the same.
#[tokio::test]
async fn a_client_that_leaves_is_no_failure_of_the_server() {
    let (circuit, _clock) = circuit();
    let server = serve_behind(Server::builder().layer(CircuitBreakerLayer::grpc_server(circuit.clone()))).await;
    for n in 1..=4 {
        let mut client = Client::new(channel(server));
        drop(client.start(Kind::ServerStream, "send 1 then wait").await.unwrap());
        eventually("the server sees it", || counts(&circuit).2 == n).await;
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Closed, (0, 0, 4)));
}

/// The default settings see a stream that fails at a busy client as quickly as an error in the head.
#[tokio::test]
async fn the_default_settings_open_on_errors_in_trailers() {
    let server = serve().await;
    let circuit = Circuit::builder("test").config(Config::new()).build().unwrap();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for _ in 0..100 {
        client.code(Kind::ServerStream, "send 1 then 14").await;
    }
    assert_eq!(circuit.state(), State::Open);
    assert!(circuit.snapshot().ledger.rejected > 50);
}
