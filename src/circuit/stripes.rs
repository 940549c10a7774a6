//! All stripes of a circuit, as the lock sees them.

use crate::{
    circuit::Stripe,
    machine::{Epoch, Line, Machine, SAMPLED},
    sync::{Arc, Weak},
};

/// The stripes of a circuit: their gates are opened, closed and emptied together, under the lock of the phases.
#[derive(Debug, Default)]
pub(super) struct Stripes {
    list: Vec<Known>,
    /// invariant: how the gates stand.
    open: Option<Open>,
}

#[derive(Debug)]
struct Known {
    /// Weak, since a stripe owns the circuit; it is gone only once nobody can ask the circuit any more.
    stripe: Weak<Stripe>,
    /// How many successes at its gate the machine knows of.
    successes: u64,
}

/// How gates stand open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) epoch: Epoch,
    /// Rules ask for the time of a success.
    pub(super) keeps_time: bool,
    /// Some calls are timed, as samples.
    pub(super) samples: bool,
    /// Every call is timed.
    pub(super) timed: bool,
}

impl Stripes {
    /// Takes a stripe in whose gate is closed, if it is not here yet.
    pub(super) fn add(&mut self, stripe: &Arc<Stripe>, machine: &mut Machine) {
        if self.list.iter().any(|known| known.stripe.as_ptr() == Arc::as_ptr(stripe)) {
            return;
        }
        // A circuit of one thread needs no place for four.
        self.list.reserve_exact(1);
        self.list.push(Known { stripe: Arc::downgrade(stripe), successes: 0 });
        self.open_from(self.list.len() - 1, machine);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether calls of this phase pass at the gates.
    pub(super) fn are_open_for(&self, epoch: Epoch) -> bool {
        self.open.is_some_and(|open| open.epoch == epoch)
    }

    /// Tells the machine what has passed by it.
    pub(super) fn fold(&mut self, machine: &mut Machine) {
        if self.open.is_none() {
            return;
        }
        for known in &mut self.list {
            if let Some(stripe) = known.stripe.upgrade() {
                machine.successes(stripe.gate().fold(&mut known.successes));
            }
        }
    }

    /// The same of one stripe.
    pub(super) fn fold_one(&mut self, stripe: &Stripe, machine: &mut Machine) {
        if self.open.is_none() {
            return;
        }
        if let Some(known) = self.list.iter_mut().find(|known| std::ptr::eq(known.stripe.as_ptr(), stripe)) {
            machine.successes(stripe.gate().fold(&mut known.successes));
        }
    }

    /// Opens or closes the gates, as the machine wants it.
    pub(super) fn set(&mut self, open: Option<Open>, machine: &mut Machine) {
        if self.open == open {
            // One write a bucket, and only where calls are sampled.
            if open.is_some() && !self.list.is_empty() && machine.tally().take_sample() {
                self.each(|stripe| stripe.gate().ask_sample());
            }
            return;
        }
        for known in &mut self.list {
            if let Some(stripe) = known.stripe.upgrade() {
                let left = stripe.gate().close(known.successes);
                // They passed after the fold, while the machine moved on: a new phase must not begin with them.
                if self.open.is_some_and(|was| was.epoch == Epoch::new(machine.core().epoch())) {
                    machine.successes(left.successes);
                } else {
                    machine.count(Line::Succeeded, left.successes);
                }
                if left.sample_due {
                    machine.tally().ask_sample();
                }
            }
        }
        self.open = open;
        self.open_from(0, machine);
    }

    /// Tells the machine what only the ledger counts.
    pub(super) fn take_lines(&self, machine: &mut Machine) {
        self.each(|stripe| stripe.take_lines().into_iter().for_each(|(line, calls)| machine.count(line, calls)));
    }

    /// Opens the gates from the `first` on, if the others stand open.
    fn open_from(&mut self, first: usize, machine: &mut Machine) {
        let Some(open) = self.open else { return };
        for (i, known) in self.list.iter_mut().enumerate().skip(first) {
            let Some(stripe) = known.stripe.upgrade() else { continue };
            // The first goes on where the machine counts, so that one thread alone is sampled as the machine would.
            let (carried, sample) =
                if i == 0 { (machine.tally().plain() % SAMPLED, machine.tally().take_sample()) } else { (0, false) };
            known.successes = carried;
            stripe.gate().open(open, carried, sample);
        }
    }

    fn each(&self, mut f: impl FnMut(&Stripe)) {
        self.list.iter().filter_map(|known| known.stripe.upgrade()).for_each(|stripe| f(&stripe));
    }
}
