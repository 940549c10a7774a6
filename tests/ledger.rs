//! Two real threads make a million calls, or as many as the variable `TOWER_BREAKER_CALLS` says, and not one is lost.
//!
//! ```text
//! TOWER_BREAKER_CALLS=100000000 cargo test --release --test ledger
//! ```
//!
//! What the callers saw is held against the ledger after each round. While nothing opens the circuit every line is known
//! to the call; while it opens and closes at random a caller cannot know whether its call came too late, so there the
//! lines add up to what was admitted, and none is larger than what was said.
#![cfg(not(any(tower_breaker_loom, tower_breaker_shuttle)))]

use std::{
    future::pending,
    ops::AddAssign,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tower_breaker::{
    Circuit, Config, Failure, Instant, Outcome, Permit, State,
    clock::{Clock, Sleep},
    config::{CancelledAfter, Evidence, HalfOpen, Probing, Ramp, Recovery, RecoveryWindow},
    machine::Ledger,
};

const THREADS: u64 = 2;
const ROUNDS: [Round; 5] = [Round::Storm, Round::Calm, Round::Resets, Round::Storm, Round::Probes];
/// Calls of one thread in one round.
const ROUND: u64 = 50_000;
const PROBES: u32 = 1;
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A clock that the threads move.
#[derive(Clone, Debug, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).expect("short"), Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

/// A small generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What callers saw and said.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    admitted: u64,
    rejected: u64,
    succeeded: u64,
    failed: u64,
    ignored: u64,
    cancelled: u64,
}

impl Seen {
    fn ended(self) -> u64 {
        self.succeeded + self.failed + self.ignored + self.cancelled
    }

    /// Ends a call.
    fn end(&mut self, permit: Permit, outcome: Option<Outcome>) {
        match outcome {
            None => self.cancelled += 1,
            Some(Outcome::Failure(_)) => self.failed += 1,
            Some(Outcome::Ignored) => self.ignored += 1,
            Some(Outcome::Success) => self.succeeded += 1,
        }
        match outcome {
            None => drop(permit),
            Some(outcome) => permit.record(outcome),
        }
    }
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.admitted += other.admitted;
        self.rejected += other.rejected;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.cancelled += other.cancelled;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The circuit stays closed.
    Calm,
    /// It stays half-open.
    Probes,
    /// It stays closed, but is reset all the time: each reset closes the gates and opens them.
    Resets,
    /// It opens and closes at random, and operators meddle.
    Storm,
}

/// Whether no phase ends, so that no call is late.
fn is_steady(round: Round) -> bool {
    matches!(round, Round::Calm | Round::Probes)
}

/// What all threads share.
struct World {
    circuit: Circuit,
    time: Time,
    /// Calls that whoever comes may end, on another thread or in another round.
    under_way: Mutex<Vec<Permit>>,
    probes: AtomicU32,
}

fn settings(round: Round, which: u64) -> Config {
    let base = Config::new().probing(Probing::fixed(50 * MS)).cancelled_after(CancelledAfter::Never);
    let base = if which % 2 == 0 { base } else { base.without_failure_rate() };
    let probes = HalfOpen::new().max_concurrent_probes(PROBES).probe_timeout(HOUR).max_wait(HOUR);
    match round {
        Round::Calm | Round::Resets => base,
        Round::Probes => base.half_open(probes.success_threshold(10_000).ignored_as_alive(0)),
        Round::Storm => {
            base.evidence(Evidence::new()).half_open(probes.success_threshold(2)).recovery(match which % 3 {
                0 => Recovery::Probes,
                1 => Recovery::Window(RecoveryWindow::new().probation(100 * MS)),
                _ => Recovery::Ramp(Ramp::new().step(20 * MS)),
            })
        }
    }
}

fn outcome(round: Round, random: &mut Random) -> Option<Outcome> {
    match (round, random.below(64)) {
        (_, 0 | 1) => None,
        (_, 2 | 3) => Some(Outcome::Ignored),
        (Round::Calm, 4) => Some(Outcome::failure()),
        (Round::Storm, 4..=7) => Some(Outcome::failure()),
        (Round::Storm, 8) if random.below(16) == 0 => Some(Failure::new().tripping().into()),
        // A success would bring the verdict nearer.
        (Round::Probes, 4..=63) => {
            if random.below(2) == 0 {
                None
            } else {
                Some(Outcome::Ignored)
            }
        }
        _ => Some(Outcome::Success),
    }
}

/// What happens beside the calls.
fn meddle(world: &World, which: u64) {
    match which {
        0 => world.circuit.reset(),
        1 => world.circuit.force_open(),
        2 => world.circuit.metrics_only(),
        3 => world.circuit.force_closed(),
        4..=7 => world.circuit.reconfigure(settings(Round::Storm, which)).expect("within bounds"),
        _ => world.circuit.auto(),
    }
}

