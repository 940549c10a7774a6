//! Endpoints behind tower's balancer: four real servers, one of them bad.
//!
//! How many calls succeed depends on where the breaker is and on what the balancer hears of it. These are the rows of the
//! table in `docs/recipes.md`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tower::{
    BoxError, Layer, Service, ServiceExt,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, Load, PeakEwma, PendingRequests},
    util::BoxCloneService,
};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, State,
    circuit::Group,
    config::{Recovery, RecoveryWindow},
    service::Fail,
};

use crate::support::{
    SECOND,
    net::{self, Hits},
};

const MILLI: Duration = Duration::from_millis(1);
const CALLS: usize = 2_400;

/// Servers that answer after a millisecond; the first is bad while `bad` is not zero, after as many milliseconds.
struct Servers {
    addresses: Vec<SocketAddr>,
    hits: Vec<Hits>,
    bad: Arc<AtomicU64>,
}

impl Servers {
    async fn start(bad: u64) -> Self {
        let bad = Arc::new(AtomicU64::new(bad));
        let mut servers = Self { addresses: Vec::new(), hits: Vec::new(), bad: Arc::clone(&bad) };
        for number in 0..4 {
            let bad = Arc::clone(&bad);
            let (address, hits) = net::serve(move |_| {
                let bad = if number == 0 { bad.load(Ordering::SeqCst) } else { 0 };
                async move {
                    tokio::time::sleep(MILLI.max(Duration::from_millis(bad))).await;
                    net::status(if bad > 0 { 503 } else { 200 })
                }
            })
            .await;
            servers.addresses.push(address);
            servers.hits.push(hits);
        }
        servers
    }

    fn heal(&self) {
        self.bad.store(0, Ordering::SeqCst);
    }
}

type Answer = Response<Incoming>;

/// A client of one server.
fn endpoint(
    address: SocketAddr,
) -> impl Service<(), Response = Answer, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    tower::service_fn(move |()| {
        let answer = client.request(net::get(address));
        async move { answer.await.map_err(BoxError::from) }
    })
}

fn breaker(
    circuit: &Circuit,
) -> CircuitBreakerLayer<tower_breaker::service::Single<tower_breaker::classify::HttpClassifier, Fail>> {
    CircuitBreakerLayer::new(circuit.clone())
}

/// The default, but for a recovery that takes less time.
fn config() -> Config {
    Config::new().recovery(Recovery::Window(RecoveryWindow::new().probation(200 * MILLI)))
}

fn circuits(number: usize) -> Vec<Circuit> {
    (0..number)
        .map(|i| Circuit::builder(format!("endpoint {i}")).config(config()).build().expect("the settings are good"))
        .collect()
}

/// What users call: the balancer over these endpoints.
fn balanced<S>(endpoints: Vec<S>) -> BoxCloneService<(), Answer, BoxError>
where
    S: Service<(), Response = Answer, Error = BoxError, Future: Send> + Load<Metric: std::fmt::Debug> + Send + 'static,
{
    BoxCloneService::new(Buffer::new(Balance::new(ServiceList::new(endpoints)), 64))
}

/// How many of so many calls of twelve callers succeed, in per mille.
async fn success(service: &BoxCloneService<(), Answer, BoxError>, calls: usize) -> usize {
    let mut callers = JoinSet::new();
    for _ in 0..12 {
        let mut service = service.clone();
        callers.spawn(async move {
            let mut good = 0;
            for _ in 0..calls / 12 {
                let answer = service.ready().await.expect("the balancer lives").call(()).await;
                good += usize::from(answer.is_ok_and(|answer| answer.status() == StatusCode::OK));
            }
            good
        });
    }
    let good = callers.join_all().await.into_iter().sum::<usize>() * 1_000 / (calls / 12 * 12);
    println!("{good} of 1,000");
    good
}

/// A balancer that looks at the calls under way, over endpoints with a layer each.
fn by_pending<L, S>(servers: &Servers, layer: impl Fn(usize) -> L) -> BoxCloneService<(), Answer, BoxError>
where
    L: Layer<PendingRequests<BoxCloneService<(), Answer, BoxError>>, Service = S>,
    S: Service<(), Response = Answer, Error = BoxError, Future: Send> + Load<Metric: std::fmt::Debug> + Send + 'static,
{
    let with = |(i, address): (usize, &SocketAddr)| {
        let endpoint = BoxCloneService::new(endpoint(*address));
        layer(i).layer(PendingRequests::new(endpoint, CompleteOnResponse::default()))
    };
    balanced(servers.addresses.iter().enumerate().map(with).collect())
}

/// … or at the latency.
fn by_latency<L, S>(servers: &Servers, layer: impl Fn(usize) -> L) -> BoxCloneService<(), Answer, BoxError>
where
    L: Layer<PeakEwma<BoxCloneService<(), Answer, BoxError>>, Service = S>,
    S: Service<(), Response = Answer, Error = BoxError, Future: Send> + Load<Metric: std::fmt::Debug> + Send + 'static,
{
    let with = |(i, address): (usize, &SocketAddr)| {
        let endpoint = BoxCloneService::new(endpoint(*address));
        layer(i).layer(PeakEwma::new(endpoint, 5 * MILLI, 1e8, CompleteOnResponse::default()))
    };
    balanced(servers.addresses.iter().enumerate().map(with).collect())
}

