//! A new key in each request.

use std::{future::ready, task::Context, task::Waker};

use http::{Request, Response, header::HOST};
use tower::{Layer, Service, service_fn};
use tower_breaker::{BoxError, Config, KeyedCircuitBreakerLayer, Mode, Outcome, Registry, State, service::by_host};

use super::{call, trip};

const ATTACKS: u32 = 200_000;
const CAPACITY: usize = 1_000;
const LIVE: usize = 100;

fn live(n: usize) -> String {
    format!("live-{n}.test")
}

/// A request whose host nobody has seen: short or as long as can be, and with a port.
fn hostile(n: u32) -> Request<()> {
    let host = if n % 2 == 0 { format!("{n}.evil.test") } else { format!("{n:0>240}.evil.test:{}", n % 65_536) };
    Request::get("/").header(HOST, host).body(()).expect("a request")
}

/// Attacks a registry in which some hosts are live, one of them open, and one in a mode. Every `fails`th call fails.
fn attack(fails: u32, attacks: u32) -> (Registry, i64) {
    // What the default config costs; no time passes that is not the machine's own.
    let hosts = Registry::by_key("hosts").config(Config::new()).capacity(CAPACITY).build().expect("sound");
    let answer = move |request: Request<()>| {
        let n = request.headers()[HOST].to_str().ok().and_then(|host| host.split('.').next()?.parse::<u32>().ok());
        let status = if n.is_some_and(|n| n % fails == 0) { 500 } else { 200 };
        ready(Ok::<_, BoxError>(Response::builder().status(status).body(()).expect("a response")))
    };
    let mut service = KeyedCircuitBreakerLayer::new(hosts.clone(), by_host()).layer(service_fn(answer));
    for _ in 0..2 {
        (0..LIVE).for_each(|n| call(&hosts, &live(n), Outcome::Success));
    }
    trip(&hosts, "open.test");
    hosts.circuit("forced.test").force_open();
    let mut cx = Context::from_waker(Waker::noop());
    let info = allocation_counter::measure(|| {
        for n in 0..attacks {
            let answer = std::pin::pin!(service.call(hostile(n)));
            let answer = answer.poll(&mut cx);
            assert!(matches!(answer, std::task::Poll::Ready(Ok(_))), "no stranger is rejected");
        }
    });
    (hosts, info.bytes_current)
}

fn check(hosts: &Registry, bytes: i64) {
    assert!(hosts.len() <= CAPACITY, "{} circuits", hosts.len());
    let most = i64::try_from(CAPACITY + 256).expect("small") * 2_048;
    assert!(bytes < most, "{bytes} bytes have been left behind, {most} at most");
    for n in 0..LIVE {
        let ledger = hosts.find(&live(n)).expect("a live one is kept").snapshot().ledger;
        assert_eq!(ledger.succeeded, 2, "it is the same circuit");
    }
    assert_eq!(hosts.find("open.test").map(|circuit| circuit.state()), Some(State::Open));
    assert_eq!(hosts.find("forced.test").map(|circuit| circuit.mode()), Some(Mode::ForcedOpen));
    assert!(hosts.circuits().iter().all(|(_, circuit)| circuit.name() == "hosts"), "one name, whatever the keys");
}

#[test]
fn keys_that_are_never_seen_again_cost_bounded_memory_and_push_out_nobody() {
    let (hosts, bytes) = attack(u32::MAX, ATTACKS);
    check(&hosts, bytes);
    let overflow = hosts.overflow().snapshot().ledger.ended();
    assert!(
        overflow < LIVE as u64,
        "{overflow}: a few at the border, when those who came back are told from the others"
    );
}

/// They hold on for as long as their failures are looked back on; then newer ones go to the overflow, which passes them.
#[test]
fn keys_that_fail_cost_no_more() {
    let (hosts, bytes) = attack(2, ATTACKS / 4);
    check(&hosts, bytes);
    let ledger = hosts.overflow().snapshot().ledger;
    assert!(ledger.ended() > 0 && ledger.rejected == 0, "{ledger:?}");
}
