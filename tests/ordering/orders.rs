//! The layers, in the orders that people put them.

use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Sleep, sleep};
use tower::{
    BoxError, ServiceBuilder,
    load_shed::error::Overloaded,
    retry::{Policy, RetryLayer},
    util::MapResultLayer,
};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Outcome,
    bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer},
    classify::{HttpClassifier, http_fn},
    config::CancelledAfter,
    retry::{Backoff, Budget, HttpRetry, Retries, RetryConfig, Spread},
    service::{Fail, Single},
};

use crate::world::{Client, SECOND, World};

/// A name for the table, and how to build it.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) name: &'static str,
    pub(crate) verdict: &'static str,
    build: fn(&World, Config) -> Client,
}

impl Order {
    const fn new(name: &'static str, verdict: &'static str, build: fn(&World, Config) -> Client) -> Self {
        Self { name, verdict, build }
    }

    pub(crate) fn build(&self, world: &World, config: Config) -> Client {
        (self.build)(world, config)
    }
}

const TOTAL: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = SECOND;

fn breaker(circuit: &Circuit) -> CircuitBreakerLayer<Single<HttpClassifier, Fail>> {
    CircuitBreakerLayer::new(circuit.clone())
}

/// Two more attempts, after 50 to 100 and 100 to 200 milliseconds; asks this circuit, or none.
fn retry(circuit: Option<&Circuit>) -> RetryLayer<HttpRetry> {
    let backoff = Backoff::new(SECOND / 10, SECOND).spread(Spread::Equal);
    let budget = Budget::builder().ratio(10.0).reserve(1_000_000).build().expect("within bounds");
    let builder = Retries::builder().config(RetryConfig::new().backoff(backoff)).budget(budget).seed(7);
    let builder = match circuit {
        Some(circuit) => builder.circuit(circuit.clone()),
        None => builder,
    };
    RetryLayer::new(HttpRetry::new(builder.build().expect("within bounds")))
}

/// As many people write it: whatever failed is repeated.
#[derive(Clone)]
struct Naive(u32);