/// After the server is well its circuit closes, and it gets a fair share of the calls.
async fn comes_back(servers: &Servers, service: &BoxCloneService<(), Answer, BoxError>, circuit: &Circuit) {
    servers.heal();
    for _ in 0..200 {
        if circuit.state() == State::Closed {
            break;
        }
        success(service, 120).await;
    }
    assert_eq!(circuit.state(), State::Closed, "{}", circuit.explain());
    // A balancer by latency needs a while to forget how slow it was.
    let mut share = 0;
    for _ in 0..20 {
        let before = servers.hits[0].count();
        assert!(success(service, CALLS / 3).await >= 990);
        share = (servers.hits[0].count() - before) * 100 / (CALLS / 3);
        if share > 10 {
            return;
        }
    }
    panic!("it gets {share} % of the calls, a fair share is 25 %");
}

#[tokio::test]
async fn without_a_breaker_a_server_that_fails_at_once_gets_most_of_the_calls() {
    let servers = Servers::start(1).await;
    let service = by_pending(&servers, |_| tower::layer::util::Identity::new());
    let good = success(&service, CALLS).await;
    assert!(good < 900, "{good} of 1,000");
}

/// It sees a service that fails now and then; if it opens, it shuts out the good servers too.
#[tokio::test]
async fn a_single_breaker_above_the_balancer_makes_it_no_better() {
    let servers = Servers::start(1).await;
    let circuit = &circuits(1)[0];
    let service = by_pending(&servers, |_| tower::layer::util::Identity::new());
    let service = BoxCloneService::new(breaker(circuit).layer(service));
    let good = success(&service, CALLS).await;
    assert!(good < 900, "{good} of 1,000");
}

/// What hides the circuit from the balancer.
#[derive(Clone, Debug)]
struct LooksIdle<S>(S);

impl<S: Service<()>> Service<()> for LooksIdle<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, (): ()) -> S::Future {
        self.0.call(())
    }
}

impl<S> Load for LooksIdle<S> {
    type Metric = usize;

    fn load(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn a_breaker_that_the_balancer_does_not_see_makes_it_worse() {
    let servers = Servers::start(100).await;
    let circuits = circuits(4);
    let service = by_pending(&servers, |i| {
        tower::layer::layer_fn({
            let layer = breaker(&circuits[i]);
            move |endpoint| LooksIdle(layer.layer(endpoint))
        })
    });
    let good = success(&service, CALLS / 5).await;
    assert!(good < 900, "{good} of 1,000");
    assert!(circuits[0].snapshot().ledger.rejected > 20, "rejections look idle");
}

#[tokio::test]
async fn an_open_endpoint_comes_last_by_pending_requests() {
    for bad in [1, 100] {
        let servers = Servers::start(bad).await;
        let circuits = circuits(4);
        let service = by_pending(&servers, |i| breaker(&circuits[i]));
        let good = success(&service, CALLS).await;
        assert!(good >= 990, "{good} of 1,000 with {bad} ms");
        assert_eq!(circuits[0].snapshot().times_opened, 1, "one outage");
        comes_back(&servers, &service, &circuits[0]).await;
    }
}

#[tokio::test]
async fn an_open_endpoint_comes_last_by_latency() {
    for bad in [1, 100] {
        let servers = Servers::start(bad).await;
        let circuits = circuits(4);
        // A bad server that is slow is avoided by the balancer itself, and may never open its circuit.
        let service = by_latency(&servers, |i| breaker(&circuits[i]));
        let good = success(&service, CALLS).await;
        assert!(good >= 990, "{good} of 1,000 with {bad} ms");
        comes_back(&servers, &service, &circuits[0]).await;
    }
}

#[tokio::test]
async fn an_open_endpoint_is_not_ready_with_backpressure() {
    for bad in [1, 100] {
        let servers = Servers::start(bad).await;
        let circuits = circuits(4);
        let service = by_pending(&servers, |i| breaker(&circuits[i]).backpressure());
        let good = success(&service, CALLS).await;
        assert!(good >= 990, "{good} of 1,000 with {bad} ms");
        comes_back(&servers, &service, &circuits[0]).await;

        let servers = Servers::start(bad).await;
        let circuits = self::circuits(4);
        let service = by_latency(&servers, |i| breaker(&circuits[i]).backpressure());
        let good = success(&service, CALLS).await;
        assert!(good >= 990, "{good} of 1,000 with {bad} ms");
        comes_back(&servers, &service, &circuits[0]).await;
    }
}

/// The circuit of the service hears nothing of endpoints that reject, and opens if most of them are open.
#[tokio::test]
async fn a_circuit_around_the_balancer_opens_when_its_endpoints_are_open() {
    let servers = Servers::start(1).await;
    let group = Group::new(1.0).expect("a share");
    let only_the_group = Config::without_rules().recovery(config().recovery);
    let service = Circuit::builder("service").config(only_the_group).build().expect("the settings are good");
    group.opens(&service, 1.0).expect("a share");
    let only_the_bad_one =
        Servers { addresses: vec![servers.addresses[0]; 3], hits: Vec::new(), bad: Arc::clone(&servers.bad) };
    let circuits: Vec<_> = (0..3)
        .map(|i| {
            Circuit::builder(format!("endpoint {i}"))
                .config(config())
                .group(&group)
                .build()
                .expect("the settings are good")
        })
        .collect();
    let balanced = by_pending(&only_the_bad_one, |i| breaker(&circuits[i]));
    let mut guarded = breaker(&service).layer(balanced);
    for _ in 0..1_000 {
        let _ = guarded.ready().await.expect("it is ready").call(()).await;
        if service.state() == State::Open {
            break;
        }
    }
    assert_eq!(service.state(), State::Open);
    let reason = service.snapshot().reason.expect("it says why").to_string();
    assert_eq!(reason, "3 of 3 endpoints are open");
    servers.heal();
    let closed = async {
        while service.state() != State::Closed || circuits.iter().any(|circuit| circuit.state() != State::Closed) {
            let _ = guarded.ready().await.expect("it is ready").call(()).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(20 * SECOND, closed).await.expect("both levels recover");
}
