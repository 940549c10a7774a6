//! What a whole stack costs, beside one of the same order of tower's own layers, which has no circuit and no budget.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use http::{Request, Response};
use tower::{BoxError, Service, ServiceBuilder, retry::Policy};
use tower_breaker::{
    bulkhead::BulkheadConfig,
    stack::{Stack, StackConfig},
};

use crate::{
    callgrind,
    support::{
        payload::{Bare, Failed, Http},
        runner::{Around, Driven, NEVER, Runner},
        table::{Table, digits},
    },
};

const ROWS: [&str; 4] = [
    "bare inner service",
    "tower Timeout, Retry, ConcurrencyLimit, Timeout",
    "ours, Stack::http_client",
    "ours, Stack::http_client, circuit alone",
];

const TOTAL: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(5);
const LIMIT: u32 = 1_000;

/// Prints the table.
pub(crate) fn table() {
    let head = ["stack", "a call", "a clone per call", "over bare"];
    let mut table = Table::new("whole stacks (http): instructions per call", &head);
    let mut bare = None;
    for (row, name) in ROWS.iter().enumerate() {
        let count = |how| callgrind::per_call(&["stack", &row.to_string(), how], 10_000);
        let (call, clone) = (count("calls"), count("clones"));
        bare = bare.or(call);
        let over = call.zip(bare).map(|(own, bare)| own - bare);
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        table.row(&[(*name).to_owned(), cell(call), cell(clone), cell(over)]);
    }
    table.print();
}

/// What runs under callgrind.
pub(crate) fn work(row: &str, how: &str, calls: u64) {
    let bare = Bare::<Http, Failed>::new;
    let stack = |config| Stack::http_client("bench").config(config).build().expect("the numbers fit");
    let all = StackConfig::new().total(TOTAL).attempt(ATTEMPT).bulkhead(BulkheadConfig::new(LIMIT));
    let alone = StackConfig::new().total(None).retry(None).attempt(None);
    let mut runner = match row.parse() {
        Ok(0) => driven(bare()),
        Ok(1) => driven(
            ServiceBuilder::new()
                .timeout(TOTAL)
                .retry(Plain { left: 2 })
                .concurrency_limit(LIMIT as usize)
                .timeout(ATTEMPT)
                .service(bare()),
        ),
        Ok(2) => driven(ServiceBuilder::new().layer(stack(all)).service(bare())),
        _ => driven(ServiceBuilder::new().layer(stack(alone)).service(bare())),
    };
    match how {
        "clones" => runner.clones(calls),
        _ => runner.calls(calls, NEVER),
    }
}

fn driven<S>(service: S) -> Box<dyn Runner>
where
    S: Service<Request<u64>, Response = Response<u64>> + Clone + Send + 'static,
{
    Driven::<Http, S>::boxed(service, None, Around::timers())
}

/// The policy of tower's documentation: so many attempts, at once, whatever the error. It copies what `HttpRetry` copies.
#[derive(Clone)]
struct Plain {
    left: u32,
}

impl Policy<Request<u64>, Response<u64>, BoxError> for Plain {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<u64>, result: &mut Result<Response<u64>, BoxError>) -> Option<Ready<()>> {
        let again = result.is_err() && self.left > 0;
        again.then(|| {
            self.left -= 1;
            ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<u64>) -> Option<Request<u64>> {
        let mut copy = Request::new(*request.body());
        request.method().clone_into(copy.method_mut());
        request.uri().clone_into(copy.uri_mut());
        *copy.version_mut() = request.version();
        request.headers().clone_into(copy.headers_mut());
        request.extensions().clone_into(copy.extensions_mut());
        Some(copy)
    }
}
