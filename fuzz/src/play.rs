//! Plays operations to both hearts, side by side, and keeps what must hold of their ledgers.

use std::time::Duration;

use tower_breaker::{Config, Instant, Mode, Outcome, State};

use crate::{
    heal::{LATEST, Limits, Past, Patient, heal},
    op::Op,
    subject::{Answer, Both},
};

/// How many calls come while all of them hang: an input should end within some milliseconds.
const MOST_SICK: u32 = 200;

/// Both hearts, and what this side knows of them.
pub struct Play {
    both: Both,
    now: Instant,
    /// The latest that the clock has ever shown.
    latest: Instant,
    under_way: Vec<Call>,
    names: u32,
    limits: Limits,
    past: Past,
    /// Calls that have ended and must stand in the ledger, and calls that were refused.
    ended: u64,
    refused: u64,
    /// Whether the mode that was set last counts nothing; it may have ended by itself.
    disabled: bool,
}

struct Call {
    name: String,
    began: Instant,
    counted: bool,
}

impl Play {
    /// The settings must be within their bounds.
    pub fn new(config: Config) -> Self {
        let both = Both::new(config, Mode::Auto).expect("the settings are within bounds");
        let mut limits = Limits::default();
        limits.add(&config);
        let (now, latest) = (Instant::ZERO, Instant::ZERO);
        Self {
            both,
            now,
            latest,
            under_way: Vec::new(),
            names: 0,
            limits,
            past: Past::default(),
            ended: 0,
            refused: 0,
            disabled: false,
        }
    }

    /// Lets one thing happen; panics where the two do not agree or the ledger does not add up.
    pub fn step(&mut self, op: &Op) {
        match *op {
            Op::Advance(by) => self.set_clock(self.now.after(by)),
            Op::Back(by) => self.set_clock(Instant::ZERO.after(self.now.since(Instant::ZERO.after(by)))),
            Op::Begin => {
                self.begin();
            }
            Op::End(at, outcome) => {
                if !self.under_way.is_empty() {
                    self.end(usize::from(at) % self.under_way.len(), outcome);
                }
            }
            Op::Many(times, outcome) => {
                for _ in 0..times {
                    self.call(outcome);
                }
            }
            Op::Mode(mode, lasting) => {
                self.disabled = mode == Mode::Disabled;
                self.both.set_mode(mode, lasting.map(|lasting| self.now.after(lasting)), self.now);
            }
            Op::Outage(probes) => {
                for _ in 0..probes {
                    self.set_clock(self.now.after(Duration::from_secs(61)));
                    self.call(tower_breaker::Failure::new().tripping().into());
                }
            }
            Op::Reconfigure(ref config) => {
                self.both.reconfigure(**config).expect("the settings are within bounds");
                self.limits.add(config);
            }
            Op::Reset => self.both.reset(),
        }
        self.both.agree().unwrap_or_else(|told| panic!("{told}"));
        self.both.take_events();
    }

    /// Gives other settings that are out of their bounds: they must be refused and change nothing.
    pub fn refuse(&mut self, config: Config) {
        let before = self.both.snapshot();
        self.both.reconfigure(config).expect_err("the settings are out of bounds");
        assert_eq!(before, self.both.snapshot(), "refused settings changed something");
        self.agree();
    }

    /// From now on no call ends: whatever was before, a half-open circuit does not wait for ever.
    pub fn sicken(&mut self, pace: u8) {
        if self.latest > LATEST {
            return;
        }
        self.agree();
        self.set_clock(self.latest);
        self.both.set_mode(Mode::Auto, None, self.now);
        self.disabled = false;
        let pace = self.limits.pace(pace);
        let (most, until) = (self.limits.longest_half_open(pace), self.now.after(self.limits.some_outages(pace)));
        let mut phase = (0, self.now);
        for _ in 0..MOST_SICK {
            if self.now >= until {
                break;
            }
            // A closed circuit lets them all hang, and there is nothing to see.
            let snapshot = self.both.snapshot();
            if snapshot.state == State::Closed {
                return;
            }
            if phase.0 != snapshot.epoch {
                phase = (snapshot.epoch, self.now);
            }
            let lasted = self.now.since(phase.1);
            let too_long = snapshot.state == State::HalfOpen && lasted > most;
            assert!(!too_long, "half-open for {lasted:?}, at most {most:?}: {:?}", self.limits);
            self.begin();
            // Now and not at the end: few are kept.
            self.both.take_events();
            self.set_clock(self.now.after(pace));
        }
        self.agree();
    }

    /// From now on the dependency is healthy: whatever hangs, the circuit closes in time.
    pub fn heal(mut self, pace: u8) {
        if self.latest > LATEST {
            return;
        }
        self.agree();
        self.set_clock(self.latest);
        self.both.set_mode(Mode::Auto, None, self.now);
        self.disabled = false;
        let (limits, past, now, pace) = (self.limits, self.past, self.now, self.limits.pace(pace));
        heal(&mut self, &limits, past, now, now, pace);
        self.agree();
        self.under_way.clear();
    }

    fn set_clock(&mut self, now: Instant) {
        self.now = now;
        self.latest = self.latest.max(now);
        self.both.set_clock(now);
    }

    fn begin(&mut self) -> bool {
        self.names += 1;
        let name = self.names.to_string();
        let counted = !self.disabled || self.both.snapshot().mode != Mode::Disabled;
        match self.both.begin(&name).unwrap_or_else(|told| panic!("{told}")) {
            Answer::Admitted => self.under_way.push(Call { name, began: self.now, counted }),
            Answer::Refused(rejection) => {
                self.refused += 1;
                self.past.rejected += 1;
                let back = self.latest.since(self.now);
                let wait = rejection.retry_after.unwrap_or_default();
                let forced = rejection.reason == tower_breaker::machine::RejectReason::Forced;
                assert!(forced || wait <= self.limits.wait + back, "come back in {wait:?}: {:?}", self.limits);
                return false;
            }
        }
        true
    }

    fn end(&mut self, at: usize, outcome: Option<Outcome>) {
        let call = self.under_way.swap_remove(at);
        self.both.end(&call.name, outcome).unwrap_or_else(|told| panic!("{told}"));
        self.ended += u64::from(call.counted);
        self.past.calls += 1;
        self.past.longest = self.past.longest.max(self.now.since(call.began));
    }

    /// A call that ends at once; reports whether it was let through.
    fn call(&mut self, outcome: Outcome) -> bool {
        let passes = self.begin();
        if passes {
            self.end(self.under_way.len() - 1, Some(outcome));
        }
        passes
    }

    /// Compares the two, and the ledger with what has been seen of the calls.
    fn agree(&mut self) {
        self.both.agree().unwrap_or_else(|told| panic!("{told}"));
        self.both.take_events();
        let ledger = self.both.snapshot().ledger;
        assert_eq!((ledger.ended(), ledger.rejected), (self.ended, self.refused), "(ended, refused): {ledger:?}");
    }
}

impl Patient for Play {
    fn call(&mut self, now: Instant) -> bool {
        self.set_clock(now);
        Self::call(self, Outcome::Success)
    }

    fn state(&mut self) -> State {
        self.both.snapshot().state
    }
}
