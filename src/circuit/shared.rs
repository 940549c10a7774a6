//! What all clones of a circuit share: the machine behind a lock, and what can be known without it.

mod told;

use std::{fmt, time::Duration};

use crate::{
    circuit::{
        Rule, Stripe, Tags,
        board::Board,
        gate::Gate,
        outbox::{Outbox, isolated},
        rule,
        stripes::Stripes,
        waiters::Waiters,
        word::Lane,
    },
    clock::AnyClock,
    config::{Config, ConfigError},
    machine::{Core, Ended, Epoch, Event, Kind, Machine, Reason, RejectReason, Rejection, Settings, Snapshot, Stamp},
    observe::{self, Key, Observer},
    outcome::Outcome,
    state::{Giver, Mode, State},
    sync::{Arc, Mutex, OnceLock},
    time::{Instant, Nanos},
};

/// What all clones of a circuit share.
///
/// Lock order: the phases, then the outbox. The list of waiters is locked alone.
///
/// In this order in memory (`repr(C)`): what calls read without the lock comes first and the lock last, so that who takes it
/// does not take the line from those who read. Between them stands what is seldom written.
#[repr(C)]
pub(crate) struct Shared {
    board: Board,
    clock: AnyClock,
    name: Arc<str>,
    users: Option<Box<Users>>,
    pub(super) outbox: Outbox<Event>,
    pub(super) waiters: Waiters,
    turn_to_speak: told::Turn,
    inner: Mutex<Inner>,
}

/// The code of the user's that a circuit runs, the key of a circuit that is one of many, and what it is tagged with.
#[derive(Default)]
pub(super) struct Users {
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) rules: Vec<Arc<dyn Rule>>,
    pub(super) key: Option<Arc<Key>>,
    pub(super) tags: Tags,
}

/// The machine, and the gates that let healthy calls pass by it.
///
/// invariant: whenever the lock is free, the gates are open just if the word says [`Lane::Count`].
struct Inner {
    machine: Machine,
    stripes: Stripes,
}

impl Inner {
    /// What passed by the machine comes before all else.
    fn fold(&mut self) {
        self.stripes.fold(&mut self.machine);
    }
}

