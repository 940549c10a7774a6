//! Slots that are lent for a time: a call that never ends cannot keep one.

use std::{collections::VecDeque, time::Duration};

use crate::time::Instant;

/// Slots under way, each with a deadline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    next: u64,
    /// invariant: sorted by id; deadlines do not fall as long as the lease time stays the same, and a shorter one only
    /// lets a slot live as long as an older one.
    slots: VecDeque<Slot>,
    /// invariant: the number of slots with `live`.
    live: u32,
}

#[derive(Clone, Debug)]
struct Slot {
    id: u64,
    deadline: Instant,
    live: bool,
    /// The call has not begun.
    reserved: bool,
}

impl Leases {
    /// How many slots are lent.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Lends a slot for `time`; returns its number.
    pub(crate) fn lend(&mut self, now: Instant, time: Duration) -> u64 {
        let id = self.next;
        self.next += 1;
        self.slots.push_back(Slot { id, deadline: now.after(time), live: true, reserved: false });
        self.live += 1;
        id
    }

    /// Takes note that the call of a slot has not begun.
    pub(crate) fn reserve(&mut self, id: u64) {
        if let Ok(at) = self.find(id) {
            self.slots[at].reserved = true;
        }
    }

    /// Reports whether a slot is lent, and its time is not over.
    pub(crate) fn is_lent(&self, id: u64, now: Instant) -> bool {
        self.find(id).is_ok_and(|at| self.slots[at].live && now < self.slots[at].deadline)
    }

    fn find(&self, id: u64) -> Result<usize, usize> {
        self.slots.binary_search_by_key(&id, |slot| slot.id)
    }

    /// The slots whose calls have begun.
    fn calls(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.live && !slot.reserved)
    }

    /// Reports whether calls that have begun have slots, whether or not their time is over.
    pub(crate) fn has_calls(&self) -> bool {
        self.calls().next().is_some()
    }

    /// Reports whether a call that has begun is in its time.
    pub(crate) fn is_under_way(&self, now: Instant) -> bool {
        self.calls().any(|slot| now < slot.deadline)
    }

    /// Takes a slot back; false if its time was over or it was never lent.
    pub(crate) fn give_back(&mut self, id: u64, now: Instant) -> bool {
        let Ok(at) = self.find(id) else { return false };
        let slot = &mut self.slots[at];
        let in_time = slot.live && now < slot.deadline;
        if slot.live {
            slot.live = false;
            self.live -= 1;
        }
        self.forget_dead();
        in_time
    }

    /// Takes back all slots whose time is over; returns how many calls had begun in them.
    pub(crate) fn expire(&mut self, now: Instant) -> u32 {
        let mut expired = 0;
        while let Some(slot) = self.slots.front() {
            if slot.live && now < slot.deadline {
                break;
            }
            if slot.live {
                self.live -= 1;
                expired += u32::from(!slot.reserved);
            }
            self.slots.pop_front();
        }
        expired
    }

    /// How many slots [`Leases::expire`] would take back, those of calls that have not begun among them.
    pub(crate) fn expired(&self, now: Instant) -> u32 {
        let over = self.slots.iter().take_while(|slot| !slot.live || now >= slot.deadline);
        u32::try_from(over.filter(|slot| slot.live).count()).unwrap_or(u32::MAX)
    }

    /// How long until the oldest slot that is still lent is free at the latest.
    pub(crate) fn first_deadline(&self, now: Instant) -> Option<Duration> {
        self.slots.iter().find(|slot| slot.live && now < slot.deadline).map(|slot| slot.deadline.since(now))
    }

    /// When the last of the calls that have begun must be over.
    pub(crate) fn last_deadline(&self) -> Option<Instant> {
        self.calls().map(|slot| slot.deadline).max()
    }

    fn forget_dead(&mut self) {
        while self.slots.front().is_some_and(|slot| !slot.live) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(secs: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(secs))
    }

    #[test]
    fn a_slot_is_given_back_once_and_only_in_time() {
        let mut leases = Leases::default();
        let (a, b, c) = (leases.lend(at(0), SECOND), leases.lend(at(0), SECOND), leases.lend(at(5), SECOND));
        assert!(leases.give_back(b, at(0)));
        assert!(!leases.give_back(b, at(0)), "twice");
        assert_eq!(leases.live(), 2);
        assert!(!leases.give_back(a, at(1)), "at the deadline it is over");
        assert_eq!(leases.live(), 1);
        assert!(!leases.give_back(99, at(1)), "never lent");
        assert_eq!(leases.first_deadline(at(5)), Some(SECOND));
        assert_eq!((leases.expired(at(5)), leases.expired(at(6))), (0, 1));
        assert_eq!(leases.expire(at(6)), 1);
        assert!(!leases.give_back(c, at(6)));
        assert_eq!((leases.live(), leases.slots.len()), (0, 0), "nothing is kept");
    }

    #[test]
    fn a_reserved_slot_is_lent_and_no_call_is_under_way_in_it() {
        let mut leases = Leases::default();
        let (call, reserved) = (leases.lend(at(0), SECOND), leases.lend(at(1), SECOND * 5));
        leases.reserve(reserved);
        assert!(leases.has_calls() && leases.is_under_way(at(0)) && !leases.is_under_way(at(2)));
        assert_eq!(leases.last_deadline(), Some(at(1)));
        assert!(leases.is_lent(reserved, at(5)) && !leases.is_lent(reserved, at(6)));
        assert!(leases.give_back(call, at(0)));
        assert!(!leases.has_calls() && !leases.is_under_way(at(0)));
        assert_eq!((leases.last_deadline(), leases.live()), (None, 1));
        assert_eq!((leases.expire(at(6)), leases.live()), (0, 0), "none had begun");
    }

    #[test]
    fn a_slot_is_over_at_its_deadline_and_forgotten_when_it_is_given_back() {
        let mut leases = Leases::default();
        let (a, b) = (leases.lend(at(0), SECOND), leases.lend(at(0), SECOND * 2));
        assert_eq!(leases.first_deadline(at(1)), Some(SECOND), "the first is over, the second is not");
        assert!(leases.give_back(b, at(1)));
        assert_eq!(leases.slots.len(), 2, "an older one is still lent");
        assert!(!leases.give_back(a, at(1)));
        assert_eq!(leases.slots.len(), 0);
    }
}
