//! A balanced channel with a dead endpoint.

use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tower::{
    Layer,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, PendingRequests},
};
use tower_breaker::{Circuit, CircuitBreakerLayer, State};

use crate::support::{Client, Kind, channel, listen, serve};

const CALLS: usize = 600;

/// An address where nobody listens.
async fn dead() -> std::net::SocketAddr {
    listen().await.1
}

/// tonic's own balancer takes each endpoint as often as the other, and its users see the errors of the dead one.
#[tokio::test]
async fn a_channel_that_balances_by_itself_goes_on_to_call_a_dead_endpoint() {
    let endpoint = |address| Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let endpoints = [endpoint(serve().await), endpoint(dead().await)];
    let mut client = Client::new(Channel::balance_list(endpoints.into_iter()));
    let mut failed = 0;
    for _ in 0..CALLS {
        failed += usize::from(client.code(Kind::Unary, "send 1").await == Code::Unavailable);
    }
    assert!(failed > CALLS / 10, "{failed} of {CALLS} failed; if it is none now, the recipe is not needed any more");
}

#[tokio::test]
async fn behind_a_circuit_each_a_dead_endpoint_is_called_now_and_then() {
    let circuits: [Circuit; 2] =
        ["good", "dead"].map(|name| Circuit::builder(name).build().expect("the settings are good"));
    let endpoints = [serve().await, dead().await].into_iter().zip(circuits.clone()).map(|(address, circuit)| {
        let loaded = PendingRequests::new(channel(address), CompleteOnResponse::default());
        CircuitBreakerLayer::grpc_client(circuit).fail().layer(loaded)
    });
    let balance = Balance::new(ServiceList::new::<http::Request<tonic::body::Body>>(endpoints));
    let mut client = Client::new(Buffer::new(balance, 16));
    let mut failed = 0;
    for _ in 0..CALLS {
        failed += usize::from(client.code(Kind::Unary, "send 1").await != Code::Ok);
    }
    assert_eq!(circuits[1].state(), State::Open, "{}", circuits[1].explain());
    let sent = circuits[1].snapshot().ledger.failed;
    assert!(failed <= 20 && failed as u64 <= sent, "{failed} of {CALLS} failed, {sent} reached the dead endpoint");
    assert_eq!(circuits[0].snapshot().ledger.failed, 0);
}
