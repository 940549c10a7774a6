//! P1: which state follows which event, as a table, over settings at their borders.
//!
//! A row is a state as it was prepared, an event, and what must follow. The table is total: a test holds it to every pair.

use std::time::Duration;

use tower_breaker::{
    Config, Failure, Instant, Mode, Outcome, State,
    config::{Consecutive, HalfOpen, Probing, Ramp, Recovery, RecoveryWindow},
    machine::{Event as Told, Machine, Stamp},
};

use State::{Closed, HalfOpen as Half, Open, Recovering};

/// What a state is, as far as the next event is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// Closed, no failure yet.
    Closed,
    /// Closed, one failure short of the trip.
    ClosedNearTrip,
    /// Open, a nanosecond before the wait is over.
    OpenWaiting,
    /// Open, and the wait is over.
    OpenDue,
    /// Half-open, as many probes under way as may be.
    HalfOpenFull,
    /// Half-open, its last probe just dropped.
    HalfOpenIdle,
    /// Half-open, and all leases are over.
    HalfOpenExpired,
    /// Half-open, and it has been for too long.
    HalfOpenTooLong,
    /// Recovering, one call under way.
    Recovering,
    /// Recovering, one failure short of falling, one call under way.
    RecoveringNearFall,
}

const STATES: [At; 10] = [
    At::Closed,
    At::ClosedNearTrip,
    At::OpenWaiting,
    At::OpenDue,
    At::HalfOpenFull,
    At::HalfOpenIdle,
    At::HalfOpenExpired,
    At::HalfOpenTooLong,
    At::Recovering,
    At::RecoveringNearFall,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// A call asks for leave.
    Call,
    /// The oldest call of this phase under way ends; where there is none, one is made for it, if it may.
    Success,
    Failure,
    /// One that opens the circuit at once.
    Trip,
    Ignored,
    Dropped,
    /// A call of an earlier phase ends.
    LateSuccess,
    LateFailure,
    Reset,
    ForceOpen,
    ForceClosed,
    Disable,
    MetricsOnly,
    Auto,
    Reconfigure,
}

const EVENTS: [Event; 15] = [
    Event::Call,
    Event::Success,
    Event::Failure,
    Event::Trip,
    Event::Ignored,
    Event::Dropped,
    Event::LateSuccess,
    Event::LateFailure,
    Event::Reset,
    Event::ForceOpen,
    Event::ForceClosed,
    Event::Disable,
    Event::MetricsOnly,
    Event::Auto,
    Event::Reconfigure,
];

/// The columns, in this order: call, success, failure, trip, ignored, dropped. What never moves a state (late results,
/// modes but one, other settings) and what always does (reset, forced closed) are not columns.
#[rustfmt::skip]
const TABLE: [(At, [State; 6]); 10] = [
    (At::Closed,             [Closed,     Closed,     Closed,     Open, Closed,     Closed]),
    (At::ClosedNearTrip,     [Closed,     Closed,     Open,       Open, Closed,     Closed]),
    (At::OpenWaiting,        [Open,       Open,       Open,       Open, Open,       Open]),
    (At::OpenDue,            [Half,       AFTER,      Open,       Open, Half,       Half]),
    (At::HalfOpenFull,       [Half,       AFTER,      Open,       Open, Half,       Half]),
    (At::HalfOpenIdle,       [Half,       AFTER,      Open,       Open, Half,       Half]),
    // The oldest call's lease is over: it decides nothing.
    (At::HalfOpenExpired,    [Half,       Half,       Half,       Half, Half,       Half]),
    // The phase is over, whether a call comes or one ends.
    (At::HalfOpenTooLong,    [Open,       Open,       Open,       Open, Open,       Open]),
    (At::Recovering,         [Recovering, Recovering, Recovering, Open, Recovering, Recovering]),
    (At::RecoveringNearFall, [Recovering, Recovering, Open,       Open, Recovering, Recovering]),
];

