//! What all clones of a circuit share: the machine behind a lock, and what can be known without it.

use std::{fmt, time::Duration};

use crate::{
    circuit::{
        Rule, Stripe,
        gate::Gate,
        outbox::Outbox,
        rule,
        stripes::{Open, Stripes},
        waiters::Waiters,
        word::{AtomicWord, Lane},
    },
    clock::{COARSENESS, Clock},
    config::{Config, ConfigError},
    machine::{Core, Ended, Kind, Machine, RejectReason, Rejection, Snapshot, Stamp},
    observe::Observer,
    outcome::Outcome,
    state::{Mode, State},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Instant, nanos},
};

/// What all clones of a circuit share.
///
/// Lock order: the phases, then the outbox. The list of waiters is locked alone.
pub(crate) struct Shared {
    word: AtomicWord,
    /// Until when a plain success needs no lock, nanoseconds. Written under the lock.
    turns_at: AtomicU64,
    /// Whether the coarse time is good enough to tell it: if no bucket is narrower than ten times what it may be wrong.
    coarse: AtomicBool,
    /// The duration above which a call is slow, nanoseconds. Written under the lock.
    slow_after: AtomicU64,
    inner: Mutex<Inner>,
    pub(super) waiters: Waiters,
    pub(super) outbox: Outbox,
    rules: Vec<Arc<dyn Rule>>,
    clock: Arc<dyn Clock>,
    name: Arc<str>,
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
    pub(super) fn new(
        name: Arc<str>,
        config: Config,
        seed: u64,
        clock: Arc<dyn Clock>,
        observers: Vec<Arc<dyn Observer>>,
        rules: Vec<Arc<dyn Rule>>,
    ) -> Self {
        let machine = Machine::with_rules(Arc::clone(&name), config, seed, !rules.is_empty(), clock.now());
        let shared = Self {
            word: AtomicWord::new(machine.core()),
            turns_at: AtomicU64::new(0),
            coarse: AtomicBool::new(false),
            slow_after: AtomicU64::new(0),
            inner: Mutex::new(Inner { machine, stripes: Stripes::default() }),
            waiters: Waiters::default(),
            outbox: Outbox::new(observers),
            rules,
            clock,
            name,
        };
        shared.publish(&mut shared.inner.lock());
        shared
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[inline]
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Until when a plain success needs no lock; for ever where no rule asks for the time.
    #[inline]
    pub(super) fn turns_at(&self) -> Instant {
        // Relaxed: the gate decides whether the success counts; this only in which bucket, and buckets are that fuzzy
        // among threads.
        Instant::from_nanos(self.turns_at.load(Ordering::Relaxed))
    }

    /// The time of a plain success.
    #[inline]
    pub(super) fn time_of_success(&self) -> Instant {
        if self.coarse.load(Ordering::Relaxed) { self.clock.coarse_now() } else { self.clock.now() }
    }

    #[inline]
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        // Relaxed: a call that ends while the settings change is judged by either.
        nanos(took) > self.slow_after.load(Ordering::Relaxed)
    }

    /// Puts a new stripe into `place`, unless another thread has been faster.
    #[cold]
    pub(super) fn add_stripe(self: &Arc<Self>, place: &OnceLock<Arc<Stripe>>) {
        let mut inner = self.inner.lock();
        let Inner { machine, stripes } = &mut *inner;
        // Under the lock, so that it cannot miss the opening or the closing of the gates.
        let stripe = place.get_or_init(|| Arc::new(Stripe::new(self, Gate::closed())));
        stripes.add(stripe, machine);
    }

    /// Answers a call that found its gate closed.
    #[cold]
    pub(super) fn admit(&self, stripe: &Stripe) -> Result<Stamp, Rejection> {
        let word = self.word.load();
        match word.lane() {
            // The machine counts what it rejects; this it does not see.
            Lane::Wait => self.wait().inspect_err(|_| stripe.count_rejected())?,
            Lane::Pass => {
                return Ok(Stamp { epoch: word.epoch(), kind: Kind::Uncounted, started: None, sample: false });
            }
            Lane::Ask | Lane::Count => {}
        }
        let now = self.clock.now();
        self.change(|machine| machine.admit(now))
    }

    /// Answers as [`Shared::admit`] would, without admitting a call. Transitions that are due are made.
    #[inline]
    pub(super) fn would_admit(&self) -> Result<(), Rejection> {
        match self.word.load().lane() {
            Lane::Count | Lane::Pass => Ok(()),
            Lane::Ask => {
                let now = self.clock.now();
                self.change(|machine| machine.change(now, |core| core.look(now)))
            }
            Lane::Wait => self.wait(),
        }
    }

    /// Rejects a call while the circuit is open and no probe is due, without the lock.
    fn wait(&self) -> Result<(), Rejection> {
        let next_probe = self.word.next_probe();
        let mut now = self.clock.coarse_now();
        // Near the end only the exact time will do: whoever comes back when told to must not be told to wait again.
        if now.after(COARSENESS) >= next_probe {
            now = self.clock.now();
        }
        if now >= next_probe {
            return Ok(());
        }
        Err(Rejection { state: State::Open, reason: RejectReason::Open, retry_after: Some(next_probe.since(now)) })
    }

