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
    stripe: Arc<Stripe>,
    /// invariant: some until the permit is settled.
    stamp: Option<Stamp>,
    /// Whether a panic of the thread is taken for one of the call: not if the thread was panicking already, and not where
    /// [`Permit::guard`] sees the panics of the call itself.
    watches_thread: bool,
}

impl Permit {
    #[inline]
    pub(super) fn new(stripe: Arc<Stripe>, stamp: Stamp) -> Self {
        Self { stripe, stamp: Some(stamp), watches_thread: !std::thread::panicking() }
    }

    /// A permit for a call each step of which is [guarded](Permit::guard).
    #[inline]
    pub(super) fn guarded(stripe: Arc<Stripe>, stamp: Stamp) -> Self {
        Self { stripe, stamp: Some(stamp), watches_thread: false }
    }

    /// Ends the call with its outcome.
    #[inline]
    pub fn record(mut self, outcome: impl Into<Outcome>) {
        self.record_answer(outcome.into());
    }

    /// Ends the call with the outcome of an answer of the dependency.
    #[inline]
    pub(crate) fn record_answer(&mut self, outcome: Outcome) {
        if !(outcome == Outcome::Success && self.succeed()) {
            self.settle(Ended::With(outcome));
        }
    }

    /// Ends the call with an outcome that the dependency may have had no part in.
    pub(crate) fn record_unanswered(&mut self, outcome: Outcome) {
        self.settle(Ended::Unanswered(outcome));
    }

    /// Reports whether this call is a probe, whose result decides over a half-open circuit.
    ///
    /// Give a probe a shorter timeout, or choose a harmless request for it.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.stamp.as_ref().is_some_and(Stamp::is_probe)
    }

    /// Runs a step of the call; if it panics, the call ends as a failure.
    ///
    /// A look at the thread when the permit is dropped is not enough: whoever catches the panic drops the call later.
    #[inline]
    pub(crate) fn guard<T>(&mut self, step: impl FnOnce() -> T) -> T {
        struct Guard<'a>(&'a mut Permit);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.settle(Ended::With(Outcome::failure()));
            }
        }
        let guard = Guard(self);
        let result = step();
        mem::forget(guard);
        result
    }

    /// Ends the call as a plain success; false if there is more to it.
    #[inline]
    fn succeed(&mut self) -> bool {
        let plain = match &self.stamp {
            Some(Stamp { kind: Kind::Counted, epoch, .. }) => self.stripe.succeed(*epoch),
            Some(_) | None => false,
        };
        if plain {
            self.stamp = None;
        }
        plain
    }

    #[cold]
    #[inline(never)]
    fn settle(&mut self, ended: Ended) {
        if let Some(stamp) = self.stamp.take() {
            self.stripe.settle(&stamp, ended);
        }
    }

    #[cold]
    #[inline(never)]
    fn abandon(&mut self) {
        let broken = self.watches_thread && std::thread::panicking();
        self.settle(if broken { Ended::With(Outcome::failure()) } else { Ended::Dropped });
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.stamp.is_some() {
            self.abandon();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("circuit", self.stripe.shared.name())
            .field("probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
