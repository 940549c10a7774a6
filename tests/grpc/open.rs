//! An open circuit, as a plain tonic client sees it.

use tonic::{Code, Status, transport::Server};
use tower::{Layer, ServiceBuilder};
use tower_breaker::{CircuitBreakerLayer, Outcome, State};

use crate::support::{Client, KINDS, Kind, SECOND, channel, circuit, counts, serve, serve_behind};

/// What each rejection must be, and what the reply mode adds to it.
fn check(status: &Status, replied: bool) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    if replied {
        assert_eq!(status.message(), "circuit `größer 5 %` is open, retry after 1.0s");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").expect("a pushback"), "1000");
    } else {
        assert_eq!(status.message(), "a circuit lets no call pass now");
    }
}

#[tokio::test]
async fn a_client_whose_circuit_is_open_is_told_unavailable() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    (0..3).for_each(|_| circuit.try_acquire().unwrap().record(Outcome::failure()));
    let layer = CircuitBreakerLayer::grpc_client(circuit.clone());
    for kind in KINDS {
        let mut replies = Client::new(layer.clone().layer(channel(server)));
        check(&replies.call(kind, "send 1").await.1.unwrap_err(), true);
        let mut fails = Client::new(layer.clone().fail().layer(channel(server)));
        check(&fails.call(kind, "send 1").await.1.unwrap_err(), false);
        let chain = ServiceBuilder::new().layer(layer.clone().fail()).timeout(SECOND).service(channel(server));
        check(&Client::new(chain).call(kind, "send 1").await.1.unwrap_err(), false);
    }
}

#[tokio::test]
async fn a_server_whose_circuit_is_open_says_unavailable() {
    let (circuit, _clock) = circuit();
    let layer = CircuitBreakerLayer::grpc_server(circuit.clone());
    let replies = serve_behind(Server::builder().layer(layer.clone())).await;
    let fails = serve_behind(Server::builder().layer(layer.fail())).await;
    for server in [replies, fails] {
        let mut client = Client::new(channel(server));
        assert_eq!(client.code(Kind::Bidi, "send 3").await, Code::Ok, "closed");
    }
    (0..3).for_each(|_| circuit.try_acquire().unwrap().record(Outcome::failure()));
    for (server, replied) in [(replies, true), (fails, false)] {
        let mut client = Client::new(channel(server));
        for kind in KINDS {
            check(&client.call(kind, "send 1").await.1.unwrap_err(), replied);
        }
    }
}

#[tokio::test]
async fn a_server_sees_the_codes_of_its_own_handlers() {
    for kind in KINDS {
        let (circuit, clock) = circuit();
        let server = serve_behind(Server::builder().layer(CircuitBreakerLayer::grpc_server(circuit.clone()))).await;
        let mut client = Client::new(channel(server));
        let request = if matches!(kind, Kind::ServerStream | Kind::Bidi) { "send 2 then 13" } else { "head 13" };
        for _ in 0..3 {
            assert_eq!(client.code(kind, request).await, Code::Internal);
        }
        assert_eq!((circuit.state(), client.code(kind, request).await), (State::Open, Code::Unavailable));
        clock.advance(SECOND * 5);
        assert_eq!(client.code(kind, "send 1").await, Code::Ok);
        assert_eq!(circuit.state(), State::Closed, "{kind:?}");
    }
}

/// The one rejects by a response, so the other takes it for what it is over the wire too: the server's failure.
#[tokio::test]
async fn a_client_counts_the_rejections_of_a_server() {
    let ((near, _), (far, _)) = (circuit(), circuit());
    let server = serve_behind(Server::builder().layer(CircuitBreakerLayer::grpc_server(far.clone()))).await;
    far.force_open();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(near.clone()).layer(channel(server)));
    for _ in 0..3 {
        let (_, end) = client.call(Kind::Unary, "send 1").await;
        assert_eq!(end.unwrap_err().metadata().get("grpc-retry-pushback-ms").unwrap(), "-1", "ask the operator");
    }
    assert_eq!(near.state(), State::Open);
    let wait = near.snapshot().retry_after.unwrap();
    assert_eq!(wait, near.config().max_retry_after, "the longest wait there is");
}

/// In one process a rejection is nobody's failure, be it an error or an answer.
#[tokio::test]
async fn a_circuit_around_another_ignores_its_rejections() {
    let server = serve().await;
    let ((outer, _), (inner, _)) = (circuit(), circuit());
    inner.force_open();
    let (layer, below) = (CircuitBreakerLayer::grpc_client(outer.clone()), CircuitBreakerLayer::grpc_client(inner));
    let errors = ServiceBuilder::new().layer(layer.clone().fail()).layer(below.clone().fail()).service(channel(server));
    assert_eq!(Client::new(errors).code(Kind::Unary, "send 1").await, Code::Unavailable);
    let answers = ServiceBuilder::new().layer(layer).layer(below).service(channel(server));
    assert_eq!(Client::new(answers).code(Kind::Unary, "send 1").await, Code::Unavailable);
    assert_eq!(counts(&outer), (0, 0, 2));
}
