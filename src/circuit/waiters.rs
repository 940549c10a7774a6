//! Tasks that wait for a circuit to change.

use std::{
    collections::BTreeMap,
    task::{Context, Waker},
};

use crate::{
    circuit::shared::Shared,
    sync::{Arc, Mutex},
};

/// The tasks that wait, each with its number; in a box, since most circuits never have one that waits.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Option<Box<List>>>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Wakes everybody once. Called after the change is visible, outside every lock.
    pub(super) fn wake_all(&self) {
        let wakers = self.0.lock().as_mut().map(|list| std::mem::take(&mut list.wakers)).unwrap_or_default();
        wakers.into_values().for_each(Waker::wake);
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
            let list = list.get_or_insert_default();
            list.next += 1;
            list.next
        };
        Self { circuit: Arc::clone(circuit), id }
    }

    /// Asks to be woken at the next change, which is any that comes after this call.
    ///
    /// So look at the circuit *after* it, not before.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        // A waker is cloned and dropped outside the lock: its owner's code may run.
        let waker = cx.waker().clone();
        let old = self.circuit.waiters.0.lock().get_or_insert_default().wakers.insert(self.id, waker);
        drop(old);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let waker = self.circuit.waiters.0.lock().as_mut().and_then(|list| list.wakers.remove(&self.id));
        drop(waker);
    }
}
