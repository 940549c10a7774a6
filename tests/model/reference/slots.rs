//! Slots that are lent for a time, as a list of all that were ever lent in a phase.

use std::time::Duration;

use tower_breaker::Instant;

#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(pub(crate) Vec<Slot>);

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) deadline: Instant,
    /// When it was given back, or its time was over.
    pub(crate) ended: Option<Instant>,
}

impl Slots {
    pub(crate) fn live(&self) -> u32 {
        u32::try_from(self.0.iter().filter(|slot| slot.ended.is_none()).count()).unwrap()
    }

    pub(crate) fn lend(&mut self, now: Instant, time: Duration) -> usize {
        self.0.push(Slot { deadline: now.after(time), ended: None });
        self.0.len() - 1
    }

    /// Those whose time is over. They are taken back in the order of lending, so one that was lent for a shorter time
    /// lives as long as those before it.
    fn over(&self, now: Instant) -> Vec<usize> {
        let under_way = (0..self.0.len()).filter(|at| self.0[*at].ended.is_none());
        under_way.take_while(|at| now >= self.0[*at].deadline).collect()
    }

    pub(crate) fn expired(&self, now: Instant) -> u32 {
        u32::try_from(self.over(now).len()).unwrap()
    }

    pub(crate) fn expire(&mut self, now: Instant) -> u32 {
        let over = self.over(now);
        over.iter().for_each(|at| self.0[*at].ended = Some(self.0[*at].deadline));
        u32::try_from(over.len()).unwrap()
    }

    /// Takes a slot back; false if its time was over.
    pub(crate) fn give_back(&mut self, at: usize, now: Instant) -> bool {
        let slot = &mut self.0[at];
        if slot.ended.is_some() {
            return false;
        }
        slot.ended = Some(now.min(slot.deadline));
        now < slot.deadline
    }

    pub(crate) fn first_deadline(&self, now: Instant) -> Option<Duration> {
        let under_way = self.0.iter().filter(|slot| slot.ended.is_none());
        under_way.map(|slot| slot.deadline).find(|deadline| now < *deadline).map(|deadline| deadline.since(now))
    }
}
