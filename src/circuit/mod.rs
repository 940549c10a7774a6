//! The state of one dependency, shared by everybody who calls it. Usable without tower.
//!
//! ```
//! use tower_breaker::{Circuit, Config, Outcome, State, config::Consecutive};
//!
//! let circuit = Circuit::builder("payments")
//!     .config(Config::new().consecutive_failures(Consecutive::new(3)))
//!     .build()?;
//!
//! for _ in 0..3 {
//!     let permit = circuit.try_acquire().expect("closed");
//!     // … the call …
//!     permit.record(Outcome::failure());
//! }
//! assert_eq!(circuit.state(), State::Open);
//! assert!(circuit.explain().starts_with("open: 3 failures in a row"));
//!
//! let rejected = circuit.try_acquire().unwrap_err();
//! println!("{rejected}"); // circuit `payments` is open, retry after 187.3ms
//! # Ok::<(), tower_breaker::ConfigError>(())
//! ```
//!
//! A [`Circuit`] is cheap to clone, and a clone is the same circuit. In the closed state a call that succeeds takes no lock and
//! allocates nothing; it reads the clock once, or not at all where no rule asks for the time. Everything else takes a lock for
//! as long as it takes to change a few numbers; no code of yours ever runs under it.

mod board;
mod builder;
mod call;
mod gate;
mod group;
#[cfg(feature = "dashboard")]
mod identity;
#[cfg(feature = "keyed")]
mod kept;
mod outbox;
mod permit;
mod refuse;
mod rule;
mod saved;
mod shared;
mod stripe;
mod stripes;
mod tags;
mod waiters;
mod word;

pub use self::{
    builder::Builder,
    call::CallError,
    group::Group,
    outbox::{Events, Missed},
    permit::Permit,
    rule::Rule,
    saved::Saved,
    tags::Tags,
};
#[cfg(feature = "keyed")]
pub(crate) use self::{
    kept::Gone,
    outbox::{Outbox, isolated},
    saved::age,
};
use self::{shared::Shared, stripe::Stripe};
pub(crate) use self::{waiters::Waiter, word::Word};

use std::{fmt, future::poll_fn, task::Poll, time::Duration};

use crate::{
    clock::Sleep,
    config::{Config, ConfigError},
    machine::Snapshot,
    outcome::Outcome,
    rejected::Rejected,
    state::{Giver, Mode, State},
    sync::{Arc, OnceLock, number_thread, thread_number, threads},
};

/// The state of one dependency. Clones are the same circuit. See the [module docs](self) for an example.
#[derive(Clone)]
pub struct Circuit(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    /// A place for the stripe of each thread number; the first stays empty, for threads that have none.
    stripes: Box<[OnceLock<Arc<Stripe>>]>,
}

impl From<Shared> for Circuit {
    fn from(shared: Shared) -> Self {
        let stripes = (0..=threads()).map(|_| OnceLock::new()).collect();
        Self(Arc::new(Handle { shared: Arc::new(shared), stripes }))
    }
}

impl Circuit {
    /// Begins a circuit; the name stands in its errors, events and metrics.
    pub fn builder(name: impl Into<Arc<str>>) -> Builder {
        Builder::new(name.into())
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.shared.name()
    }