/// Stands for what follows good probes by the settings.
const AFTER: State = Recovering;

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn expected(at: At, event: Event, before: State, config: &Config) -> State {
    let column = match event {
        Event::LateSuccess | Event::LateFailure => return before,
        Event::ForceOpen | Event::Disable | Event::MetricsOnly | Event::Auto | Event::Reconfigure => return before,
        Event::Reset | Event::ForceClosed => return Closed,
        Event::Call => 0,
        Event::Success => 1,
        Event::Failure => 2,
        Event::Trip => 3,
        Event::Ignored => 4,
        Event::Dropped => 5,
    };
    let (_, row) = TABLE.iter().find(|(row, _)| *row == at).expect("the table is total");
    let after = row[column];
    let by_probes = column == 1 && before != Recovering && after == AFTER;
    if by_probes && config.recovery == Recovery::Probes { Closed } else { after }
}

/// The next call that passes: of a ramp at one half it is one of two.
fn passing(machine: &mut Machine, now: Instant) -> Stamp {
    machine.admit(now).or_else(|_| machine.admit(now)).expect("one of two passes")
}

/// A machine in that state, a call of an earlier phase, and the calls of this one; none where the settings know no such
/// state.
fn prepared(at: At, config: Config) -> Option<(Machine, Stamp, Vec<Stamp>, Instant)> {
    let mut now = Instant::ZERO.after(1_000 * SECOND);
    let mut machine = Machine::new("it", config, 1, now).expect("within bounds");
    let late = machine.admit(now).expect("closed");
    let fail = |machine: &mut Machine, now| {
        let stamp = passing(machine, now);
        machine.settle(stamp, Some(Outcome::failure()), now);
    };
    machine.reset(now);
    let run = config.consecutive_failures.expect("the rule of this table").failures;
    let mut calls = Vec::new();
    if at == At::Closed || at == At::ClosedNearTrip {
        (1..run).filter(|_| at == At::ClosedNearTrip).for_each(|_| fail(&mut machine, now));
        let first_trips = run == 1 && at == At::Closed;
        return (!first_trips).then_some((machine, late, calls, now));
    }
    (0..run).for_each(|_| fail(&mut machine, now));
    now = now.after(machine.snapshot(now).retry_after.expect("open"));
    if at == At::OpenWaiting {
        let before = now.since(Instant::ZERO) - NANOSECOND;
        return Some((machine, late, calls, Instant::ZERO.after(before)));
    }
    if at == At::OpenDue {
        return Some((machine, late, calls, now));
    }
    let HalfOpen { probe_timeout, max_wait, .. } = config.half_open;
    if at == At::Recovering || at == At::RecoveringNearFall {
        let tolerance = match config.recovery {
            Recovery::Ramp(ramp) => ramp.tolerance,
            Recovery::Window(window) => window.tolerance,
            _ => return None,
        };
        let probe = machine.admit(now).expect("due");
        machine.settle(probe, Some(Outcome::Success), now);
        (1..tolerance).filter(|_| at == At::RecoveringNearFall).for_each(|_| fail(&mut machine, now));
        let near_at_once = tolerance == 1 && at == At::Recovering;
        calls.push(passing(&mut machine, now));
        return (!near_at_once).then_some((machine, late, calls, now));
    }
    while let Ok(probe) = machine.admit(now) {
        calls.push(probe);
    }
    match at {
        At::HalfOpenIdle => calls.drain(..).for_each(|probe| machine.settle(probe, None, now)),
        At::HalfOpenExpired => now = now.after(probe_timeout),
        At::HalfOpenTooLong => {
            // Probes that never end, one after another.
            let lent_for = |now: Instant| now.after(probe_timeout);
            let mut waited = probe_timeout;
            now = lent_for(now);
            while waited < max_wait {
                calls.extend(machine.admit(now));
                now = lent_for(now);
                waited += probe_timeout;
            }
        }
        _ => {}
    }
    if at == At::HalfOpenExpired && max_wait == probe_timeout {
        return None;
    }
    Some((machine, late, calls, now))
}