fn calls(world: &World, round: Round, seed: u64) -> Seen {
    let (mut seen, mut random) = (Seen::default(), Random(seed));
    let mut held: Option<Permit> = None;
    for _ in 0..ROUND {
        match world.circuit.try_acquire() {
            Err(_) => {
                seen.rejected += 1;
                // A probe is held until the thread that has it is refused another.
                if let Some(probe) = held.take() {
                    world.probes.fetch_sub(1, Ordering::SeqCst);
                    seen.end(probe, outcome(round, &mut random));
                }
            }
            Ok(permit) => {
                seen.admitted += 1;
                if round == Round::Probes {
                    assert!(permit.is_probe());
                    assert!(world.probes.fetch_add(1, Ordering::SeqCst) < PROBES, "one too many");
                    held = Some(permit);
                } else if random.below(32) == 0 {
                    let mut under_way = world.under_way.lock().expect("no panic under it");
                    under_way.push(permit);
                    let other = if under_way.len() > 8 { Some(under_way.swap_remove(0)) } else { None };
                    drop(under_way);
                    other.into_iter().for_each(|permit| seen.end(permit, outcome(round, &mut random)));
                } else {
                    seen.end(permit, outcome(round, &mut random));
                }
            }
        }
        if random.below(64) == 0 {
            world.time.advance(if round == Round::Probes { Duration::ZERO } else { 5 * MS });
        }
        match round {
            Round::Storm if random.below(2_048) == 0 => meddle(world, random.below(16)),
            Round::Resets if random.below(32) == 0 => world.circuit.reset(),
            Round::Calm | Round::Probes if random.below(1_024) == 0 => {
                assert!(world.circuit.snapshot().in_flight <= PROBES);
            }
            _ => {}
        }
    }
    if let Some(probe) = held {
        world.probes.fetch_sub(1, Ordering::SeqCst);
        seen.end(probe, None);
    }
    seen
}

/// The circuit is as the round needs it.
fn prepare(world: &World, round: Round, which: u64, seen: &mut Seen) {
    world.circuit.auto();
    world.circuit.reset();
    world.circuit.reconfigure(settings(round, which)).expect("within bounds");
    if round == Round::Probes {
        let permit = world.circuit.try_acquire().expect("closed");
        seen.admitted += 1;
        seen.end(permit, Some(Failure::new().tripping().into()));
        world.time.advance(50 * MS);
    }
}

/// What the circuit has counted is what the callers saw.
fn compare(seen: Seen, ledger: &Ledger, in_flight: u64, late_before: u64, exact: bool) {
    let said = [seen.succeeded, seen.failed, seen.ignored, seen.cancelled];
    let counted = [ledger.succeeded, ledger.failed, ledger.ignored, ledger.cancelled];
    assert_eq!(seen.admitted, ledger.ended() + in_flight, "{seen:?} {ledger:?}");
    assert_eq!(seen.ended(), ledger.ended(), "{seen:?} {ledger:?}");
    assert_eq!(seen.rejected, ledger.rejected);
    assert_eq!(ledger.rejected_by.all(), ledger.rejected, "each under its reason");
    for (said, counted) in said.into_iter().zip(counted) {
        assert!(counted <= said, "{seen:?} {ledger:?}");
    }
    if exact {
        assert_eq!(ledger.late, late_before, "nothing came too late");
    }
}

#[test]
fn not_one_of_the_calls_of_two_threads_is_lost() {
    let calls_in_all: u64 =
        std::env::var("TOWER_BREAKER_CALLS").map_or(1_000_000, |calls| calls.parse().expect("a number"));
    let time = Time::default();
    let circuit = Circuit::builder("ledger").seed(7).clock(time.clone()).build().expect("within bounds");
    let world = World { circuit, time, under_way: Mutex::default(), probes: AtomicU32::new(0) };
    let (mut seen, mut last) = (Seen::default(), Ledger::default());
    for number in 0..calls_in_all.div_ceil(THREADS * ROUND) {
        let round = ROUNDS[usize::try_from(number).expect("few rounds") % ROUNDS.len()];
        prepare(&world, round, number, &mut seen);
        // Those of earlier rounds have ended before a round in which nothing is late.
        if is_steady(round) {
            let old = std::mem::take(&mut *world.under_way.lock().expect("no panic under it"));
            old.into_iter().for_each(|permit| seen.end(permit, Some(Outcome::Ignored)));
        }
        let before = (seen, world.circuit.snapshot().ledger);
        thread::scope(|scope| {
            let seeds = (0..THREADS).map(|thread| number * THREADS + thread);
            let world = &world;
            let threads: Vec<_> = seeds.map(|seed| scope.spawn(move || calls(world, round, seed))).collect();
            threads.into_iter().for_each(|thread| seen += thread.join().expect("it does not panic"));
        });
        let snapshot = world.circuit.snapshot();
        let in_flight = world.under_way.lock().expect("no panic under it").len() as u64;
        compare(seen, &snapshot.ledger, in_flight, before.1.late, is_steady(round));
        if is_steady(round) {
            let line = |now: u64, then: u64| now - then;
            let (then, counted) = (before.0, &snapshot.ledger);
            assert_eq!(line(seen.succeeded, then.succeeded), line(counted.succeeded, before.1.succeeded));
            assert_eq!(line(seen.failed, then.failed), line(counted.failed, before.1.failed));
            assert_eq!(line(seen.ignored, then.ignored), line(counted.ignored, before.1.ignored));
            assert_eq!(line(seen.cancelled, then.cancelled), line(counted.cancelled, before.1.cancelled));
            let state = if round == Round::Calm { State::Closed } else { State::HalfOpen };
            assert_eq!((snapshot.state, snapshot.in_flight), (state, 0), "the round was as it should be");
        }
        last = snapshot.ledger;
    }
    println!("{seen:?}\n{last:?}\nopened {} times", world.circuit.snapshot().times_opened);
    assert!(last.late > 0 && last.rejected > 0 && world.circuit.snapshot().times_opened > 10, "little has happened");
}
