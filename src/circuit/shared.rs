//! What all clones of a circuit share: the fast path in atomics, the phases behind a lock.

use std::{fmt, time::Duration};

use crate::{
    circuit::{
        Rule,
        outbox::Outbox,
        rule,
        tally::Tally,
        waiters::Waiters,
        word::{AtomicWord, Lane},
    },
    clock::Clock,
    config::{Config, ConfigError},
    machine::{
        Core, Counts, Ended, Finished, Kind, Ledger, Line, Reason, RejectReason, Rejection, Rules, Snapshot, Stamp,
        Vitals, WindowSnapshot,
    },
    observe::Observer,
    rejected::Rejected,
    state::{Mode, State},
    sync::{
        Arc, Mutex, Swap,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// What all clones of a circuit share.
///
/// Lock order: the phases, then the outbox. The list of waiters is locked alone.
pub(crate) struct Shared {
    word: AtomicWord,
    /// The settings and what is counted by them; swapped as a whole.
    live: Swap<Live>,
    /// Relaxed everywhere: lines that only grow, read for people.
    ledger: [AtomicU64; Line::COUNT],
    core: Mutex<Core>,
    pub(super) waiters: Waiters,
    pub(super) outbox: Outbox,
    rules: Vec<Arc<dyn Rule>>,
    clock: Arc<dyn Clock>,
    name: Arc<str>,
}

struct Live {
    config: Config,
    tally: Tally,
    /// Whether every call is timed, because its duration can decide.
    timed: bool,
}

impl Live {
    fn new(config: Config, tally: Tally) -> Self {
        let timed = config.slow_after().is_some() || config.abandoned_after().is_some();
        Self { config, tally, timed }
    }

    /// Whether the next call is timed, for a rule or as a sample.
    fn times_next(&self) -> bool {
        self.tally.take_sample() || self.timed
    }
}

impl Shared {
    /// `config` has been checked.
    pub(super) fn new(
        name: Arc<str>,
        config: Config,
        seed: u64,
        clock: Arc<dyn Clock>,
        observers: Vec<Arc<dyn Observer>>,
        rules: Vec<Arc<dyn Rule>>,
    ) -> Self {
        let now = clock.now();
        let tally = Tally::new(Rules::new(&config, !rules.is_empty()), now);
        let core = Core::new(Arc::clone(&name), config, seed, now);
        tally.begin(core.closed_epoch(), now);
        Self {
            word: AtomicWord::new(&core),
            live: Swap::new(Live::new(config, tally)),
            ledger: [const { AtomicU64::new(0) }; Line::COUNT],
            core: Mutex::new(core),
            waiters: Waiters::default(),
            outbox: Outbox::new(observers),
            rules,
            clock,
            name,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Answers a call. In the closed state: one load of the word, and the clock only where a duration is asked for.
    pub(super) fn admit(&self) -> Result<Stamp, Rejected> {
        let word = self.word.load();
        match word.lane() {
            Lane::Count => {
                let timed = self.live.load().times_next();
                let started = timed.then(|| self.clock.now());
                return Ok(Stamp { epoch: word.epoch(), kind: Kind::Counted, started });
            }
            Lane::Pass => return Ok(Stamp { epoch: word.epoch(), kind: Kind::Uncounted, started: None }),
            Lane::Ask | Lane::Wait => {}
        }
        let now = self.clock.now();
        let answer = if word.lane() == Lane::Wait && now < self.word.next_probe() {
            Err(self.waiting(now))
        } else {
            self.change(now, |core| core.admit(now))
        };
        match answer {
            Ok(mut stamp) => {
                if stamp.kind == Kind::Shadow {
                    self.count(Line::WouldReject);
                }
                // Closed by this very call.
                if stamp.kind == Kind::Counted && !self.live.load().times_next() {
                    stamp.started = None;
                }
                Ok(stamp)
            }
            Err(rejection) => {
                self.count(Line::Rejected);
                Err(self.rejected(rejection))
            }
        }
    }

    /// Answers as [`Shared::admit`] would, without admitting a call. Transitions that are due are made.
    pub(super) fn would_admit(&self) -> Result<(), Rejected> {
        let word = self.word.load();
        let answer = match word.lane() {
            Lane::Count | Lane::Pass => return Ok(()),
            Lane::Ask => {
                let now = self.clock.now();
                self.change(now, |core| core.look(now))
            }
            Lane::Wait => {
                let now = self.clock.now();
                if now < self.word.next_probe() { Err(self.waiting(now)) } else { Ok(()) }
            }
        };
        answer.map_err(|rejection| self.rejected(rejection))
    }

    /// Takes the end of a call.
    pub(super) fn settle(&self, stamp: Stamp, ended: Ended) {
        if stamp.kind == Kind::Uncounted {
            return;
        }
        let live = self.live.load();
        let needs_time = stamp.started.is_some() || live.tally.rules().success_needs_time();
        let plain = !needs_time && !ended.is_failure();
        // Where no rule needs the time, a success takes none.
        let now = if plain { Instant::ZERO } else { self.clock.now() };
        let took = stamp.started.map(|started| now.since(started));
        let finished = Finished::new(&live.config, ended, took);
        let in_time = match stamp.kind {
            Kind::Counted => self.still_counts(&stamp),
            Kind::Shadow | Kind::Uncounted => true,
            Kind::Probe(_) | Kind::Recovering(_) => {
                let in_time = self.change(now, |core| core.settle(&stamp, finished, now));
                // A slot is free.
                self.waiters.wake_all();
                in_time
            }
        };
        if !in_time {
            return self.count(Line::Late);
        }
        self.count(finished.line());
        if finished.slow {
            self.count(Line::Slow);
        }
        if stamp.kind == Kind::Counted {
            self.counted(&live, stamp.epoch, finished, now);
        }
    }

    /// Whether a call that was admitted in a closed phase ends in it, and not while the circuit is disabled.
    fn still_counts(&self, stamp: &Stamp) -> bool {
        let word = self.word.load();
        let enabled = || self.read(|core, now| core.effective_mode(now) != Mode::Disabled);
        word.epoch() == stamp.epoch && (word.lane() == Lane::Count || enabled())
    }

    /// Counts a call in the closed state and asks the rules.
    fn counted(&self, live: &Live, epoch: u64, finished: Finished, now: Instant) {
        let Some(call) = finished.counted() else { return };
        let tally = &live.tally;
        tally.record(epoch, call, now);
        if call.failure.is_none() && !call.slow {
            return;
        }
        let counts = tally.of(epoch);
        let own = || rule::judge(&self.rules, &WindowSnapshot::new(tally.rules(), &counts, now));
        let judged = tally.rules().judge(&counts, call.failure, call.slow, now);
        let Some(reason) = judged.or_else(|| if self.rules.is_empty() { None } else { own() }) else { return };
        let vitals = Vitals { traffic: counts.traffic(now), usual_latency: tally.usual_latency() };
        if !self.trip(epoch, reason, vitals, finished, now) {
            tally.forget_excess(epoch, now);
        }
    }

    #[cold]
    fn trip(&self, epoch: u64, reason: Reason, vitals: Vitals, finished: Finished, now: Instant) -> bool {
        self.change(now, |core| core.trip(epoch, reason, vitals, finished.hint(), now))
    }

    /// Changes the phases: the one place that locks them to write. Whoever waits is woken, and events go out, afterwards.
    pub(super) fn change<T>(&self, now: Instant, change: impl FnOnce(&mut Core) -> T) -> T {
        let (result, changed) = {
            let mut core = self.core.lock();
            let epoch = core.epoch();
            let result = change(&mut core);
            if core.epoch() != epoch && core.state() == State::Closed {
                self.live.load().tally.begin(core.epoch(), now);
            }
            self.word.publish(&core);
            let changed = core.has_events();
            if changed {
                self.outbox.push(std::iter::from_fn(|| core.take_event()));
            }
            (result, changed)
        };
        if changed {
            self.waiters.wake_all();
            self.outbox.deliver();
        }
        result
    }

    /// Changes what an operator may change. Whoever waits looks again, whether or not it was an event.
    fn operate(&self, operate: impl FnOnce(&mut Core, Instant)) {
        let now = self.clock.now();
        self.change(now, |core| operate(core, now));
        self.waiters.wake_all();
    }

    pub(super) fn set_mode(&self, mode: Mode, lasting: Option<Duration>) {
        self.operate(|core, now| core.set_mode(mode, lasting.map(|lasting| now.after(lasting)), now));
    }

    pub(super) fn reset(&self) {
        self.operate(|core, now| {
            core.reset(now);
            self.live.load().tally.forget_latency();
        });
    }

    pub(super) fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        self.operate(|core, now| {
            core.reconfigure(config);
            let rules = Rules::new(&config, !self.rules.is_empty());
            let tally = self.live.load().tally.with_rules(rules, core.closed_epoch(), now);
            self.live.store(Live::new(config, tally));
        });
        Ok(())
    }

    pub(super) fn config(&self) -> Config {
        self.live.load().config
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        // The clock is the user's and is not read under the lock. A transition that comes before the lock is dated later
        // than this; durations saturate.
        let now = self.clock.now();
        let core = self.core.lock();
        let live = self.live.load();
        let ledger = Ledger::read(|line| self.ledger[line as usize].load(Ordering::Relaxed));
        Snapshot::new(&core, live.tally.rules(), &live.tally.of(core.closed_epoch()), ledger, now)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Core, Instant) -> T) -> T {
        let now = self.clock.now();
        read(&self.core.lock(), now)
    }

    /// The rejection of an open circuit, made without the lock.
    fn waiting(&self, now: Instant) -> Rejection {
        let retry_after = Some(self.word.next_probe().since(now));
        Rejection { state: State::Open, reason: RejectReason::Open, retry_after }
    }

    pub(super) fn rejected(&self, rejection: Rejection) -> Rejected {
        Rejected::new(Arc::clone(&self.name), rejection)
    }

    pub(super) fn count(&self, line: Line) {
        self.ledger[line as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes no lock, so that a circuit can be printed anywhere.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("name", &self.name).field("word", &self.word.load()).finish_non_exhaustive()
    }
}
