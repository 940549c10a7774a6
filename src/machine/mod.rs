//! What a breaker does, as a pure machine: calls and the time go in, decisions and events come out.
//!
//! It reads no clock, takes no lock and knows no runtime, so a trace of calls can be replayed against a [`Config`], and
//! the same trace always gives the same decisions. The concurrent [`Circuit`](crate::Circuit) is this machine behind a
//! lock that a healthy call does not take; it gives the same decisions on every single-threaded trace, and a test holds it
//! to that.
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

mod answer;
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
mod reserved;
mod rules;
mod saved;
mod settings;
mod snapshot;
mod stamp;
mod tally;
mod transition;
mod trouble;

pub(crate) use self::{
    core::Core,
    outage::{Outage, Vitals},
    settings::Settings,
    snapshot::Line,
    stamp::{Ended, Epoch, Kind},
    tally::{SAMPLED, is_sampled},
};
pub use self::{
    event::{Event, Reason, Transition},
    rejection::{RejectReason, Rejection, Rejections},
    saved::{Memory, NotRestored, OutageMemory, Restored},
    snapshot::{Ledger, Snapshot, WindowSnapshot},
    stamp::Stamp,
};

use std::{sync::Arc, time::Duration};

use self::{rules::Counts, stamp::Finished, tally::Tally};
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
    /// What is known of rejected calls beyond their number, made for the first that no open circuit has rejected.
    apart: Option<Box<Apart>>,
}

/// What only few circuits know of rejected calls.
#[derive(Clone, Copy, Debug, Default)]
struct Apart {
    /// Those that no open circuit has rejected. Almost all others are, and are counted by difference.
    others: Rejections,
    /// How many there were when somebody last asked for the news.
    told: u64,
}

