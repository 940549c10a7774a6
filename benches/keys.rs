//! What does a keyed call cost, what does a key hold, and what do ten million strangers do?
//!
//! `cargo bench --bench keys [-- --quick]`. Instructions need `valgrind`; `--quick` sends 200,000 strangers.

#[path = "instructions/callgrind.rs"]
mod callgrind;
#[path = "support/mod.rs"]
#[expect(dead_code, reason = "another bench has other needs")]
mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use cpu_time::ThreadTime;
use support::{
    bars::Bars,
    machine,
    table::{Table, digits},
};
use tower::{Layer, Service};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, KeyedCircuitBreakerLayer, Registry, classify::ErrorsAsFailures, service::key_ref_fn,
};

const KEYS: [usize; 3] = [1, 1_000, 100_000];
/// What a stranger may be one of.
const CAPACITY: usize = 10_000;

/// Calls with a known key by one thread and by two at once, each with its own busy loop; wall-clock time.
fn threads() {
    const CALLS: u32 = 2_000_000;
    let mut table =
        Table::new("Calls with a known key, millions a second", &["keys", "one thread", "two threads", "ratio"]);
    for keys in [1, 1_000] {
        let hosts = registry(CAPACITY);
        let names: Vec<String> = (0..keys).map(name).collect();
        let work = || {
            let mut service = keyed(&hosts);
            (0..CALLS as usize).for_each(|number| call(&mut service, names[number % names.len()].as_str()));
        };
        work();
        let rate = |threads: usize| {
            let best = (0..5).map(|_| {
                let began = machine::now();
                std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
                machine::now().duration_since(began).as_secs_f64()
            });
            threads as f64 * f64::from(CALLS) / best.fold(f64::MAX, f64::min) / 1e6
        };
        let (one, two) = (rate(1), rate(2));
        table.row(&[keys.to_string(), digits(one), digits(two), digits(two / one)]);
    }
    table.print();
}

fn main() {
    if let Some(job) = callgrind::job() {
        return work(&job);
    }
    let Some(arguments) = machine::arguments() else { return };
    let quick = arguments.iter().any(|argument| argument == "--quick");
    machine::print_head("Keys");
    let mut bars = Bars::new();
    match callgrind::check() {
        Ok(()) => instructions(),
        Err(why) => println!("instructions: skipped, since {why}\n"),
    }
    memory();
    threads();
    attack(if quick { 200_000 } else { 10_000_000 }, &mut bars);
    bars.print();
}

/// Answers at once. Not inlined, as in the other benches.
#[derive(Clone)]
struct Bare;

impl<R: AsRef<str>> Service<R> for Bare {
    type Response = usize;
    type Error = Infallible;
    type Future = Ready<Result<usize, Infallible>>;

    #[inline(never)]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, host: R) -> Self::Future {
        ready(Ok(host.as_ref().len()))
    }
}

fn registry(capacity: usize) -> Registry {
    Registry::by_key("hosts").capacity(capacity).build().expect("the defaults are sound")
}

fn keyed<R: AsRef<str>>(hosts: &Registry) -> impl Service<R, Response = usize> + use<R> {
    let by_host = key_ref_fn(|host: &R| Some(host.as_ref()));
    KeyedCircuitBreakerLayer::with_classifier(hosts.clone(), by_host, ErrorsAsFailures::new()).layer(Bare)
}

fn single<R: AsRef<str>>() -> impl Service<R, Response = usize> + use<R> {
    let circuit = Circuit::builder("one").build().expect("the defaults are sound");
    CircuitBreakerLayer::with_classifier(circuit, ErrorsAsFailures::new()).layer(Bare)
}

fn call<R, S: Service<R, Response = usize>>(service: &mut S, host: R) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    let answer = pin!(service.call(host)).poll(&mut cx);
    assert!(matches!(black_box(answer), Poll::Ready(Ok(_))), "it passes");
}

fn name(number: usize) -> String {
    format!("host-{number}.example.test")
}

/// Names in an order that no cache foresees.
fn names(keys: usize) -> impl Iterator<Item = &'static str> {
    let names: Vec<&'static str> = (0..keys).map(|number| &*name(number).leak()).collect();
    let mut at = 0_usize;
    std::iter::repeat_with(move || {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        names[(at >> 33) % names.len()]
    })
}

fn instructions() {
    let head = ["keys", "bare inner service", "one circuit for all", "one circuit for each key", "over one circuit"];
    let mut table = Table::new("Instructions per call, closed, success (default settings)", &head);
    for keys in KEYS {
        let count = |what: &str| callgrind::per_call(&[what, &keys.to_string(), "success"], 20_000);
        let [bare, one, each] = ["bare", "one", "each"].map(count);
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        let over = one.zip(each).map(|(one, each)| each - one);
        table.row(&[digits(float(keys)), cell(bare), cell(one), cell(each), cell(over)]);
    }
    table.print();
}

