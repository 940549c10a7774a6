//! What retries add to the load of a server that is down, with paused time.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use tower::{
    Service, ServiceBuilder, ServiceExt,
    retry::{Retry, RetryLayer},
    service_fn,
};
use tower_breaker::{
    clock::{Clock, TokioClock},
    retry::{Backoff, Budget, HttpRetry, Retries, RetryConfig},
};

use crate::support::{SECOND, net::Hits};

const CONFIG: RetryConfig =
    RetryConfig::new().backoff(Backoff::new(SECOND, SECOND)).deadline(Duration::from_secs(3_600));

type Answer = Result<Response<()>, Infallible>;

fn down() -> Answer {
    Ok(Response::builder().status(503).body(()).expect("a response"))
}

fn policy(budget: Budget) -> HttpRetry {
    HttpRetry::new(Retries::builder().config(CONFIG).budget(budget).build().expect("within bounds"))
}

/// How many calls reach the bottom of three tiers that all retry, each with a budget of this ratio.
async fn through_three_tiers(ratio: f64, reserve: u32, calls: u32) -> f64 {
    let hits = Hits::default();
    let seen = hits.clone();
    let bottom = service_fn(move |_: Request<()>| {
        seen.hit();
        async { down() }
    });
    let budget = || Budget::builder().ratio(ratio).floor(0.0).reserve(reserve).build().expect("within bounds");
    let tier = || RetryLayer::new(policy(budget()));
    let mut top = ServiceBuilder::new().layer(tier()).layer(tier()).layer(tier()).service(bottom);
    for _ in 0..calls {
        assert_eq!(top.ready().await.expect("ready").call(Request::new(())).await.expect("an answer").status(), 503);
    }
    f64::from(u32::try_from(hits.count()).expect("few"))
}

#[tokio::test(start_paused = true)]
async fn budgets_keep_three_tiers_from_multiplying() {
    let (calls, ratio) = (1_000, 0.2_f64);
    let hits = through_three_tiers(ratio, 1, calls).await;
    let most = (0..3).fold(f64::from(calls), |load, _| load * (1.0 + ratio) + 1.0);
    assert!(hits <= most && hits > 0.95 * most, "{hits} of {most}");
    let free = through_three_tiers(2.0, 1_000_000, 100).await;
    assert!((free - 2_700.0).abs() < 0.5, "without budgets a call becomes 27: {free}");
}

/// tower 0.5.3 sends all of them back at the same instant.
#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_do_not_come_back_together() {
    const CALLS: usize = 1_000;
    let (clock, back) = (TokioClock::new(), Arc::new(Mutex::new(Vec::new())));
    let start = clock.now();
    let log = Arc::clone(&back);
    let server = service_fn(move |_: Request<()>| {
        log.lock().expect("no panic under the lock").push(clock.now().since(start));
        async { down() }
    });
    let budget = Budget::builder().ratio(10.0).reserve(1_000_000).build().unwrap();
    let service = Retry::new(policy(budget), server);
    let calls: Vec<_> = (0..CALLS).map(|_| tokio::spawn(service.clone().oneshot(Request::new(())))).collect();
    for call in calls {
        assert!(call.await.expect("no panic").is_ok());
    }
    let back = back.lock().unwrap();
    assert_eq!(back.len(), 3 * CALLS);
    let mut hundredths = [0; 100];
    // The first retry comes within a second, the second within two; the first hundredth of all has the first attempts too.
    for at in back.iter().filter(|at| !at.is_zero() && **at < SECOND) {
        hundredths[usize::try_from(at.as_millis() / 10).unwrap()] += 1;
    }
    let most = hundredths.iter().max().unwrap();
    assert!(*most <= CALLS / 20, "{most} of {CALLS} within ten milliseconds");
}
