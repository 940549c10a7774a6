//! Every state that small settings can reach, and from each of them the way back to closed.
//!
//! A breadth-first search: time goes in whole seconds, two calls may be under way, each may end in each way at any time,
//! late ones among them. Two states are one if the reference cannot tell them apart by what may still come: instants
//! count from now, and what is older than anything that looks at it is as old as that. From each new state a healthy
//! dependency must close the circuit within the bound of `never_stuck`, whatever hangs.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tower_breaker::{
    Config, Instant, Outcome, State,
    config::{Consecutive, FailureRate, HalfOpen, Jitter, Probing, Ramp, Recovery, RecoveryWindow, Window},
    machine::{Event, Machine, Stamp},
};

use crate::{
    never_stuck::{Worst, heal},
    reference::{Fail, Reference, Ticket, What},
};

const SECOND: Duration = Duration::from_secs(1);

/// How many calls may be under way.
const MOST: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Move {
    Second,
    Begin,
    End(usize, Option<What>),
}

const MOVES: [Move; 10] = [
    Move::Second,
    Move::Begin,
    Move::End(0, Some(What::Success)),
    Move::End(1, Some(What::Success)),
    Move::End(0, Some(What::Failure(Fail::PLAIN))),
    Move::End(1, Some(What::Failure(Fail::PLAIN))),
    Move::End(0, None),
    Move::End(1, None),
    Move::End(0, Some(What::Ignored)),
    Move::End(1, Some(What::Ignored)),
];

/// A state: how the machine gets there, and the reference there.
struct Node {
    path: Vec<Move>,
    reference: Reference,
    tickets: Vec<Ticket>,
    now: Instant,
}

fn start() -> Instant {
    Instant::ZERO.after(1_000 * SECOND)
}

/// The machine after a path, with what is under way, and the waits that its last move has drawn.
fn replay(config: Config, path: &[Move]) -> (Machine, Vec<Stamp>, Instant, Vec<Duration>) {
    let mut machine = Machine::new("it", config, 1, start()).expect("the settings are within bounds");
    let (mut stamps, mut now, mut drawn) = (Vec::new(), start(), Vec::new());
    for step in path {
        match step {
            Move::Second => now = now.after(SECOND),
            Move::Begin => stamps.extend(machine.admit(now)),
            Move::End(at, what) => machine.settle(stamps.remove(*at), what.map(What::outcome), now),
        }
        drawn.clear();
        while let Some(event) = machine.next_event() {
            if let Event::Transition(transition) = event {
                drawn.extend(transition.retry_after);
            }
        }
    }
    (machine, stamps, now, drawn)
}

/// How many states there are, and how many of them in each state of the circuit.
fn explore(config: Config, before: &[Move], deepest: usize) -> Result<[usize; 5], String> {
    let worst = Worst::default().and(&config, false);
    let window = matches!(config.recovery, Recovery::Window(_));
    let mut known = HashSet::new();
    let mut counts = [0; 5];
    let mut next = VecDeque::from([Node {
        path: Vec::new(),
        reference: Reference::new(config, None, start()),
        tickets: Vec::new(),
        now: start(),
    }]);
    while let Some(node) = next.pop_front() {
        let forced = before.get(node.path.len()).map(std::slice::from_ref);
        for step in forced.unwrap_or(&MOVES).iter().copied() {
            let possible = match step {
                Move::Second => true,
                Move::Begin => node.tickets.len() < MOST,
                Move::End(at, _) => at < node.tickets.len(),
            };
            if !possible {
                continue;
            }
            let path: Vec<Move> = node.path.iter().copied().chain([step]).collect();
            let (mut machine, stamps, now, drawn) = replay(config, &path);
            let (mut reference, mut tickets) = (node.reference.clone(), node.tickets.clone());
            reference.drawn.extend(drawn);
            match step {
                Move::Second => {}
                Move::Begin => tickets.extend(reference.admit(node.now)),
                Move::End(at, what) => reference.settle(tickets.remove(at), what, node.now),
            }
            let same = machine.state() == reference.state() && stamps.len() == tickets.len();
            if !same || reference.fault.is_some() {
                return Err(format!("after {path:?} the two part: {:?}", reference.fault));
            }
            if !known.insert(reference.digest(&tickets, now)) {
                continue;
            }
            counts[reference.state() as usize] += 1;
            counts[4] = counts[4].max(path.len());
            for d in [SECOND, 7 * SECOND] {
                let worst = worst.with_full(reference.full_window());
                heal(&mut machine.clone(), now, d, Outcome::Success, worst.bound(d, 1, window))
                    .map_err(|fault| format!("after {path:?}: {fault}"))?;
            }
            // The late results of what hangs must not keep it open either.
            for stamp in stamps {
                machine.settle(stamp, Some(Outcome::failure()), now);
            }
            let worst = worst.with_full(reference.full_window());
            heal(&mut machine, now, SECOND, Outcome::Success, worst.bound(SECOND, 1, window))
                .map_err(|fault| format!("after {path:?} and failures: {fault}"))?;
            // After given first moves it is about what follows an outage, not about the next one.
            let over = path.len() > before.len() && !before.is_empty() && reference.state() == State::Closed;
            if path.len() < deepest && !over {
                next.push_back(Node { path, reference, tickets, now });
            }
            if known.len() > 200_000 {
                return Err("too many states".into());
            }
        }
    }
    Ok(counts)
}