impl Shared {
    /// `config` has been checked.
    pub(super) fn new(name: Arc<str>, config: Config, seed: u64, clock: AnyClock, users: Users) -> Self {
        let settings = Settings::new(config, !users.rules.is_empty());
        let has_users = users.key.is_some() || !users.tags.is_empty();
        let has_users = has_users || !users.rules.is_empty() || !users.observers.is_empty();
        let machine = Machine::with(Arc::clone(&name), settings, seed, clock.now());
        let shared = Self {
            board: Board::new(machine.core()),
            inner: Mutex::new(Inner { machine, stripes: Stripes::default() }),
            waiters: Waiters::default(),
            outbox: Outbox::default(),
            turn_to_speak: told::Turn::default(),
            users: has_users.then(|| Box::new(users)),
            clock,
            name,
        };
        shared.publish(&mut shared.inner.lock());
        shared
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The key that it is for, if it is one of many.
    #[cfg(feature = "dashboard")]
    pub(super) fn key(&self) -> Option<&Key> {
        self.users.as_ref()?.key.as_deref()
    }

    pub(super) fn tags(&self) -> Tags {
        self.users.as_ref().map(|users| users.tags.clone()).unwrap_or_default()
    }

    fn rules(&self) -> &[Arc<dyn Rule>] {
        self.users.as_ref().map_or(&[], |users| &users.rules)
    }

    pub(super) fn clock(&self) -> &AnyClock {
        &self.clock
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// Takes note of the time of a plain success of this phase: a new bucket may begin.
    #[inline]
    pub(super) fn keep_time(&self, epoch: Epoch) {
        if self.board.bucket_is_over(&self.clock) {
            self.turn(epoch);
        }
    }

    /// Puts a new stripe into `place`, unless another thread has been faster.
    #[cold]
    pub(super) fn add_stripe(self: &Arc<Self>, place: &OnceLock<Arc<Stripe>>) {
        let mut inner = self.inner.lock();
        let Inner { machine, stripes } = &mut *inner;
        // Under the lock, so that it cannot miss the opening or the closing of the gates.
        let name = || if stripes.is_empty() { Arc::clone(&self.name) } else { Arc::from(&*self.name) };
        let stripe = place.get_or_init(|| Arc::new(Stripe::new(self, name(), Gate::closed())));
        stripes.add(stripe, machine);
    }

    /// Answers a call that found its gate closed.
    #[cold]
    pub(super) fn admit(&self, stripe: &Stripe) -> Result<Stamp, Rejection> {
        let word = self.board.word();
        match word.lane() {
            Lane::Wait => {
                if let Some(wait) = self.board.coarse_wait().or_else(|| self.reject_exactly()) {
                    // The machine counts what it rejects; this it does not see.
                    stripe.count_rejected();
                    return Err(open_for(wait));
                }
            }
            Lane::Pass => return Ok(Stamp::untimed(word.epoch(), Kind::Uncounted)),
            Lane::Ask | Lane::Count => {}
        }
        let now = self.clock.now();
        let answer = self.change(|machine| machine.admit(now));
        if observe::is_heard() {
            // A panic of a subscriber must not take the slot of a probe with it.
            isolated(|| self.tell_answer(&answer));
        }
        answer
    }

    /// The phase.
    pub(super) fn epoch(&self) -> Epoch {
        self.board.word().epoch()
    }

    /// Reports whether a caller should ask what is below for its readiness: not while the circuit is open. Whether a probe is
    /// due is left to its call, so that the clock is read once for both.
    pub(super) fn wants_readiness(&self) -> bool {
        let word = self.board.word();
        word.passes() || !word.waits() && self.would_admit().is_ok()
    }

    /// Answers as [`Shared::admit`] would, without admitting a call. Transitions that are due are made.
    #[cold]
    #[inline(never)]
    pub(super) fn would_admit(&self) -> Result<(), Rejection> {
        match self.board.word().lane() {
            Lane::Count | Lane::Pass => Ok(()),
            Lane::Ask => {
                let now = self.clock.now();
                self.change(|machine| machine.change(now, |core| core.look(now)))
            }
            Lane::Wait => self.wait().map_or(Ok(()), |wait| Err(open_for(wait))),
        }
    }

    /// How long it is until the next probe, exactly; none if one is due.
    #[inline(never)]
    fn wait(&self) -> Option<Nanos> {
        let (now, next_probe) = (self.clock.now(), self.board.next_probe());
        (now < next_probe).then(|| Nanos(next_probe.as_nanos() - now.as_nanos()))
    }

    /// Takes the end of a call that the machine must know of.
    pub(super) fn settle(&self, stamp: &Stamp, ended: Ended) {
        let now = self.clock.now();
        let window = self.change(|machine| {
            let undecided = machine.end(stamp, ended, now);
            (undecided && !self.rules().is_empty()).then(|| machine.window(now))
        });
        if matches!(stamp.kind, Kind::Probe | Kind::Recovering) {
            // A slot is free.
            self.waiters.wake_all();
        }
        let Some(reason) = window.and_then(|window| rule::judge(self.rules(), &window)) else { return };
        let hint = match ended.outcome() {
            Some(Outcome::Failure(failure)) => failure.hint(),
            Some(Outcome::Ignored | Outcome::Success) | None => None,
        };
        self.change(|machine| machine.trip(stamp.epoch, reason, hint, now));
    }

    /// Takes note that a new bucket begins. Whoever finds the lock taken need not wait: its call counts in the old one.
    #[cold]
    #[inline(never)]
    fn turn(&self, epoch: Epoch) {
        let now = self.clock.now();
        self.tell(epoch, Inner::fold, |machine| machine.turn(now));
    }

    /// Learns from a success of this phase that took so long, or not if the lock is taken.
    ///
    /// What others have counted is left at their gates: they learn from a call of their own as often, and to look at a gate
    /// takes it from its thread.
    pub(super) fn learn(&self, stripe: &Stripe, epoch: Epoch, took: Duration, now: Instant) {
        let fold = |inner: &mut Inner| inner.stripes.fold_one(stripe, &mut inner.machine);
        self.tell(epoch, fold, |machine| machine.learn(took, now));
    }

    /// Tells the machine what changes no phase, if it is the time for it and nobody is in the way.
    fn tell(&self, epoch: Epoch, fold: impl FnOnce(&mut Inner), tell: impl FnOnce(&mut Machine)) {
        let Some(mut inner) = self.inner.try_lock() else { return };
        // What comes too late begins nothing.
        if inner.stripes.are_open_for(epoch) {
            fold(&mut inner);
            tell(&mut inner.machine);
            self.publish(&mut inner);
        }
    }

    /// Changes the machine: the one place that locks it to write. Whoever waits is woken, and events go out, afterwards.
    fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let (result, changed) = {
            let mut inner = self.inner.lock();
            inner.fold();
            let result = change(&mut inner.machine);
            self.publish(&mut inner);
            let changed = inner.machine.core().has_events();
            if changed {
                self.outbox.push(std::iter::from_fn(|| inner.machine.next_event()));
            }
            (result, changed)
        };
        if changed {
            self.waiters.wake_all();
            self.outbox.deliver_to(self.users.as_deref());
        }
        result
    }

    /// Makes known without the lock what can be. Called under it.
    fn publish(&self, inner: &mut Inner) {
        let Inner { machine, stripes } = inner;
        let open = self.board.publish(machine, &self.clock);
        stripes.set(open, machine);
    }

    /// Changes what an operator may change. Whoever waits looks again, whether or not it was an event.
    pub(super) fn operate<T>(&self, operate: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let now = self.clock.now();
        let result = self.change(|machine| operate(machine, now));
        self.waiters.wake_all();
        result
    }

    pub(super) fn set_mode(&self, mode: Mode, lasting: Option<Duration>) {
        self.operate(|machine, now| machine.set_mode(mode, lasting.map(|lasting| now.after(lasting)), now));
    }

    /// Takes note that a call has leave and has not begun.
    pub(super) fn reserve(&self, stamp: &Stamp) {
        let now = self.clock.now();
        self.change(|machine| machine.change(now, |core| core.reserve(stamp, now)));
    }

    /// Takes note that it begins; false if the leave is over.
    pub(super) fn begin(&self, stamp: &mut Stamp) -> bool {
        let now = self.clock.now();
        self.change(|machine| machine.change(now, |core| core.begin(stamp, now)))
    }

    pub(super) fn give_mode(&self, mode: Mode, giver: Giver) {
        self.operate(|machine, now| machine.change(now, |core| core.give_mode(mode, giver, now)));
    }

    /// Opens the circuit, if it is closed, because somebody says so.
    pub(super) fn trip(&self, said: Arc<str>) {
        let now = self.clock.now();
        self.change(|machine| {
            let epoch = Epoch::new(machine.core().epoch());
            machine.trip(epoch, Reason::Custom { said }, None, now);
        });
    }

    pub(super) fn reset(&self) {
        self.operate(Machine::reset);
    }

    pub(super) fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        let settings = Settings::new(config, !self.rules().is_empty());
        self.operate(|machine, now| machine.replace(settings, now));
        Ok(())
    }

    pub(super) fn config(&self) -> Config {
        self.look(|core| *core.config())
    }

    /// Looks at it under the lock; no code of the user's may run there.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Core) -> T) -> T {
        look(self.inner.lock().machine.core())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        // The clock is the user's and is not read under the lock. A transition that comes before the lock is dated later
        // than this; durations saturate.
        self.snapshot_at(self.clock.now())
    }

    /// The same at a time that was read before; no code of the user's runs here.
    pub(super) fn snapshot_at(&self, now: Instant) -> Snapshot {
        let inner = &mut *self.inner.lock();
        inner.fold();
        inner.stripes.take_lines(&mut inner.machine);
        inner.machine.snapshot(now)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Core, Instant) -> T) -> T {
        let now = self.clock.now();
        self.look(|core| read(core, now))
    }
}

fn open_for(wait: Nanos) -> Rejection {
    Rejection { state: State::Open, reason: RejectReason::Open, retry_after: Some(wait.into()) }
}

/// Takes no lock, so that a circuit can be printed anywhere.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("name", &self.name).field("word", &self.board.word()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
