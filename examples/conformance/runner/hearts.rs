//! The pure machine and the circuit side by side, told the same and asked the same.

use std::time::Duration;

use tower_breaker::{
    Circuit, Config, Instant, Mode, Outcome, Permit,
    circuit::Events,
    clock::Clock,
    machine::{Event, Machine, Snapshot, Stamp},
};

use super::clock::Virtual;

pub(crate) struct Hearts {
    machine: Machine,
    circuit: Circuit,
    clock: Virtual,
    events: Events,
}

/// A call under way in both.
pub(crate) struct Call {
    stamp: Stamp,
    permit: Permit,
}

pub(crate) enum Answer {
    Admitted(Call),
    Rejected { retry_after: Option<Duration> },
}

/// What both must agree in; the text says in what they do not.
pub(crate) type Agreed<T> = Result<T, String>;

impl Hearts {
    /// `config` has been checked.
    pub(crate) fn new(config: Config, seed: u64, clock: &Virtual) -> Agreed<Self> {
        let machine = Machine::new("it", config, seed, clock.now()).map_err(|error| error.to_string())?;
        let circuit = Circuit::builder("it").config(config).seed(seed).clock(clock.clone()).build();
        let circuit = circuit.map_err(|error| error.to_string())?;
        let events = circuit.subscribe();
        Ok(Self { machine, circuit, clock: clock.clone(), events })
    }

    pub(crate) fn clock(&self) -> &Virtual {
        &self.clock
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Asks both; `by_clone` asks the circuit through a clone, which is the same circuit.
    pub(crate) fn begin(&mut self, by_clone: bool) -> Agreed<Answer> {
        let circuit = if by_clone { self.circuit.clone().try_acquire() } else { self.circuit.try_acquire() };
        match (self.machine.admit(self.now()), circuit) {
            (Ok(stamp), Ok(permit)) => Ok(Answer::Admitted(Call { stamp, permit })),
            (Err(rejection), Err(rejected)) if rejection.retry_after == rejected.retry_after() => {
                Ok(Answer::Rejected { retry_after: rejection.retry_after })
            }
            (machine, circuit) => Err(format!("the machine says {machine:?}, the circuit {circuit:?}")),
        }
    }

    /// `outcome` is none for a call that is dropped.
    pub(crate) fn end(&mut self, call: Call, outcome: Option<Outcome>) {
        self.machine.settle(call.stamp, outcome, self.now());
        match outcome {
            Some(outcome) => call.permit.record(outcome),
            None => drop(call.permit),
        }
    }

    pub(crate) fn set_mode(&mut self, mode: Mode, lasting: Option<Duration>) {
        let now = self.now();
        self.machine.set_mode(mode, lasting.map(|lasting| now.after(lasting)), now);
        self.circuit.set_mode(mode, lasting);
    }

    pub(crate) fn reset(&mut self) {
        self.machine.reset(self.now());
        self.circuit.reset();
    }

    pub(crate) fn reconfigure(&mut self, config: Config) -> Agreed<()> {
        self.machine.reconfigure(config, self.now()).map_err(|error| error.to_string())?;
        self.circuit.reconfigure(config).map_err(|error| error.to_string())
    }

    /// Compares every number of the two.
    pub(crate) fn snapshot(&self) -> Agreed<Snapshot> {
        let (machine, circuit) = (self.machine.snapshot(self.now()), self.circuit.snapshot());
        if machine == circuit {
            return Ok(machine);
        }
        Err(format!("the two do not agree:\n  machine {machine:?}\n  circuit {circuit:?}"))
    }

    /// Takes the events since this was last asked; both must tell the same.
    pub(crate) fn take_events(&mut self) -> Agreed<Vec<Event>> {
        let machine: Vec<_> = std::iter::from_fn(|| self.machine.next_event()).collect();
        let circuit = std::iter::from_fn(|| self.events.try_next()).collect::<Result<Vec<_>, _>>();
        let circuit = circuit.map_err(|missed| format!("{missed:?}"))?;
        if machine == circuit {
            return Ok(machine);
        }
        Err(format!("the two tell different events:\n  machine {machine:?}\n  circuit {circuit:?}"))
    }
}
