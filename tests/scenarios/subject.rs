//! The machine and the circuit side by side, told the same and asked the same.

use std::{collections::HashMap, time::Duration};

use tower_breaker::{
    Circuit, Config, Instant, Mode, Outcome, Permit, Rejected,
    clock::ManualClock,
    machine::{Event, Machine, Rejection, Snapshot, Stamp},
};

/// Both draw the same jitter.
const SEED: u64 = 1;

pub(crate) enum Answer {
    Admitted,
    Refused(Rejection),
}

pub(crate) struct Both {
    machine: Machine,
    circuit: Circuit,
    clock: ManualClock,
    now: Instant,
    calls: HashMap<String, (Stamp, Permit)>,
    events: tower_breaker::circuit::Events,
    log: Vec<Event>,
}

impl Both {
    pub(crate) fn new(config: Config, mode: Mode) -> Result<Self, String> {
        let mut both = Self::at(config, Instant::ZERO)?;
        if mode != Mode::Auto {
            both.set_mode(mode, None, Instant::ZERO);
        }
        Ok(both)
    }

    fn at(config: Config, now: Instant) -> Result<Self, String> {
        let clock = ManualClock::new();
        clock.set(now);
        let machine = Machine::new("it", config, SEED, now).map_err(|error| error.to_string())?;
        let circuit = Circuit::builder("it").config(config).seed(SEED).clock(clock.clone()).build();
        let circuit = circuit.map_err(|error| error.to_string())?;
        let events = circuit.subscribe();
        Ok(Self { machine, circuit, clock, now, calls: HashMap::new(), events, log: Vec::new() })
    }

    pub(crate) fn set_clock(&mut self, now: Instant) {
        self.now = now;
        self.clock.set(now);
    }

    pub(crate) fn begin(&mut self, name: &str) -> Result<Answer, String> {
        // What `check` says is what the call gets.
        let told = |rejected: &Rejected| (rejected.state(), rejected.reason(), rejected.retry_after());
        let checked = self.circuit.check().err().as_ref().map(told);
        let (machine, circuit) = (self.machine.admit(self.now), self.circuit.try_acquire());
        let got = circuit.as_ref().err().map(told);
        if got != checked {
            return Err(format!("`check` says {checked:?}, the call gets {got:?}"));
        }
        match (machine, circuit) {
            (Ok(stamp), Ok(permit)) => {
                if stamp.is_probe() != permit.is_probe() {
                    return Err("only one of the two takes it for a probe".into());
                }
                match self.calls.insert(name.into(), (stamp, permit)) {
                    Some(_) => Err(format!("{name} is under way already")),
                    None => Ok(Answer::Admitted),
                }
            }
            (Err(rejection), Err(rejected)) => {
                if (rejection.state, rejection.reason, rejection.retry_after) != told(&rejected) {
                    return Err(format!("the machine says {rejection:?}, the circuit {rejected:?}"));
                }
                Ok(Answer::Refused(rejection))
            }
            (machine, circuit) => Err(format!("the machine says {machine:?}, the circuit {circuit:?}")),
        }
    }

    /// `outcome` is none for a call that is dropped.
    pub(crate) fn end(&mut self, name: &str, outcome: Option<Outcome>) -> Result<(), String> {
        let (stamp, permit) = self.calls.remove(name).ok_or_else(|| format!("{name} is not under way"))?;
        self.machine.settle(stamp, outcome, self.now);
        match outcome {
            Some(outcome) => permit.record(outcome),
            None => drop(permit),
        }
        self.compare_events();
        Ok(())
    }

    pub(crate) fn set_mode(&mut self, mode: Mode, until: Option<Instant>, now: Instant) {
        self.machine.set_mode(mode, until, now);
        self.circuit.set_mode(mode, until.map(|until| until.since(now)));
    }

    /// Both are saved, and others take up what they knew so much later.
    pub(crate) fn restart(&mut self, gap: Duration) -> Result<(), String> {
        let (memory, saved, config) = (self.machine.save(self.now), self.circuit.save(), self.circuit.config());
        if memory != saved.memory {
            return Err(format!("the machine saves {memory:?}, the circuit {:?}", saved.memory));
        }
        let (mut log, now) = (self.take_events(), self.now.after(gap));
        *self = Self::at(config, now)?;
        let machine = self.machine.restore(&memory, gap, now);
        let circuit = self.circuit.restore_at(&saved, Duration::MAX, saved.at + gap);
        log.extend(self.take_events());
        self.log = log;
        if machine == circuit { Ok(()) } else { Err(format!("the machine says {machine:?}, the circuit {circuit:?}")) }
    }

    pub(crate) fn reset(&mut self) {
        self.machine.reset(self.now);
        self.circuit.reset();
    }

    pub(crate) fn reconfigure(&mut self, config: Config) -> Result<(), String> {
        let machine = self.machine.reconfigure(config, self.now);
        let circuit = self.circuit.reconfigure(config);
        if machine != circuit {
            return Err(format!("the machine says {machine:?}, the circuit {circuit:?}"));
        }
        machine.map_err(|error| error.to_string())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.machine.snapshot(self.now)
    }

    /// Compares every number of the two.
    pub(crate) fn agree(&self) -> Result<(), String> {
        let (machine, circuit) = (self.machine.snapshot(self.now), self.circuit.snapshot());
        let told = [(self.machine.state(), self.machine.mode(self.now)), (self.circuit.state(), self.circuit.mode())];
        if told != [(machine.state, machine.mode); 2] {
            return Err(format!("asked for state and mode they say {told:?}, and {machine:?}"));
        }
        if machine == circuit {
            return Ok(());
        }
        Err(format!("the two do not agree:\n  machine {machine:?}\n  circuit {circuit:?}"))
    }

    /// Takes the events since this was last asked.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.compare_events();
        std::mem::take(&mut self.log)
    }

    /// Moves what has happened to the log; both must tell the same.
    fn compare_events(&mut self) {
        let machine: Vec<_> = std::iter::from_fn(|| self.machine.next_event()).collect();
        let circuit: Vec<_> =
            std::iter::from_fn(|| self.events.try_next()).map(|event| event.expect("none missed")).collect();
        assert_eq!(machine, circuit, "the events of the two");
        self.log.extend(machine);
    }
}
