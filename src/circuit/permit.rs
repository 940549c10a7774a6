//! Leave for one call.

use std::{fmt, mem};

use crate::{
    circuit::Stripe,
    machine::{Ended, Kind, Stamp},
    outcome::Outcome,
    sync::Arc,
};

/// Leave for one call. It ends with [`Permit::record`], or as cancelled when it is dropped.
///
/// A dropped permit is neutral: it gives a probe's slot back and decides nothing. It is a failure only if the call had run
/// for [`Config::cancelled_after`](crate::Config::cancelled_after), or if it is dropped by a panic.
#[must_use = "dropping a permit cancels the call; record its outcome"]
pub struct Permit {
    /// invariant: some until the permit is settled.
    stripe: Option<Arc<Stripe>>,
    stamp: Stamp,
    /// Whether a panic of the thread is taken for one of the call: not if the thread was panicking already, and not where
    /// [`Permit::guard`] sees the panics of the call itself.
    watches_thread: bool,
}

impl Permit {
    #[inline]
    pub(super) fn new(stripe: Arc<Stripe>, stamp: Stamp) -> Self {
        Self { stripe: Some(stripe), stamp, watches_thread: !std::thread::panicking() }
    }

    /// A permit for a call each step of which is [guarded](Permit::guard).
    #[inline]
    pub(super) fn guarded(stripe: Arc<Stripe>, stamp: Stamp) -> Self {
        Self { stripe: Some(stripe), stamp, watches_thread: false }
    }

    /// Ends the call with its outcome.
    #[inline]
    pub fn record(mut self, outcome: impl Into<Outcome>) {
        self.record_answer(outcome.into());
    }

    /// Ends the call with the outcome of an answer of the dependency.
    #[inline]
    pub(crate) fn record_answer(&mut self, outcome: Outcome) {
        let Some(stripe) = self.stripe.take() else { return };
        let plain = outcome == Outcome::Success && self.stamp.kind == Kind::Counted;
        if !(plain && stripe.succeed(self.stamp.epoch)) {
            settle(&stripe, &self.stamp, Ended::With(outcome));
        }
    }

    /// Ends the call with an outcome that the dependency may have had no part in.
    pub(crate) fn record_unanswered(&mut self, outcome: Outcome) {
        if let Some(stripe) = self.stripe.take() {
            settle(&stripe, &self.stamp, Ended::Unanswered(outcome));
        }
    }

    /// Leave for a call that has not begun: until then it has no age, and if it never does, that is no failure.
    pub(super) fn reserved(mut self) -> Self {
        self.watches_thread = false;
        self.stop_clock();
        if let Some(stripe) = self.stripe.as_ref().filter(|_| self.stamp.has_lease()) {
            stripe.shared.reserve(&self.stamp);
        }
        self
    }

    /// The call begins; none if the leave is over.
    pub(crate) fn begun(mut self) -> Option<Self> {
        let stripe = self.stripe.as_ref()?;
        let is_there = if self.stamp.has_lease() { stripe.shared.begin(&mut self.stamp) } else { self.is_current() };
        if !is_there {
            return None;
        }
        if self.stamp.is_timed() {
            self.stamp.restart(stripe.shared.clock().now());
        }
        Some(self)
    }

    /// Reports whether the phase that gave it goes on, and its slot is still lent to it.
    pub(crate) fn is_current(&self) -> bool {
        self.stripe.as_ref().is_some_and(|stripe| {
            let shared = &stripe.shared;
            shared.epoch() == self.stamp.epoch
                && (!self.stamp.has_lease() || shared.read(|core, now| core.is_lent(&self.stamp, now)))
        })
    }

    /// Goes on with the call elsewhere; what is left here is settled.
    #[cfg(feature = "http")]
    pub(crate) fn take(&mut self) -> Self {
        Self { stripe: self.stripe.take(), stamp: self.stamp.double(), watches_thread: false }
    }

    /// Takes note that the answer is there, though the call goes on: what follows is no part of its time.
    #[inline]
    pub(crate) fn stop_clock(&mut self) {
        if self.stamp.is_timed() {
            self.stop_timed();
        }
    }

    #[cold]
    fn stop_timed(&mut self) {
        if let Some(stripe) = &self.stripe {
            self.stamp.stop(stripe.shared.clock().now());
        }
    }

    /// Reports whether a slot is lent to this call, as to a probe and to a call of a recovery.
    #[cfg(feature = "http")]
    pub(crate) fn has_lease(&self) -> bool {
        self.stamp.has_lease()
    }

    /// Reports whether this call is a probe, whose result decides over a half-open circuit.
    ///
    /// Give a probe a shorter timeout, or choose a harmless request for it.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.stamp.is_probe()
    }

    /// Runs a step of the call; if it panics, the call ends as a failure.
    ///
    /// A look at the thread when the permit is dropped is not enough: whoever catches the panic drops the call later.
    #[inline]
    pub(crate) fn guard<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let guard = self.begin_step();
        let result = step();
        guard.end();
        result
    }

    /// Begins such a step. For what a closure would copy once more.
    #[inline]
    pub(crate) fn begin_step(&mut self) -> Step<'_> {
        Step(self)
    }
}

/// A step of a call. Dropped by a panic it ends the call as a failure.
#[must_use = "dropped, it ends the call as a failure"]
pub(crate) struct Step<'a>(&'a mut Permit);

impl Step<'_> {
    #[inline]
    pub(crate) fn end(self) {
        mem::forget(self);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if let Some(stripe) = self.0.stripe.take() {
            settle(&stripe, &self.0.stamp, Ended::With(Outcome::failure()));
        }
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        // By value, so that the compiler sees that nothing is left to be dropped.
        if let Some(stripe) = self.stripe.take() {
            abandon(stripe, self.stamp.double(), self.watches_thread);
        }
    }
}

#[cold]
#[inline(never)]
fn abandon(stripe: Arc<Stripe>, stamp: Stamp, watches_thread: bool) {
    let broken = watches_thread && std::thread::panicking();
    settle(&stripe, &stamp, if broken { Ended::With(Outcome::failure()) } else { Ended::Dropped });
}

#[cold]
#[inline(never)]
fn settle(stripe: &Stripe, stamp: &Stamp, ended: Ended) {
    stripe.settle(stamp, ended);
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("circuit", &self.stripe.as_ref().map(|stripe| stripe.shared.name()))
            .field("probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
