//! On random traces the machine and the naive reference give the same answers, states, reasons and counts.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Runner, FileFailurePersistence, TestRunner},
};
use tower_breaker::{
    Config, Instant, Mode, State,
    machine::{Event, Machine, Rejection, Stamp, Transition},
};

use crate::{
    op::Op,
    reference::{Move, Reference, Sums, Ticket, What},
    settings::{self, Dice},
};

/// What has been seen how often.
pub(crate) type Seen = BTreeMap<String, u64>;

/// The two side by side.
pub(crate) struct Pair {
    pub(crate) machine: Machine,
    pub(crate) reference: Reference,
    pub(crate) now: Instant,
    latest: Instant,
    under_way: Vec<(Stamp, Ticket)>,
    pub(crate) seen: Seen,
}

fn drawn(wait: Option<Duration>, state: State) -> Option<Duration> {
    wait.filter(|_| state == State::Open)
}

impl Pair {
    pub(crate) fn new(config: Config) -> Self {
        let start = Instant::ZERO.after(Duration::from_secs(10_000));
        let machine = Machine::new("it", config, 1, start).expect("the settings are within bounds");
        // A circuit that begins open has drawn its first wait already.
        let wait = drawn(machine.snapshot(start).retry_after, config.initial_state);
        let reference = Reference::new(config, wait, start);
        Self { machine, reference, now: start, latest: start, under_way: Vec::new(), seen: Seen::new() }
    }