    /// Takes the end of a call that the machine must know of.
    pub(super) fn settle(&self, stamp: &Stamp, ended: Ended) {
        match stamp.kind {
            Kind::Uncounted => return,
            Kind::Counted | Kind::Probe(_) | Kind::Recovering(_) | Kind::Shadow => {}
        }
        let now = self.clock.now();
        let window = self.change(|machine| {
            let undecided = machine.end(stamp, ended, now);
            (undecided && !self.rules.is_empty()).then(|| machine.window(now))
        });
        if matches!(stamp.kind, Kind::Probe(_) | Kind::Recovering(_)) {
            // A slot is free.
            self.waiters.wake_all();
        }
        let Some(reason) = window.and_then(|window| rule::judge(&self.rules, &window)) else { return };
        let hint = match ended.outcome() {
            Some(Outcome::Failure(failure)) => failure.hint(),
            Some(Outcome::Ignored | Outcome::Success) | None => None,
        };
        self.change(|machine| machine.trip(stamp.epoch, reason, hint, now));
    }

    /// Takes note that a new bucket begins. Whoever finds the lock taken need not wait: its call counts in the old one.
    #[cold]
    pub(super) fn turn(&self) {
        let now = self.clock.now();
        let Some(mut inner) = self.inner.try_lock() else { return };
        inner.fold();
        inner.machine.turn(now);
        self.publish(&mut inner);
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
            self.outbox.deliver();
        }
        result
    }

    /// Makes known without the lock what can be. Called under it.
    fn publish(&self, inner: &mut Inner) {
        let Inner { machine, stripes } = inner;
        let slow_after = machine.core().config().slow_after().map_or(u64::MAX, nanos);
        self.slow_after.store(slow_after, Ordering::Relaxed);
        self.coarse.store(machine.tally().rules().narrowest_bucket() >= Some(10 * COARSENESS), Ordering::Relaxed);
        self.turns_at.store(machine.turns_at().as_nanos(), Ordering::Relaxed);
        let word = self.word.publish(machine.core());
        let open = Open { epoch: word.epoch(), timed: machine.times_all() };
        stripes.set((word.lane() == Lane::Count).then_some(open), machine);
    }

    /// Changes what an operator may change. Whoever waits looks again, whether or not it was an event.
    fn operate<T>(&self, operate: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let now = self.clock.now();
        let result = self.change(|machine| operate(machine, now));
        self.waiters.wake_all();
        result
    }

    pub(super) fn set_mode(&self, mode: Mode, lasting: Option<Duration>) {
        self.operate(|machine, now| machine.set_mode(mode, lasting.map(|lasting| now.after(lasting)), now));
    }

    pub(super) fn reset(&self) {
        self.operate(Machine::reset);
    }

    pub(super) fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.operate(|machine, now| machine.reconfigure(config, now))
    }

    pub(super) fn config(&self) -> Config {
        *self.inner.lock().machine.core().config()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        // The clock is the user's and is not read under the lock. A transition that comes before the lock is dated later
        // than this; durations saturate.
        let now = self.clock.now();
        let inner = &mut *self.inner.lock();
        inner.fold();
        inner.stripes.take_lines(&mut inner.machine);
        inner.machine.snapshot(now)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Core, Instant) -> T) -> T {
        let now = self.clock.now();
        read(self.inner.lock().machine.core(), now)
    }
}

/// Takes no lock, so that a circuit can be printed anywhere.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("name", &self.name).field("word", &self.word.load()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::{
        circuit::Circuit,
        clock::Sleep,
        config::{FailureRate, Window},
        outcome::Failure,
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[derive(Debug, Default)]
    struct Time(AtomicU64);

    impl Clock for Arc<Time> {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.load(Ordering::Relaxed))
        }

        fn sleep_until(&self, _: Instant) -> Sleep {
            Box::pin(std::future::pending())
        }
    }

    /// Runs `calls` while another thread stands still with the lock in its hand.
    fn while_locked(circuit: &Circuit, calls: impl FnOnce()) {
        let ((locked, is_locked), (done, is_done)) = (mpsc::channel(), mpsc::channel());
        thread::scope(|scope| {
            let holder = scope.spawn(move || {
                let _guard = circuit.0.shared.inner.lock();
                locked.send(()).expect("it is waited for");
                // Lets go in the end, so that a call that waits for it fails and does not hang.
                is_done.recv_timeout(10 * SECOND)
            });
            is_locked.recv().expect("it is sent");
            calls();
            // The holder may have given up.
            let _ = done.send(());
            holder.join().expect("it does not panic").expect("the calls did not wait for the lock");
        });
    }

    #[test]
    fn a_thread_that_stops_with_the_lock_stops_no_healthy_call() {
        let time = Arc::new(Time::default());
        let rate = FailureRate::new(0.5).window(Window::time(10 * SECOND));
        let builder = Circuit::builder("test").config(Config::without_rules().failure_rate(rate));
        let circuit = builder.clock(Arc::clone(&time)).build().expect("within bounds");
        let acquire = || circuit.try_acquire().expect("closed");
        // The first call of a thread takes the lock, for its stripe and as a sample of the latency.
        acquire().record(Outcome::Success);
        while_locked(&circuit, || {
            acquire().record(Outcome::Success);
            acquire().record(Outcome::Ignored);
            drop(acquire());
            circuit.check().expect("closed");
            // A new bucket begins, and waits for the lock to be free.
            time.0.store(5_000_000_000, Ordering::Relaxed);
            acquire().record(Outcome::Success);
            drop(format!("{circuit:?}"));
        });
        assert_eq!(circuit.snapshot().ledger.ended(), 5);
    }

    #[test]
    fn a_thread_that_stops_with_the_lock_stops_no_rejection() {
        let circuit = Circuit::builder("test").clock(Arc::<Time>::default()).build().expect("within bounds");
        circuit.try_acquire().expect("closed").record(Failure::new().tripping());
        while_locked(&circuit, || {
            circuit.try_acquire().expect_err("open");
            circuit.check().expect_err("open");
        });
        circuit.disable();
        while_locked(&circuit, || circuit.try_acquire().expect("disabled").record(Outcome::failure()));
    }
}