fn small() -> Config {
    let half_open =
        HalfOpen::new().success_threshold(2).probe_timeout(2 * SECOND).max_wait(3 * SECOND).ignored_as_alive(2);
    Config::without_rules()
        .consecutive_failures(Consecutive::new(2))
        .probing(Probing::fixed(2 * SECOND))
        .half_open(half_open)
        .recovery(Recovery::Probes)
}

fn by_rate(rate: FailureRate) -> Config {
    let mut config = small().failure_rate(rate);
    config.consecutive_failures = None;
    config
}

/// Explores to the end where `deepest` is out of reach; so many states must be found, in all four states.
fn all_close(name: &str, config: Config, before: &[Move], deepest: usize, least: usize) {
    let [closed, open, half_open, recovering, depth] =
        explore(config, before, deepest).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let states = closed + open + half_open + recovering;
    println!(
        "{name}: {states} states ({closed} closed, {open} open, {half_open} half-open, {recovering} recovering), {depth} moves deep"
    );
    assert!(states >= least, "{name}: only {states} states");
    assert!(closed > 0 && open > 0 && half_open > 0, "{name}: not all states");
    let recovers = !matches!(config.recovery, Recovery::Probes);
    assert!(!recovers || recovering > 0, "{name}: no recovery");
    assert!(deepest < END || depth < END, "{name}: the end was not reached");
}

/// Deeper than any of the small settings goes.
const END: usize = 200;

#[test]
fn from_every_reachable_state_probes_close_the_circuit() {
    all_close("probes", small(), &[], END, 2_000);
    let two = small().half_open(small().half_open.max_concurrent_probes(2));
    all_close("two probes at once", two, &[], END, 1_000);
    let rate = HalfOpen::new().failure_rate(3, 0.5).probe_timeout(2 * SECOND).max_wait(3 * SECOND);
    all_close("probes by rate", small().half_open(rate.ignored_as_alive(1)), &[], END, 2_000);
    let backoff = Probing::Backoff { base: SECOND, factor: 2.0, max: 3 * SECOND, jitter: Jitter::None };
    all_close("backoff", small().probing(backoff), &[], END, 2_000);
    let rate = FailureRate::new(0.5).minimum_calls(2).window(Window::count(3));
    all_close("a rate of calls", by_rate(rate), &[], END, 2_000);
    // Any number of calls fits into a second, so there is no end here.
    let rate = FailureRate::new(0.5).minimum_calls(2).window(Window::time(2 * SECOND).buckets(2));
    all_close("a rate in time", by_rate(rate), &[], 13, 500);
}

#[test]
fn from_every_reachable_state_a_ramp_closes_the_circuit() {
    let one = small().half_open(small().half_open.success_threshold(1));
    let ramp = Ramp::new().shares([0.5, 1.0, 1.0, 1.0]).step(2 * SECOND).tolerance(2);
    all_close("ramp", one.recovery(Recovery::Ramp(ramp)), &[], END, 10_000);
}

#[test]
fn from_every_state_near_the_beginning_of_a_recovery_window_closes_the_circuit() {
    const OK: Option<What> = Some(What::Success);
    const BAD: Option<What> = Some(What::Failure(Fail::PLAIN));
    let one = small().half_open(small().half_open.success_threshold(1));
    let window = RecoveryWindow::new().probation(2 * SECOND).max_probation(4 * SECOND).tolerance(2);
    let config = one.recovery(Recovery::Window(window));
    all_close("window, from the start", config, &[], 9, 6_000);
    // Two calls of a second each, twice, are what is usual; then an outage, and a good probe.
    let usual = [Move::Begin, Move::Begin, Move::Second, Move::End(0, OK), Move::End(0, OK)].repeat(2);
    let outage = [Move::Begin, Move::End(0, BAD)].repeat(2);
    let probe = [Move::Second, Move::Second, Move::Begin, Move::End(0, OK)];
    let before = [usual, outage, probe.into()].concat();
    all_close("window, after an outage", config, &before, before.len() + 11, 4_000);
}