    fn saw(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    /// Takes what the machine has done; hands its waits to the reference.
    fn transitions(&mut self) -> Vec<Move> {
        let mut moves = Vec::new();
        while let Some(event) = self.machine.next_event() {
            let Event::Transition(Transition { from, to, reason, epoch, at, retry_after, detected_after, .. }) = event
            else {
                continue;
            };
            self.reference.drawn.extend(drawn(retry_after, to));
            self.saw(format!("{from}>{to} {}", reason.as_str()));
            moves.push(Move { from, to, reason: reason.as_str(), epoch, at, detected: detected_after });
        }
        moves
    }

    fn begin(&mut self) -> Result<Vec<Move>, String> {
        self.look_at_leases();
        let told = self.machine.snapshot(self.now);
        let machine = self.machine.admit(self.now);
        let moves = self.transitions();
        let got = machine.as_ref().err().and_then(|rejection| rejection.retry_after);
        if matches!(told.mode, Mode::Auto | Mode::ForcedOpen) && told.retry_after != got {
            return Err(format!("the snapshot told {:?}, the call got {got:?}", told.retry_after));
        }
        let reference = self.reference.admit(self.now);
        match (machine, reference) {
            (Ok(stamp), Ok(ticket)) => {
                self.saw(format!("admitted {:?}", ticket.kind).split('(').next().unwrap());
                self.under_way.push((stamp, ticket));
            }
            (Err(machine), Err(reference)) => {
                let Rejection { state, reason, retry_after, .. } = machine;
                self.saw(format!("rejected {reason}"));
                if (state, reason.as_str(), retry_after) != (reference.state, reference.reason, reference.retry_after) {
                    return Err(format!("the machine says {machine:?}, the reference {reference:?}"));
                }
            }
            (machine, reference) => return Err(format!("the machine says {machine:?}, the reference {reference:?}")),
        }
        Ok(moves)
    }

    fn end(&mut self, at: usize, what: Option<What>) -> Vec<Move> {
        self.look_at_leases();
        let (stamp, ticket) = self.under_way.remove(at);
        let late = self.reference.ledger.late;
        self.machine.settle(stamp, what.map(What::outcome), self.now);
        let moves = self.transitions();
        self.reference.settle(ticket, what, self.now);
        if self.reference.ledger.late > late {
            self.saw("late result");
        }
        if what.is_none() {
            self.saw("dropped call");
        }
        if self.now < self.latest {
            self.saw("result after a step back");
        }
        moves
    }

    fn look_at_leases(&mut self) {
        let over = self.reference.leases_over(self.now);
        if over > 0 {
            self.saw(format!("lease over while {}", self.reference.state()));
        }
    }

    fn many(&mut self, times: u32, what: What) -> Result<Vec<Move>, String> {
        let mut moves = Vec::new();
        for _ in 0..times {
            let before = self.under_way.len();
            moves.extend(self.begin()?);
            if self.under_way.len() > before {
                moves.extend(self.end(before, Some(what)));
            }
        }
        Ok(moves)
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Result<(), String> {
        self.saw(format!("{op:?}").split(['(', ' ']).next().unwrap());
        let moves = match op {
            Op::Advance(by) => {
                if *by > Duration::from_secs(86_400) {
                    self.saw("days of silence");
                }
                self.now = self.now.after(*by);
                Vec::new()
            }
            Op::AdvanceUntilDue { quite } => {
                let wait = self.machine.snapshot(self.now).retry_after.unwrap_or_default();
                self.now = self.now.after(wait.saturating_sub(Duration::from_nanos(u64::from(!quite))));
                Vec::new()
            }
            Op::Back(by) => {
                self.now = Instant::ZERO.after(self.now.since(Instant::ZERO.after(*by)));
                Vec::new()
            }
            Op::Begin => self.begin()?,
            Op::End(_, _) if self.under_way.is_empty() => Vec::new(),
            Op::End(at, what) => self.end(at % self.under_way.len(), *what),
            Op::Lasting(by, what) => {
                let before = self.under_way.len();
                let mut moves = self.begin()?;
                self.now = self.now.after(*by);
                if self.under_way.len() > before {
                    moves.extend(self.end(before, Some(*what)));
                }
                moves
            }
            Op::Many(times, what) => self.many(*times, *what)?,
            Op::Mode(mode, lasting) => {
                let until = lasting.map(|lasting| self.now.after(lasting));
                self.machine.set_mode(*mode, until, self.now);
                self.saw(format!("mode {mode}"));
                let moves = self.transitions();
                self.reference.set_mode(*mode, until, self.now);
                moves
            }
            Op::Reconfigure(seed) => {
                let config = settings::config(&mut Dice::new(*seed));
                self.machine.reconfigure(config, self.now).expect("the settings are within bounds");
                self.reference.reconfigure(config, self.now);
                Vec::new()
            }
            Op::Reset => {
                self.machine.reset(self.now);
                let moves = self.transitions();
                self.reference.reset(self.now);
                moves
            }
        };
        self.latest = self.latest.max(self.now);
        if moves.iter().any(|moved| moved.from == State::Closed && moved.to == State::Open) {
            let relapsed = self.reference.outage.is_some_and(|outage| outage.relapses > 0);
            self.saw(if relapsed { "relapse" } else { "first outage" });
        }
        if std::mem::take(&mut self.reference.held) {
            self.saw("trip held by a mode");
        }
        let told = std::mem::take(&mut self.reference.moves);
        if moves != told {
            return Err(format!("the machine went {moves:?}, the reference {told:?}"));
        }
        self.agree()
    }

    fn agree(&self) -> Result<(), String> {
        let (now, reference) = (self.now, &self.reference);
        if let Some(fault) = &reference.fault {
            return Err(fault.clone());
        }
        let seen = self.machine.snapshot(now);
        let (shown, run) = reference.shown(now);
        let (minimum, sums) = shown.unwrap_or_default();
        let enough = sums.calls > 0 && sums.calls >= u64::from(minimum);
        let rate = |part: u64, whole: u64| enough.then(|| (part as f64 / whole as f64).min(1.0));
        let Sums { calls, hundredths, slow } = sums;
        // Where the circuit opens before it answers, the wait is not drawn yet; `begin` sees whether it was told right.
        let drawn = matches!(reference.mode(now), Mode::Auto) && reference.falls(now);
        let waits = (!drawn).then(|| reference.would_refuse(now).and_then(|refusal| refusal.retry_after));
        let faults = [
            differs("state", self.machine.state(), reference.state()),
            differs("mode", self.machine.mode(now), reference.mode(now)),
            differs("epoch", seen.epoch, reference.epoch),
            differs("reason", seen.reason.as_ref().map(|reason| reason.as_str()), reference.reason),
            waits.and_then(|wait| differs("wait", seen.retry_after, wait)),
            differs("time in the state", seen.in_state, now.since(reference.entered)),
            differs("outage", seen.outage, reference.outage.map(|outage| now.since(outage.since))),
            differs("times opened", seen.times_opened, reference.times_opened),
            differs("in flight", seen.in_flight, reference.in_flight()),
            differs("ledger", seen.ledger, reference.ledger),
            differs("calls", seen.window.calls, calls),
            differs("failures", seen.window.failures, hundredths as f64 / 100.0),
            differs("slow", seen.window.slow, slow),
            differs("calls needed", seen.window.minimum_calls, minimum),
            differs("failure rate", seen.window.failure_rate, rate(hundredths, calls * 100)),
            differs("slow rate", seen.window.slow_rate, rate(slow, calls)),
            differs("run", seen.window.run, run),
        ];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }
}

fn differs<T: PartialEq + std::fmt::Debug>(name: &str, machine: T, reference: T) -> Option<String> {
    (machine != reference).then(|| format!("{name}: the machine says {machine:?}, the reference {reference:?}"))
}

/// Runs one trace; what was seen in it, or where the two part.
fn trace(seed: u64, ops: &[u64]) -> Result<Seen, String> {
    let config = settings::config(&mut Dice::new(seed));
    let mut pair = Pair::new(config);
    let mut log = String::new();
    for (at, number) in ops.iter().enumerate() {
        let op = Op::drawn(*number);
        if let Err(fault) = pair.apply(&op) {
            let settings = format!("{config:#?}");
            return Err(format!(
                "{settings}\n{log}{at}: {op:?}\nat {:?}, in {:?}: {fault}",
                pair.now, pair.reference.phase
            ));
        }
        log += &format!("{at}: {op:?}\n");
    }
    Ok(pair.seen)
}

/// What each run of 10,000 traces must have met a hundred times, so that no rule is compared in name only.
const MET: [&str; 57] = [
    "closed>open failure_rate",
    "closed>open burst",
    "closed>open slow_call_rate",
    "closed>open consecutive_failures",
    "closed>open failure_count",
    "closed>open evidence",
    "closed>open demanded",
    "open>half_open wait_over",
    "half_open>open probe_failed",
    "half_open>open probe_rate",
    "half_open>open probe_slow",
    "half_open>open demanded",
    "half_open>open half_open_too_long",
    "half_open>closed probes_succeeded",
    "half_open>recovering probes_succeeded",
    "recovering>open recovery_failed",
    "recovering>open demanded",
    "recovering>closed recovered",
    "closed>closed reset",
    "open>closed reset",
    "half_open>closed reset",
    "recovering>closed reset",
    "open>closed forced",
    "half_open>closed forced",
    "recovering>closed forced",
    "rejected forced",
    "rejected half_open",
    "rejected open",
    "rejected recovering",
    "admitted Counted",
    "admitted Probe",
    "admitted Recovering",
    "admitted Shadow",
    "admitted Uncounted",
    "late result",
    "dropped call",
    "result after a step back",
    "days of silence",
    "mode auto",
    "mode forced_open",
    "mode forced_closed",
    "mode disabled",
    "mode metrics_only",
    "Advance",
    "AdvanceUntilDue",
    "Back",
    "Begin",
    "End",
    "Lasting",
    "Many",
    "lease over while half_open",
    "lease over while recovering",
    "relapse",
    "trip held by a mode",
    "Mode",
    "Reconfigure",
    "Reset",
];

#[test]
fn the_machine_does_what_the_reference_says() {
    let cases = crate::cases();
    let mut runner = TestRunner::new(Runner {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("regressions"))),
        source_file: Some(file!()),
        ..Runner::default()
    });
    let all = RefCell::new(Seen::new());
    let traces = (any::<u64>(), vec(any::<u64>(), 1..120));
    let told = runner.run(&traces, |(seed, ops)| {
        let seen = trace(seed, &ops).map_err(TestCaseError::fail)?;
        let mut all = all.borrow_mut();
        seen.into_iter().for_each(|(what, times)| *all.entry(what).or_default() += times);
        Ok(())
    });
    if let Err(fault) = told {
        panic!("{fault}");
    }
    let all = all.into_inner();
    all.iter().for_each(|(what, times)| println!("{times:>8} {what}"));
    let met = |what: &str| all.get(what).copied().unwrap_or(0);
    let rare: Vec<_> = MET.iter().map(|what| (*what, met(what))).filter(|(_, times)| *times < 100).collect();
    assert!(cases < 10_000 || rare.is_empty(), "too rarely met: {rare:?}");
}