fn apply(machine: &mut Machine, late: Stamp, mut calls: Vec<Stamp>, event: Event, config: Config, now: Instant) {
    let outcome = match event {
        Event::Success | Event::LateSuccess => Some(Outcome::Success),
        Event::Failure | Event::LateFailure => Some(Outcome::failure()),
        Event::Trip => Some(Failure::new().tripping().into()),
        Event::Ignored => Some(Outcome::Ignored),
        Event::Dropped => None,
        Event::Call => return drop(machine.admit(now)),
        Event::Reset => return machine.reset(now),
        Event::ForceOpen => return machine.set_mode(Mode::ForcedOpen, None, now),
        Event::ForceClosed => return machine.set_mode(Mode::ForcedClosed, None, now),
        Event::Disable => return machine.set_mode(Mode::Disabled, None, now),
        Event::MetricsOnly => return machine.set_mode(Mode::MetricsOnly, None, now),
        Event::Auto => return machine.set_mode(Mode::Auto, None, now),
        Event::Reconfigure => return machine.reconfigure(config, now).expect("within bounds"),
    };
    let stamp = match event {
        Event::LateSuccess | Event::LateFailure => Some(late),
        _ if calls.is_empty() => machine.admit(now).ok(),
        _ => Some(calls.remove(0)),
    };
    stamp.into_iter().for_each(|stamp| machine.settle(stamp, outcome, now));
}

/// Settings at their borders; one success is always enough, so that each pair has one answer.
fn settings() -> Vec<Config> {
    let most = Duration::from_secs(365 * 24 * 3_600);
    let ramp = |tolerance| Recovery::Ramp(Ramp::new().shares([0.5, 0.5, 0.5, 0.5]).tolerance(tolerance));
    let window = |tolerance| Recovery::Window(RecoveryWindow::new().tolerance(tolerance));
    let half_open =
        |lease: Duration, longest: Duration| HalfOpen::new().probe_timeout(lease).max_wait(longest).ignored_as_alive(0);
    let mut all = Vec::new();
    for failures in [1, 2, 100] {
        for wait in [Duration::from_millis(1), SECOND, most] {
            for (lease, longest) in [(SECOND, 2 * SECOND), (SECOND, SECOND), (Duration::from_millis(1), SECOND)] {
                for concurrent in [1, 3, 10_000] {
                    for recovery in [Recovery::Probes, ramp(5), window(1), window(5)] {
                        let half_open = half_open(lease, longest).max_concurrent_probes(concurrent);
                        for half_open in [half_open, half_open.failure_rate(1, 1.0)] {
                            all.push(
                                Config::without_rules()
                                    .consecutive_failures(Consecutive::new(failures))
                                    .probing(Probing::fixed(wait))
                                    .half_open(half_open)
                                    .recovery(recovery),
                            );
                        }
                    }
                }
            }
        }
    }
    all
}

#[test]
fn each_event_leads_from_each_state_to_the_one_in_the_table() {
    let mut pairs = [[0u32; EVENTS.len()]; STATES.len()];
    for config in settings() {
        for (row, at) in STATES.into_iter().enumerate() {
            for (column, event) in EVENTS.into_iter().enumerate() {
                let Some((mut machine, late, calls, now)) = prepared(at, config) else { continue };
                let before = machine.state();
                while machine.next_event().is_some() {}
                let epoch = machine.snapshot(now).epoch;
                apply(&mut machine, late, calls, event, config, now);
                let after = expected(at, event, before, &config);
                assert_eq!(machine.state(), after, "{at:?}, {event:?}: {config:#?}");
                // Each transition was told, they form a chain, and the phases are counted.
                let mut chain = (before, epoch);
                while let Some(told) = machine.next_event() {
                    let Told::Transition(told) = told else { continue };
                    assert_eq!((told.from, told.epoch), (chain.0, chain.1 + 1), "{at:?}, {event:?}");
                    chain = (told.to, told.epoch);
                }
                assert_eq!(chain, (after, machine.snapshot(now).epoch), "{at:?}, {event:?}: untold");
                pairs[row][column] += 1;
            }
        }
    }
    let seen = pairs.iter().flatten().copied().min().expect("there are pairs");
    println!("{} pairs, each at least {seen} times", STATES.len() * EVENTS.len());
    assert!(seen >= 20, "a pair was met {seen} times");
}