impl Machine {
    /// Makes a machine; the same `seed` draws the same jitter.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds.
    pub fn new(name: impl Into<Arc<str>>, config: Config, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::with(name.into(), Settings::new(config, false), seed, now))
    }

    pub(crate) fn with(name: Arc<str>, settings: Arc<Settings>, seed: u64, now: Instant) -> Self {
        let tally = Tally::new(Arc::clone(&settings), now);
        Self { core: Core::new(name, settings, seed, now), tally, ledger: [0; Line::COUNT], apart: None }
    }

    /// Answers a call: a stamp to settle when it has ended, or why it may not be made.
    ///
    /// # Errors
    ///
    /// [`Rejection`] if the circuit lets no call pass now; it says when to come back.
    pub fn admit(&mut self, now: Instant) -> Result<Stamp, Rejection> {
        let answer = self.change(now, |core| core.admit(now));
        match &answer {
            Ok(stamp) if stamp.kind == Kind::Shadow => self.count(Line::WouldReject, 1),
            Ok(_) => {}
            Err(rejection) => self.count_rejected(rejection.reason),
        }
        answer.map(|stamp| {
            // A counted call is timed only where somebody asks for its duration.
            let kind = match stamp.kind {
                Kind::Counted if self.tally.times_next() => Kind::Sample,
                Kind::Counted if self.times_all() => Kind::Timed,
                kind => kind,
            };
            Stamp { kind, ..stamp }
        })
    }

    /// Takes the end of a call: its outcome, or none if it was dropped.
    pub fn settle(&mut self, stamp: Stamp, outcome: Option<Outcome>, now: Instant) {
        self.end(&stamp, outcome.map_or(Ended::Dropped, Ended::With), now);
    }

    /// Sets the mode, for good or until `until`.
    pub fn set_mode(&mut self, mode: Mode, until: Option<Instant>, now: Instant) {
        self.change(now, |core| core.set_mode(mode, until, now));
    }

    /// Closes the circuit and forgets all history; the mode and the ledger stay.
    pub fn reset(&mut self, now: Instant) {
        self.tally.forget_latency();
        self.change(now, |core| core.reset(now));
    }

    /// Takes other settings; the state goes on, and so do the windows that the new rules still look at.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds; nothing has changed then.
    pub fn reconfigure(&mut self, config: Config, now: Instant) -> Result<(), ConfigError> {
        config.check()?;
        self.replace(Settings::new(config, false), now);
        Ok(())
    }

    pub(crate) fn replace(&mut self, settings: Arc<Settings>, now: Instant) {
        self.core.reconfigure(Arc::clone(&settings));
        self.tally.replace(settings, now);
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
        let others = self.apart.as_ref().map(|apart| apart.others).unwrap_or_default();
        let ledger = Ledger::read(|line| self.ledger[line as usize], others);
        Snapshot::new(&self.core, self.tally.rules(), &self.tally, ledger, now)
    }

    /// Takes the oldest event that has not been taken yet.
    pub fn next_event(&mut self) -> Option<Event> {
        self.core.take_event()
    }

    /// Takes the end of a call; true if it has been counted in the closed state and a rule could open on it, but none has.
    pub(crate) fn end(&mut self, stamp: &Stamp, ended: Ended, now: Instant) -> bool {
        let finished = Finished::new(self.core.config(), stamp, ended, now);
        let in_time = match stamp.kind {
            Kind::Uncounted => return false,
            Kind::Shadow => true,
            Kind::Counted | Kind::Sample | Kind::Timed => {
                let current = stamp.epoch == Epoch::new(self.core.epoch());
                current && self.core.effective_mode(now) != Mode::Disabled
            }
            Kind::Probe | Kind::Recovering => self.change(now, |core| core.settle(stamp, finished, now)),
        };
        if !in_time {
            self.count(Line::Late, 1);
            return false;
        }
        self.count(finished.line(), 1);
        if finished.slow {
            self.count(Line::Slow, 1);
        }
        if let Some(took) = finished.took.filter(|_| finished.failure().is_some()) {
            self.tally.learn_failure(took);
        }
        if stamp.kind == Kind::Sample && finished.is_plain() {
            self.learn(finished.took.unwrap_or_default(), now);
        }
        stamp.is_counted() && self.counted(finished, now)
    }

    /// Learns from a plain success that took so long, before it is counted.
    pub(crate) fn learn(&mut self, took: Duration, now: Instant) {
        self.tally.learn(took, now);
    }

    /// Opens the closed circuit because a rule that the machine does not know has fired.
    pub(crate) fn trip(&mut self, epoch: Epoch, reason: Reason, hint: Option<Duration>, now: Instant) {
        let vitals = Vitals {
            traffic: self.tally.traffic(now),
            usual_latency: self.tally.usual_latency(),
            began: self.tally.trouble_began(),
        };
        if !self.core.trip(epoch, reason, vitals, hint, now) {
            self.tally.forget_excess(now);
        }
    }

    /// Counts plain successes that ended before [`Machine::turns_at`], in the closed phase that is, or was the last.
    pub(crate) fn successes(&mut self, calls: u64) {
        self.count(Line::Succeeded, calls);
        self.tally.successes(calls);
    }

    /// Takes note of the time, as each call that is counted does.
    pub(crate) fn turn(&mut self, now: Instant) {
        self.tally.turn(now);
    }

    /// Until when a plain success counts the same, whenever it ends; for ever where no rule asks for the time.
    pub(crate) fn turns_at(&self) -> Instant {
        self.tally.turns_at()
    }

    /// Reports whether every call is timed, because its duration can decide.
    pub(crate) fn times_all(&self) -> bool {
        let config = self.core.config();
        config.slow_after().is_some() || config.abandoned_after().is_some()
    }

    /// The window that people and their own rules are shown.
    pub(crate) fn window(&self, now: Instant) -> WindowSnapshot {
        WindowSnapshot::new(self.tally.rules(), &self.tally, now)
    }

    pub(crate) fn count(&mut self, line: Line, calls: u64) {
        self.ledger[line as usize] += calls;
    }

    pub(crate) fn count_rejected(&mut self, reason: RejectReason) {
        self.count(Line::Rejected, 1);
        if reason != RejectReason::Open {
            self.apart.get_or_insert_default().others.count(reason);
        }
    }

    /// How many calls have been rejected since this was last asked, with those that will be counted in a moment.
    pub(crate) fn newly_rejected(&mut self, uncounted: u64) -> u64 {
        let all = self.ledger[Line::Rejected as usize] + uncounted;
        all.saturating_sub(std::mem::replace(&mut self.apart.get_or_insert_default().told, all))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Changes the phases and begins new counts if a closed phase has begun.
    pub(crate) fn change<T>(&mut self, now: Instant, change: impl FnOnce(&mut Core) -> T) -> T {
        let epoch = self.core.epoch();
        let result = change(&mut self.core);
        if self.core.epoch() != epoch && self.core.state() == State::Closed {
            self.tally.begin(now);
        }
        result
    }

    /// Counts a call in the closed state and asks the rules; true if none of them has fired on what could have been it.
    fn counted(&mut self, finished: Finished, now: Instant) -> bool {
        let Some(call) = finished.counted() else { return false };
        self.tally.record(call, now);
        if call.failure.is_none() && !call.slow {
            return false;
        }
        let judged = self.tally.rules().judge(&self.tally, call.failure, call.slow, now);
        let Some(reason) = judged else { return true };
        self.trip(Epoch::new(self.core.epoch()), reason, finished.hint(), now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FailureRate, Window};

    #[test]
    fn a_success_counts_the_same_until_its_bucket_ends_and_for_ever_where_there_is_none() {
        let turns_at = |window| {
            let config = Config::without_rules().failure_rate(FailureRate::new(0.5).window(window));
            Machine::new("test", config, 1, Instant::ZERO).expect("within bounds").turns_at()
        };
        let tenth = Instant::ZERO.after(Duration::from_secs(1));
        assert_eq!(turns_at(Window::time(Duration::from_secs(10))), tenth, "there are ten buckets");
        assert_eq!(turns_at(Window::count(100)), Instant::FAR);
    }

    #[test]
    fn a_mode_that_was_set_for_good_outlasts_the_end_of_time() {
        let mut machine = Machine::new("test", Config::new(), 1, Instant::ZERO).expect("within bounds");
        for until in [None, Some(Instant::FAR)] {
            machine.set_mode(Mode::ForcedOpen, until, Instant::ZERO);
            assert_eq!(machine.mode(Instant::FAR), Mode::ForcedOpen);
            assert!(machine.admit(Instant::FAR).is_err());
        }
    }
}
