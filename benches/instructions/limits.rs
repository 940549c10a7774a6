//! What it costs to bound calls in number and time, beside tower's own layers.

use std::time::Duration;

use tower::{Layer, Service, ServiceBuilder, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer};
use tower_breaker::{
    bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer},
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

use crate::{
    callgrind,
    support::{
        bars::Bars,
        payload::{Bare, Failed, Number},
        runner::{Around, Driven, NEVER, Runner},
        table::{Table, digits},
    },
};

const ROWS: [&str; 9] = [
    "bare inner service",
    "tower ConcurrencyLimit",
    "ours, Bulkhead",
    "tower Timeout",
    "ours, AttemptTimeout",
    "ours, TotalTimeout",
    "tower LoadShed, ConcurrencyLimit, full",
    "ours, Bulkhead, full",
    "ours, TotalTimeout, Bulkhead, AttemptTimeout",
];

/// Longer than any bench runs.
const LONG: Duration = Duration::from_secs(60 * 60);

/// Prints the table; a bulkhead costs no more than what it stands for.
pub(crate) fn table(bars: &mut Bars) {
    let mut table = Table::new("bulkhead and timeouts (u64): instructions per call", &["layer", "a call", "over bare"]);
    let counts: Vec<Option<f64>> =
        (0..ROWS.len()).map(|row| callgrind::per_call(&["limits", &row.to_string(), "-"], 10_000)).collect();
    for (name, count) in ROWS.iter().zip(&counts) {
        let over = count.zip(counts[0]).map(|(own, bare)| own - bare);
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        table.row(&[(*name).to_owned(), cell(*count), cell(over)]);
    }
    table.print();
    bars.at_most("a Bulkhead, beside ConcurrencyLimit", counts[2], counts[1]);
    bars.at_most("a full Bulkhead, beside LoadShed, ConcurrencyLimit", counts[7], counts[6]);
}

/// What runs under callgrind.
pub(crate) fn work(row: &str, calls: u64) {
    let limit = ConcurrencyLimitLayer::new(1_000);
    let bulkhead = |limit| Bulkhead::new("bench", BulkheadConfig::new(limit)).expect("within bounds");
    let (one, many) = (bulkhead(1), bulkhead(1_000));
    let full = many.clone();
    let attempt = || AttemptTimeoutLayer::new("bench", LONG).expect("within bounds");
    let total = || TotalTimeoutLayer::new("bench", LONG).expect("within bounds");
    let (nothing, timers) = (Around::Nothing, Around::timers());
    let run = match row.parse() {
        Ok(0) => driven(Bare::<Number, Failed>::new(), nothing),
        Ok(1) => driven(limit.layer(bare()), nothing),
        Ok(2) => driven(BulkheadLayer::new(full).layer(bare()), nothing),
        Ok(3) => driven(TimeoutLayer::new(LONG).layer(bare()), timers),
        Ok(4) => driven(attempt().layer(bare()), timers),
        Ok(5) => driven(total().layer(bare()), timers),
        Ok(6) => {
            let mut service = ServiceBuilder::new().load_shed().concurrency_limit(1).service(bare());
            let clone = service.clone();
            // The one place is kept by a handle that is ready and never called.
            assert!(service.poll_ready(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready());
            driven(clone, nothing)(calls);
            return drop(service);
        }
        Ok(7) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
            let place = runtime.block_on(one.enter()).expect("there is one");
            driven(BulkheadLayer::new(one.clone()).layer(bare()), nothing)(calls);
            return drop(place);
        }
        _ => {
            let layers = ServiceBuilder::new().layer(total()).layer(BulkheadLayer::new(many)).layer(attempt());
            driven(layers.service(bare()), timers)
        }
    };
    run(calls);
}

fn bare() -> Bare<Number, Failed> {
    Bare::new()
}

/// Something that makes so many calls.
fn driven<S>(service: S, around: Around) -> Box<dyn FnOnce(u64)>
where
    S: Service<u64, Response = u64> + Clone + Send + 'static,
{
    let mut runner: Box<dyn Runner> = Driven::<Number, S>::boxed(service, None, around);
    Box::new(move |calls| runner.calls(calls, NEVER))
}
