//! What a breaker does, as a pure machine: calls and the time go in, decisions and events come out.
//!
//! It reads no clock, takes no lock and knows no runtime, so a trace of calls can be replayed against a [`Config`], and
//! the same trace always gives the same decisions. The concurrent [`Circuit`](crate::Circuit) gives the same ones on
//! every single-threaded trace; a test holds both to it.
//!
//! ```text
//!              a rule fires                    the wait is over, a call comes
//!    Closed ------------------> Open ------------------------------------------> HalfOpen
//!      ^  ^                      ^ ^      one failure, slow probe, or too long     |  |
//!      |  |                      | +-----------------------------------------------+  |
//!      |  |                      | too many net failures                              |
//!      |  +------------------ Recovering <--------------------------------------------+
//!      |   the recovery is done                     the probes succeeded              |
//!      +------------------------------------------------------------------------------+
//!                                with Recovery::Probes
//! ```
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower_breaker::{Config, Instant, Outcome, State, config::{Consecutive, Recovery}, machine::Machine};
//!
//! let config = Config::classic().consecutive_failures(Consecutive::new(2));
//! let mut machine = Machine::new("payments", config, 7, Instant::ZERO)?;
//! for _ in 0..2 {
//!     let stamp = machine.admit(Instant::ZERO).expect("closed");
//!     machine.settle(stamp, Some(Outcome::failure()), Instant::ZERO);
//! }
//! assert_eq!(machine.state(), State::Open);
//! let rejection = machine.admit(Instant::ZERO).unwrap_err();
//! assert!(rejection.retry_after.unwrap() <= Duration::from_secs(5));
//! # Ok::<(), tower_breaker::ConfigError>(())
//! ```

mod core;
mod event;
mod half_open;
mod lease;
mod limit;
mod open;
mod outage;
mod ramp;
mod recovering;
mod rejection;
mod rules;
mod snapshot;
mod stamp;
mod tally;
mod transition;

pub(crate) use self::{
    core::Core,
    outage::{Outage, Vitals},
    rules::{Counts, Rules, traffic},
    snapshot::Line,
    stamp::{Ended, Finished, Kind},
    tally::{Counted, averaged, sampled},
};
pub use self::{
    event::{Event, Reason, Transition},
    rejection::{RejectReason, Rejection},
    snapshot::{Ledger, Snapshot, WindowSnapshot},
    stamp::Stamp,
};

use std::sync::Arc;

use self::tally::Tally;
use crate::{
    config::{Config, ConfigError},
    outcome::Outcome,
    state::{Mode, State},
    time::Instant,
};

/// A breaker without a clock, a lock or a runtime. See the [module docs](self) for an example.
#[derive(Clone, Debug)]
pub struct Machine {
    core: Core,
    tally: Tally,
    ledger: [u64; Line::COUNT],
}

impl Machine {
    /// Makes a machine; the same `seed` draws the same jitter.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds.
    pub fn new(name: impl Into<Arc<str>>, config: Config, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        let tally = Tally::new(Rules::new(&config, false), now);
        Ok(Self { core: Core::new(name.into(), config, seed, now), tally, ledger: [0; Line::COUNT] })
    }

    /// Answers a call: a stamp to settle when it has ended, or why it may not be made.
    ///
    /// # Errors
    ///
    /// [`Rejection`] if the circuit lets no call pass now; it says when to come back.
    pub fn admit(&mut self, now: Instant) -> Result<Stamp, Rejection> {
        let epoch = self.core.epoch();
        let answer = self.core.admit(now);
        self.follow(epoch, now);
        match &answer {
            Ok(stamp) if stamp.kind == Kind::Shadow => self.count(Line::WouldReject),
            // A counted call is timed only where somebody asks for its duration.
            Ok(_) => {}
            Err(_) => self.count(Line::Rejected),
        }
        answer.map(|mut stamp| {
            let config = self.core.config();
            let timed = config.slow_after().is_some() || config.abandoned_after().is_some();
            if stamp.kind == Kind::Counted && !self.tally.take_sample() && !timed {
                stamp.started = None;
            }
            stamp
        })
    }

    /// Takes the end of a call: its outcome, or none if it was dropped.
    pub fn settle(&mut self, stamp: Stamp, outcome: Option<Outcome>, now: Instant) {
        let took = stamp.started.map(|started| now.since(started));
        let ended = outcome.map_or(Ended::Dropped, Ended::With);
        let finished = Finished::new(self.core.config(), ended, took);
        let epoch = self.core.epoch();
        let in_time = match stamp.kind {
            Kind::Uncounted => return,
            Kind::Shadow => true,
            Kind::Counted => stamp.epoch == epoch && self.mode(now) != Mode::Disabled,
            Kind::Probe(_) | Kind::Recovering(_) => self.core.settle(&stamp, finished, now),
        };
        if !in_time {
            return self.count(Line::Late);
        }
        self.count(finished.line());
        if finished.slow {
            self.count(Line::Slow);
        }
        if stamp.kind == Kind::Counted {
            self.counted(finished, now);
        }
        self.follow(epoch, now);
    }

    /// Sets the mode, for good or until `until`.
    pub fn set_mode(&mut self, mode: Mode, until: Option<Instant>, now: Instant) {
        let epoch = self.core.epoch();
        self.core.set_mode(mode, until, now);
        self.follow(epoch, now);
    }

    /// Closes the circuit and forgets all history; the mode and the ledger stay.
    pub fn reset(&mut self, now: Instant) {
        let epoch = self.core.epoch();
        self.core.reset(now);
        self.tally.forget_latency();
        self.follow(epoch, now);
    }

    /// Takes other settings; the state goes on, and so do the windows that the new rules still look at.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds; nothing has changed then.
    pub fn reconfigure(&mut self, config: Config, now: Instant) -> Result<(), ConfigError> {
        config.check()?;
        self.core.reconfigure(config);
        self.tally.replace(Rules::new(&config, false), now);
        Ok(())
    }

    /// Returns what is measured. An open circuit whose wait is over stays open until a call comes.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.state()
    }

    /// Returns what an operator wants.
    #[must_use]
    pub fn mode(&self, now: Instant) -> Mode {
        self.core.effective_mode(now)
    }

    /// Returns a copy of what the machine knows.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let ledger = Ledger::read(|line| self.ledger[line as usize]);
        Snapshot::new(&self.core, self.tally.rules(), &self.tally, ledger, now)
    }

    /// Takes the oldest event that has not been taken yet.
    pub fn next_event(&mut self) -> Option<Event> {
        self.core.take_event()
    }

    fn count(&mut self, line: Line) {
        self.ledger[line as usize] += 1;
    }

    /// Counts a call in the closed state and asks the rules.
    fn counted(&mut self, finished: Finished, now: Instant) {
        let Some(call) = finished.counted() else { return };
        self.tally.record(call, now);
        if call.failure.is_none() && !call.slow {
            return;
        }
        let Some(reason) = self.tally.rules().judge(&self.tally, call.failure, call.slow, now) else { return };
        let vitals = Vitals { traffic: self.tally.traffic(now), usual_latency: self.tally.usual_latency() };
        if !self.core.trip(self.core.epoch(), reason, vitals, finished.hint(), now) {
            self.tally.forget_excess(now);
        }
    }

    /// Begins new counts if a closed phase has begun.
    fn follow(&mut self, epoch_before: u64, now: Instant) {
        if self.core.epoch() != epoch_before && self.core.state() == State::Closed {
            self.tally.begin(now);
        }
    }
}