/// What runs under callgrind: everything up to the calls is the same for both numbers of calls.
fn work(job: &callgrind::Job) {
    let [what, keys, _] = &job.what;
    let keys = keys.parse().expect("a number");
    let mut names = names(keys);
    let hosts = registry(keys);
    // Asked for twice, so that a first question is no part of what is counted.
    (0..if what == "each" { keys } else { 0 }).for_each(|key| {
        (0..2).for_each(|_| drop(hosts.circuit(name(key).as_str()).try_acquire()));
    });
    let calls = (0..job.calls).filter_map(|_| names.next());
    match what.as_str() {
        "bare" => calls.for_each(|host| call(&mut Bare, black_box(host))),
        "one" => {
            let mut service = single();
            calls.for_each(|host| call(&mut service, black_box(host)));
        }
        _ => {
            let mut service = keyed(&hosts);
            calls.for_each(|host| call(&mut service, black_box(host)));
            assert_eq!((hosts.len(), hosts.overflow().snapshot().ledger.ended()), (keys, 0));
        }
    }
}

fn memory() {
    let head = ["keys", "bytes per key, new", "… after 20 calls each, 2 of which failed", "KiB in all"];
    let mut table = Table::new("Heap (default settings, keys of 24 bytes)", &head);
    call(&mut keyed(&registry(1)), "what a thread allocates once".to_owned());
    for keys in KEYS {
        let mut hosts = None;
        let new = measure(|| {
            let registry = hosts.insert(registry(keys));
            (0..keys).for_each(|key| drop(registry.circuit(name(key).as_str())));
        });
        let hosts = hosts.expect("it was made");
        let used = measure(|| {
            for number in 0..20 {
                for key in 0..keys {
                    let permit = hosts.circuit(name(key).as_str()).try_acquire().expect("a tenth opens nothing");
                    permit.record(if number % 10 == 0 {
                        tower_breaker::Outcome::failure()
                    } else {
                        tower_breaker::Outcome::Success
                    });
                }
            }
        });
        let [new, used] = [new.bytes_current, new.bytes_current + used.bytes_current].map(|bytes| bytes as f64);
        let per_key = |bytes: f64| digits(bytes / float(keys));
        table.row(&[digits(float(keys)), per_key(new), per_key(used), digits(used / 1_024.0)]);
    }
    table.print();
}

/// A host that is known is called, first in peace, then between strangers, each of whom comes once.
fn attack(strangers: usize, bars: &mut Bars) {
    let hosts = registry(CAPACITY);
    let mut service = keyed::<String>(&hosts);
    let mut in_peace = Vec::new();
    let mut busy = Vec::new();
    let mut amid = Vec::new();
    let known = |service: &mut _, samples: &mut Vec<f64>| {
        let names: Vec<String> = (0..100).map(name).collect();
        let start = ThreadTime::now();
        names.into_iter().for_each(|name| call(service, name));
        samples.push(start.elapsed().as_secs_f64() * 1e7);
    };
    (0..1_000).for_each(|_| known(&mut service, &mut in_peace));
    let strangers_of = |round: usize| (0..1_000).map(move |n| format!("{round}-{n}.evil.test")).collect::<Vec<_>>();
    // The same strangers elsewhere, so that it is seen what they do to the caches and what to the registry.
    let mut elsewhere = keyed::<String>(&registry(CAPACITY));
    (0..200).for_each(|round| {
        strangers_of(round).into_iter().for_each(|host| call(&mut elsewhere, host));
        known(&mut service, &mut busy);
    });
    drop(elsewhere);
    let mut spent = 0.0;
    let heap = measure(|| {
        for round in 0..strangers / 1_000 {
            let hosts = strangers_of(round);
            let start = ThreadTime::now();
            hosts.into_iter().for_each(|host| call(&mut service, host));
            spent += start.elapsed().as_secs_f64() * 1e9;
            known(&mut service, &mut amid);
        }
    });
    let most = heap.bytes_max as f64 / 1_024.0 / 1_024.0;
    let kept = (0..100).filter(|key| hosts.find(name(*key).as_str()).is_some()).count();
    let overflow = hosts.overflow().snapshot().ledger.ended();
    let [peace, busy, amid] = [in_peace, busy, amid].map(median);
    let title =
        format!("{} strangers, {} places, 100 hosts that are known", digits(float(strangers)), digits(float(CAPACITY)));
    let mut table = Table::new(&title, &["what", "measured"]);
    table.row(&["circuits at the end".to_owned(), digits(float(hosts.len()))]);
    table.row(&["… of the hosts that are known".to_owned(), kept.to_string()]);
    table.row(&["strangers that went by the overflow".to_owned(), overflow.to_string()]);
    table.row(&["most heap at once, MiB over that before".to_owned(), digits(most)]);
    table.row(&[
        "ns per call of a stranger, the making of its circuit included".to_owned(),
        digits(spent / float(strangers)),
    ]);
    table.row(&["ns per call of a host that is known, in peace".to_owned(), digits(peace)]);
    table.row(&["… while as many strangers call another registry".to_owned(), digits(busy)]);
    table.row(&["… while they call this one".to_owned(), digits(amid)]);
    table.print();
    bars.at_most("circuits at the end of the attack", Some(float(hosts.len())), Some(float(CAPACITY)));
    bars.at_least("known hosts that are kept", Some(float(kept)), Some(100.0));
    bars.at_most("MiB of heap of 10,000 places under attack", Some(most), Some(20.0));
    bars.at_most(
        "a known host's call under attack, times that while another registry is attacked",
        Some(amid / busy),
        Some(2.0),
    );
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn float(number: usize) -> f64 {
    number as f64
}
