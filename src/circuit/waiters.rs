//! Tasks that wait for a circuit to change.

use std::task::{Context, Waker};

use crate::{
    circuit::Shared,
    sync::{Arc, Mutex},
};

/// The tasks that wait, each with its number.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Wakes everybody once. Called after the change is visible, outside every lock.
    pub(super) fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.0.lock().wakers);
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// The place of one task among the waiters; dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Waiter {
    circuit: Arc<Shared>,
    id: u64,
}

impl Waiter {
    pub(super) fn new(circuit: &Arc<Shared>) -> Self {
        let id = {
            let mut list = circuit.waiters.0.lock();
            list.next += 1;
            list.next
        };
        Self { circuit: Arc::clone(circuit), id }
    }

    /// Asks to be woken at the next change, which is any that comes after this call.
    ///
    /// So look at the circuit *after* it, not before.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut waker = cx.waker().clone();
        let mut list = self.circuit.waiters.0.lock();
        match list.wakers.iter_mut().find(|(id, _)| *id == self.id) {
            Some((_, old)) => std::mem::swap(old, &mut waker),
            None => {
                list.wakers.push((self.id, waker));
                return;
            }
        }
        // The old waker is dropped outside the lock: its owner's code may run.
        drop(list);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // As above, outside the lock.
        let waker = {
            let mut list = self.circuit.waiters.0.lock();
            let at = list.wakers.iter().position(|(id, _)| *id == self.id);
            at.map(|at| list.wakers.swap_remove(at))
        };
        drop(waker);
    }
}
