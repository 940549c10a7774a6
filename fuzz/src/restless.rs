//! Clocks that nobody can trust, and both hearts behind them.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tower_breaker::{
    Circuit, Config, Instant, Mode, Outcome, Permit, State,
    circuit::Events,
    clock::{Clock, Sleep},
    machine::{Event, Machine, RejectReason, Stamp},
};

use crate::heal::Patient;

const SEED: u64 = 1;

/// Why a call was refused, and when to come back.
pub type Refusal = (RejectReason, Option<Duration>);

/// What one heart does with a call, whichever heart it is.
pub trait Heart: Patient {
    /// Begins a call that is kept, or says why not.
    fn begin(&mut self) -> Result<(), Refusal>;
    /// Ends the n-th call that is kept.
    fn end(&mut self, at: usize, outcome: Option<Outcome>);
    fn under_way(&self) -> usize;
    fn set_mode(&mut self, mode: Mode);
    fn reset(&mut self);
    fn reconfigure(&mut self, config: Config);
    fn look(&mut self);
    fn next_event(&mut self) -> Option<Event>;
    fn clock(&self) -> &Restless;
}

/// A clock that shows one reading after the other, and the last one for ever.
#[derive(Clone, Debug, Default)]
pub struct Restless(Arc<Mutex<Readings>>);

#[derive(Debug, Default)]
struct Readings {
    /// The next one last.
    to_come: Vec<Instant>,
    shown: Instant,
    /// The earliest that was shown since this was last asked, and the latest ever.
    earliest: Option<Instant>,
    latest: Instant,
}

impl Restless {
    /// Sets what it shows next.
    pub fn set(&self, readings: impl DoubleEndedIterator<Item = Instant>) {
        self.lock().to_come = readings.rev().collect();
    }

    /// Returns what it showed last.
    pub fn shown(&self) -> Instant {
        self.lock().shown
    }

    /// Returns the earliest reading since this was last asked.
    pub fn earliest(&self) -> Instant {
        let mut readings = self.lock();
        let shown = readings.shown;
        readings.earliest.take().unwrap_or(shown)
    }

    /// Returns the latest reading ever.
    pub fn latest(&self) -> Instant {
        self.lock().latest
    }

    fn lock(&self) -> MutexGuard<'_, Readings> {
        self.0.lock().expect("nothing panics under it")
    }
}

impl Clock for Restless {
    fn now(&self) -> Instant {
        let mut readings = self.lock();
        let now = readings.to_come.pop().unwrap_or(readings.shown);
        readings.shown = now;
        readings.earliest = Some(readings.earliest.map_or(now, |earliest| earliest.min(now)));
        readings.latest = readings.latest.max(now);
        now
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(pending())
    }
}

/// The pure machine; each step reads the clock once.
pub struct Pure {
    machine: Machine,
    clock: Restless,
    calls: Vec<Stamp>,
}

impl Pure {
    /// The settings must be within their bounds.
    pub fn new(config: Config, clock: Restless) -> Self {
        let machine = Machine::new("it", config, SEED, clock.now()).expect("the settings are within bounds");
        Self { machine, clock, calls: Vec::new() }
    }
}

impl Heart for Pure {
    fn begin(&mut self) -> Result<(), Refusal> {
        let stamp = self.machine.admit(self.clock.now());
        self.calls.push(stamp.map_err(|rejection| (rejection.reason, rejection.retry_after))?);
        Ok(())
    }

    fn end(&mut self, at: usize, outcome: Option<Outcome>) {
        self.machine.settle(self.calls.swap_remove(at), outcome, self.clock.now());
    }

    fn under_way(&self) -> usize {
        self.calls.len()
    }

    fn set_mode(&mut self, mode: Mode) {
        self.machine.set_mode(mode, None, self.clock.now());
    }

    fn reset(&mut self) {
        self.machine.reset(self.clock.now());
    }

    fn reconfigure(&mut self, config: Config) {
        self.machine.reconfigure(config, self.clock.now()).expect("the settings are within bounds");
    }

    fn look(&mut self) {
        assert!(!self.machine.snapshot(self.clock.now()).explain().is_empty());
    }

    fn next_event(&mut self) -> Option<Event> {
        self.machine.next_event()
    }

    fn clock(&self) -> &Restless {
        &self.clock
    }
}

impl Patient for Pure {
    fn call(&mut self, now: Instant) -> bool {
        let stamp = self.machine.admit(now);
        stamp.map(|stamp| self.machine.settle(stamp, Some(Outcome::Success), now)).is_ok()
    }

    fn state(&mut self) -> State {
        self.machine.state()
    }
}

/// The circuit; a step may read the clock several times, and each time it shows something else.
pub struct Shared {
    circuit: Circuit,
    clock: Restless,
    events: Events,
    calls: Vec<Permit>,
}

impl Shared {
    /// The settings must be within their bounds.
    pub fn new(config: Config, clock: Restless) -> Self {
        let circuit = Circuit::builder("it").config(config).seed(SEED).clock(clock.clone()).build();
        let circuit = circuit.expect("the settings are within bounds");
        Self { events: circuit.subscribe(), circuit, clock, calls: Vec::new() }
    }
}

impl Heart for Shared {
    fn begin(&mut self) -> Result<(), Refusal> {
        let permit = self.circuit.try_acquire();
        self.calls.push(permit.map_err(|rejected| (rejected.reason(), rejected.retry_after()))?);
        Ok(())
    }

    fn end(&mut self, at: usize, outcome: Option<Outcome>) {
        let permit = self.calls.swap_remove(at);
        match outcome {
            Some(outcome) => permit.record(outcome),
            None => drop(permit),
        }
    }

    fn under_way(&self) -> usize {
        self.calls.len()
    }

    fn set_mode(&mut self, mode: Mode) {
        self.circuit.set_mode(mode, None);
    }

    fn reset(&mut self) {
        self.circuit.reset();
    }

    fn reconfigure(&mut self, config: Config) {
        self.circuit.reconfigure(config).expect("the settings are within bounds");
    }

    fn look(&mut self) {
        let checked = self.circuit.check().is_ok();
        assert!(!self.circuit.explain().is_empty(), "{checked}");
    }

    fn next_event(&mut self) -> Option<Event> {
        self.events.try_next().map(|event| event.expect("none missed"))
    }

    fn clock(&self) -> &Restless {
        &self.clock
    }
}

impl Patient for Shared {
    fn call(&mut self, now: Instant) -> bool {
        self.clock.set(std::iter::once(now));
        self.circuit.try_acquire().map(|permit| permit.record(Outcome::Success)).is_ok()
    }

    fn state(&mut self) -> State {
        self.circuit.state()
    }
}
