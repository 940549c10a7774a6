//! Whole stacks of tonic.

use std::time::Duration;

use tonic::{Code, transport::Server};
use tower::Layer;
use tower_breaker::{
    State,
    bulkhead::BulkheadConfig,
    retry::{Backoff, RetryConfig},
    stack::{Stack, StackConfig},
};

use crate::support::{Client, Kind, THREE, channel, circuit, listen, serve, serve_behind};

const MS: Duration = Duration::from_millis(1);

fn config() -> StackConfig {
    let retry = RetryConfig::new().backoff(Backoff::new(MS, MS)).max_retry_after(1_000 * MS);
    StackConfig::new().retry(retry).circuit(THREE)
}

#[tokio::test]
async fn a_client_of_all_parts_serves_all_kinds_and_opens_by_trailers() {
    let (circuit, _clock) = circuit();
    let stack = Stack::grpc_client("ledger").config(config()).circuit(circuit.clone()).build().expect("it fits");
    let mut client = Client::new(stack.layer(channel(serve().await)));
    for kind in crate::support::KINDS {
        let (messages, status) = client.call(kind, "send 1").await;
        assert!(messages >= 1 && status.is_ok(), "{kind:?}: {status:?}");
    }
    for _ in 0..3 {
        assert_eq!(client.code(Kind::ServerStream, "send 2 then 13").await, Code::Internal);
    }
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Unavailable);
}

#[tokio::test]
async fn a_client_tries_unavailable_again_and_says_deadline_exceeded_of_what_takes_too_long() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let stack = Stack::grpc_client("ledger").config(config()).circuit(circuit.clone()).build().expect("it fits");
    let mut client = Client::new(stack.layer(channel(server)));
    assert_eq!(client.code(Kind::Unary, "head 14").await, Code::Unavailable);
    assert_eq!(circuit.snapshot().ledger.failed, 1, "it pushes back for five seconds, which is too long");
    let short = config().retry(None).attempt(60 * MS);
    let stack = Stack::grpc_client("ledger").config(short).build().expect("it fits");
    let mut client = Client::new(stack.layer(channel(server)));
    assert_eq!(client.code(Kind::Unary, "wait").await, Code::DeadlineExceeded);
    let (_, nobody) = listen().await;
    let stack = Stack::grpc_client("nobody").config(config()).build().expect("it fits");
    let mut client = Client::new(stack.layer(channel(nobody)));
    assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Unavailable);
    assert_eq!(stack.circuit().snapshot().ledger.failed, 3, "a refused connection is tried three times");
}

#[tokio::test]
async fn a_server_says_what_it_turns_away_in_grpc() {
    let config = config().attempt(100 * MS).bulkhead(BulkheadConfig::new(1));
    let stack = Stack::grpc_server("methods").config(config).build().expect("it fits");
    let server = serve_behind(Server::builder().layer(stack.clone())).await;
    let mut first = Client::new(channel(server));
    let hung = tokio::spawn(async move { first.code(Kind::Unary, "wait").await });
    let bulkhead = stack.parts().bulkhead.clone().expect("there is one");
    crate::support::eventually("the call is in the handler", || bulkhead.in_flight() == 1).await;
    let mut client = Client::new(channel(server));
    assert_eq!(client.code(Kind::Unary, "send 1").await, Code::ResourceExhausted);
    assert_eq!(hung.await.expect("no panic"), Code::DeadlineExceeded);
    for _ in 0..2 {
        assert_eq!(client.code(Kind::ServerStream, "send 1 then 13").await, Code::Internal);
    }
    assert_eq!(stack.circuit().state(), State::Open);
    assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Unavailable);
}