    /// Asks for leave to make one call.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if no call may pass now; it says when to come back. Do not make the call then.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        let stripe = self.stripe();
        let stamp = stripe.enter().map_or_else(|| stripe.look_closer(), Ok);
        stamp.map(|stamp| Permit::new(Arc::clone(stripe), stamp))
    }

    /// Reports whether a call would pass now, without making it one.
    ///
    /// # Errors
    ///
    /// [`Rejected`] as [`Circuit::try_acquire`] would return it. Nothing is counted.
    pub fn check(&self) -> Result<(), Rejected> {
        self.0.shared.would_admit().map_err(|rejection| self.stripe().rejected(rejection))
    }

    /// Waits until a call would pass.
    ///
    /// Another caller may be faster, so ask [`Circuit::try_acquire`] next and come back if it refuses. All waiting
    /// callers are woken together. While a [ramp](crate::config::Ramp) lets a share of the calls pass, it does not wait:
    /// each attempt has the same chance.
    ///
    /// # Panics
    ///
    /// Where there is something to wait for, with the default clock and outside a tokio runtime with its timer enabled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is held; the future can be dropped at any time.
    pub async fn until_ready(&self) {
        let waiter = Waiter::new(&self.0.shared);
        let mut sleep: Option<Sleep> = None;
        poll_fn(|cx| {
            // Before the look: what changes after it wakes us.
            waiter.register(cx);
            loop {
                let Err(rejected) = self.check() else { return Poll::Ready(()) };
                if self.0.shared.read(|core, _| core.is_ramping()) {
                    return Poll::Ready(());
                }
                let Some(wait) = rejected.retry_after() else { return Poll::Pending };
                // A millisecond at least, so that a wait of nothing is no busy loop.
                let deadline = self.0.shared.clock().now().after(wait.max(Duration::from_millis(1)));
                let timer = sleep.insert(self.0.shared.clock().sleep_until(deadline));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }

    /// Waits until a call may pass, and takes leave for it.
    ///
    /// As [`Circuit::until_ready`], but whoever is faster is waited for again.
    ///
    /// # Panics
    ///
    /// As [`Circuit::until_ready`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is held before it is ready; the future can be dropped at any time.
    pub async fn acquire(&self) -> Permit {
        loop {
            self.until_ready().await;
            let rejected = match self.try_acquire() {
                Ok(permit) => return permit,
                Err(rejected) => rejected,
            };
            // Where a share passes there is nothing to be woken by.
            if self.0.shared.read(|core, _| core.is_ramping()) {
                self.sleep(rejected.retry_after().unwrap_or_default().max(Duration::from_millis(1))).await;
            }
        }
    }

    /// Sleeps by the clock of the circuit.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.0.shared.clock();
        clock.sleep_until(clock.now().after(duration))
    }

    /// Takes leave for a call that does not begin yet, if there is any; if not, nobody is rejected.
    pub(crate) fn try_reserve(&self) -> Option<Permit> {
        self.passes().then(|| self.try_acquire().ok())?.map(Permit::reserved)
    }

    /// Waits for leave for a call that does not begin yet.
    pub(crate) async fn reserve(&self) -> Permit {
        self.acquire().await.reserved()
    }

    /// Returns what is measured. An open circuit whose wait is over stays open until a call comes.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.shared.read(|core, _| core.state())
    }

    /// Returns what an operator wants.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.shared.read(|core, now| core.effective_mode(now))
    }

    /// Returns a copy of what the circuit knows; its state, reason and counts belong together.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.shared.snapshot()
    }

    /// Says in one sentence what the circuit is doing and why, see [`Snapshot::explain`].
    #[must_use]
    pub fn explain(&self) -> String {
        self.snapshot().explain()
    }

    /// Subscribes to what happens from now on. The stream is bounded; a slow subscriber is told how much it missed.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.0.shared.outbox.subscribe()
    }

    /// Sets the mode, for good or for a time; when the time is over the mode is [`Mode::Auto`], whatever it was before.
    ///
    /// [`Mode::ForcedClosed`] also closes the circuit; the other modes leave the state as it was measured, so that
    /// [`Mode::Auto`] goes on from there.
    pub fn set_mode(&self, mode: Mode, lasting: Option<Duration>) {
        self.0.shared.set_mode(mode, lasting);
    }

    /// Sets a mode that no operator wants, so it is not saved and keeps no registry from forgetting.
    pub(crate) fn give_mode(&self, mode: Mode, giver: Giver) {
        self.0.shared.give_mode(mode, giver);
    }

    /// The mode that it has from this giver and nobody since, or none.
    pub(crate) fn mode_by(&self, giver: Giver) -> Mode {
        self.0.shared.read(|core, now| core.mode_by(giver, now))
    }

    /// Rejects every call until another mode is set. For a time: [`Circuit::set_mode`].
    pub fn force_open(&self) {
        self.set_mode(Mode::ForcedOpen, None);
    }

    /// Lets every call pass and be counted until another mode is set; nothing trips.
    pub fn force_closed(&self) {
        self.set_mode(Mode::ForcedClosed, None);
    }

    /// Lets every call pass and counts nothing until another mode is set.
    pub fn disable(&self) {
        self.set_mode(Mode::Disabled, None);
    }

    /// Lets every call pass until another mode is set, and counts what would have been rejected.
    pub fn metrics_only(&self) {
        self.set_mode(Mode::MetricsOnly, None);
    }

    /// Lets the measured state decide again.
    pub fn auto(&self) {
        self.set_mode(Mode::Auto, None);
    }

    /// Closes the circuit and forgets all history, in every state.
    ///
    /// After it the circuit decides as a new one does. The mode stays, since it is an operator's wish; the ledger stays,
    /// since its numbers only grow.
    pub fn reset(&self) {
        self.0.shared.reset();
    }

    /// Takes other settings while running. The state goes on, and so do the windows that the new rules still look at.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names every setting that is out of its bounds; nothing has changed then.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.0.shared.reconfigure(config)
    }

    /// Returns the settings.
    #[must_use = "reading the settings changes nothing"]
    pub fn config(&self) -> Config {
        self.0.shared.config()
    }

    /// Returns how calls are answered, as far as it is known without a lock.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        self.0.shared.board().word()
    }

    /// Reports whether what is below the circuit should be asked whether it is ready.
    pub(crate) fn wants_readiness(&self) -> bool {
        self.0.shared.wants_readiness()
    }

    /// Reports whether [`Circuit::check`] would say yes.
    pub(crate) fn passes(&self) -> bool {
        self.0.shared.would_admit().is_ok()
    }

    /// Lets a call pass whose steps are all [guarded](Permit::guard), if the circuit is closed and the call is not timed.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Permit> {
        let stripe = self.stripe();
        stripe.enter().map(|stamp| Permit::guarded(Arc::clone(stripe), stamp))
    }

    /// [`Circuit::try_acquire`] for such a call when [`Circuit::enter`] has said nothing.
    #[cold]
    pub(crate) fn look_closer(&self) -> Result<Permit, Rejected> {
        let stripe = self.stripe();
        stripe.look_closer().map(|stamp| Permit::guarded(Arc::clone(stripe), stamp))
    }

    /// [`Circuit::enter`], or else [`Circuit::look_closer`].
    #[cfg(feature = "keyed")]
    #[inline]
    pub(crate) fn admit_guarded(&self) -> Result<Permit, Rejected> {
        self.enter().map_or_else(|| self.look_closer(), Ok)
    }

    /// The stripe of this thread.
    #[inline]
    fn stripe(&self) -> &Arc<Stripe> {
        let place = self.0.stripes.get(thread_number()).and_then(OnceLock::get);
        place.unwrap_or_else(|| self.add_stripe())
    }

    #[cold]
    #[inline(never)]
    fn add_stripe(&self) -> &Arc<Stripe> {
        let place = &self.0.stripes[number_thread()];
        self.0.shared.add_stripe(place);
        place.get().expect("it has just been put there")
    }

    /// A place among those who are woken by a change.
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter::new(&self.0.shared)
    }

    /// Reports whether a call that passes now is a probe, or may be one by the time that it does.
    pub(crate) fn is_probing(&self) -> bool {
        self.0.shared.read(|core, now| {
            // In other modes a call that passes goes with all others, whatever the state; but when the time of one is over, nobody
            // is woken.
            let as_measured = core.effective_mode(now) == Mode::Auto || core.mode_until().is_some();
            as_measured && matches!(core.state(), State::Open | State::HalfOpen)
        })
    }

    /// Runs a step that is no call, such as a look at readiness; if it panics, that is a failed call.
    pub(crate) fn guard<T>(&self, step: impl FnOnce() -> T) -> T {
        struct Guard<'a>(&'a Circuit);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if let Ok(permit) = self.0.try_acquire() {
                    permit.record(Outcome::failure());
                }
            }
        }
        let guard = Guard(self);
        let result = step();
        std::mem::forget(guard);
        result
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.shared.fmt(f)
    }
}