impl Policy<Request<()>, Response<()>, BoxError> for Naive {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Request<()>, result: &mut Result<Response<()>, BoxError>) -> Option<Sleep> {
        let failed = result.as_ref().map_or(true, |response| response.status().is_server_error());
        if !failed || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(sleep(SECOND / if self.0 == 1 { 10 } else { 5 }))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

macro_rules! client {
    ($world:expr, $($layer:expr),+ $(,)?) => {
        Client::new(ServiceBuilder::new()$(.layer($layer))+.service($world.back_end()))
    };
}

fn timeout(limit: Duration) -> tower::timeout::TimeoutLayer {
    tower::timeout::TimeoutLayer::new(limit)
}

type Answer = Result<Response<()>, BoxError>;

/// An answer in place of whatever failed.
fn fallback() -> MapResultLayer<fn(Answer) -> Answer> {
    MapResultLayer::new(|result: Answer| match result {
        Ok(response) if response.status().is_success() => Ok(response),
        Ok(_) | Err(_) => Ok(Response::new(())),
    })
}

pub(crate) const NONE: Order = Order::new("Total > Retry > Attempt", "no breaker", |world, _| {
    client!(world, timeout(TOTAL), retry(None), timeout(ATTEMPT))
});

pub(crate) const A: Order = Order::new("**Total > Retry > Circuit > Attempt**", "**right**", |world, config| {
    let circuit = world.circuit(config);
    client!(world, timeout(TOTAL), retry(Some(&circuit)), breaker(&circuit), timeout(ATTEMPT))
});

pub(crate) const REPEATS_REJECTIONS: Order =
    Order::new("the same, a retry that repeats rejections", "nobody is told at once", |world, config| {
        let circuit = world.circuit(config);
        client!(world, timeout(TOTAL), RetryLayer::new(Naive(2)), breaker(&circuit), timeout(ATTEMPT))
    });

pub(crate) const B: Order = Order::new(
    "Total > Circuit > Retry > Attempt",
    "half as quick, twice the load; a probe is three calls",
    |world, config| {
        let circuit = world.circuit(config);
        client!(world, timeout(TOTAL), breaker(&circuit), retry(None), timeout(ATTEMPT))
    },
);

pub(crate) const ONCE: Order = Order::new(
    "the same, and the retry asks the circuit",
    "a user counts once, a probe is one call",
    |world, config| {
        let circuit = world.circuit(config);
        client!(world, timeout(TOTAL), breaker(&circuit), retry(Some(&circuit)), timeout(ATTEMPT))
    },
);

pub(crate) const C: Order =
    Order::new("Total > Retry > Attempt > Circuit", "**blind to hangs: the silent error**", |world, config| {
        let circuit = world.circuit(config);
        client!(world, timeout(TOTAL), retry(Some(&circuit)), timeout(ATTEMPT), breaker(&circuit))
    });

pub(crate) const C2: Order = Order::new("the same with `cancelled_after` 0.9 s", "mended", |world, config| {
    let circuit = world.circuit(config.cancelled_after(CancelledAfter::After(SECOND * 9 / 10)));
    client!(world, timeout(TOTAL), retry(Some(&circuit)), timeout(ATTEMPT), breaker(&circuit))
});

pub(crate) const D: Order = Order::new("Circuit > Total > Retry > Attempt", "as Circuit > Retry", |world, config| {
    let circuit = world.circuit(config);
    client!(world, breaker(&circuit), timeout(TOTAL), retry(None), timeout(ATTEMPT))
});

pub(crate) const FALLBACK_INSIDE: Order =
    Order::new("Circuit > Fallback > Attempt", "**blind to all**", |world, config| {
        let circuit = world.circuit(config);
        client!(world, breaker(&circuit), fallback(), timeout(ATTEMPT))
    });

pub(crate) const FALLBACK_OUTSIDE: Order = Order::new("Fallback > Circuit > Attempt", "right", |world, config| {
    let circuit = world.circuit(config);
    client!(world, fallback(), breaker(&circuit), timeout(ATTEMPT))
});

/// Those of the table.
pub(crate) const ALL: &[Order] = &[NONE, A, REPEATS_REJECTIONS, B, ONCE, C, C2, D, FALLBACK_OUTSIDE, FALLBACK_INSIDE];

pub(crate) const SHED_INSIDE: Order = Order::new("Circuit > Shed > Limit", "", |world, config| {
    let circuit = world.circuit(config);
    let bulkhead = ServiceBuilder::new().load_shed().concurrency_limit(20).service(world.back_end());
    Client::new(ServiceBuilder::new().layer(breaker(&circuit)).service(bulkhead))
});

pub(crate) const SHED_OUTSIDE: Order = Order::new("Shed > Limit > Circuit", "", |world, config| {
    let circuit = world.circuit(config);
    let guarded = ServiceBuilder::new().layer(breaker(&circuit)).service(world.back_end());
    Client::new(ServiceBuilder::new().load_shed().concurrency_limit(20).service(guarded))
});

pub(crate) const SHED_IS_FAILURE: Order = Order::new("the same, shedding is a failure", "", |world, config| {
    let circuit = world.circuit(config);
    let wrong = http_fn(|seen| match seen.find_error::<Overloaded>() {
        Some(_) => Outcome::failure(),
        None => seen.default_outcome(),
    });
    let bulkhead = ServiceBuilder::new().load_shed().concurrency_limit(20).service(world.back_end());
    Client::new(ServiceBuilder::new().layer(breaker(&circuit).classify(wrong)).service(bulkhead))
});

pub(crate) const TOTAL_OF_QUEUE: Order = Order::new("TotalTimeout > Limit", "", |world, _| {
    let total = tower_breaker::timeout::TotalTimeoutLayer::new("total", SECOND).expect("within bounds");
    let limited = ServiceBuilder::new().concurrency_limit(20).service(world.back_end());
    Client::new(ServiceBuilder::new().layer(total).service(limited))
});

pub(crate) const TOTAL_OF_BULKHEAD: Order = Order::new("TotalTimeout > Bulkhead", "", |world, _| {
    let total = tower_breaker::timeout::TotalTimeoutLayer::new("total", SECOND).expect("within bounds");
    let bulkhead = Bulkhead::new("it", BulkheadConfig::new(20)).expect("within bounds");
    let limited = ServiceBuilder::new().layer(BulkheadLayer::new(bulkhead)).service(world.back_end());
    Client::new(ServiceBuilder::new().layer(total).service(limited))
});

pub(crate) const QUEUE_INSIDE: Order = Order::new("Circuit > Limit > Attempt", "", |world, config| {
    let circuit = world.circuit(config);
    let limited = ServiceBuilder::new().concurrency_limit(20).timeout(ATTEMPT).service(world.back_end());
    Client::new(ServiceBuilder::new().layer(breaker(&circuit)).service(limited))
});

pub(crate) const SHED_AND_ATTEMPT: Order = Order::new("Shed > Limit > Circuit > Attempt", "", |world, config| {
    let circuit = world.circuit(config);
    let guarded = ServiceBuilder::new().layer(breaker(&circuit)).timeout(ATTEMPT).service(world.back_end());
    Client::new(ServiceBuilder::new().load_shed().concurrency_limit(20).service(guarded))
});

fn leaves(world: &World, config: Config) -> Client {
    let circuit = world.circuit(config);
    client!(world, timeout(SECOND / 20), breaker(&circuit))
}

pub(crate) const LEAVES: Order = Order::new("callers leave after 50 ms", "", leaves);
pub(crate) const LEAVES_LATE: Order = Order::new("… late drops are failures", "", |world, config| {
    leaves(world, config.cancelled_after(CancelledAfter::After(SECOND * 9 / 10)))
});
pub(crate) const LEAVES_COUNT: Order = Order::new("… all drops are failures", "", |world, config| {
    leaves(world, config.cancelled_after(CancelledAfter::After(Duration::ZERO)))
});

pub(crate) const TIMEOUT_OF_QUEUE: Order = Order::new("Timeout of tower > Limit", "", |world, _| {
    Client::new(ServiceBuilder::new().timeout(SECOND).concurrency_limit(20).service(world.back_end()))
});
