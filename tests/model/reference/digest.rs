//! What of a state can still matter, for the exhaustive search.

use super::*;

use self::recovery::Gate;

/// Older than anything that looks at it with the small settings of the search.
const OLD: Duration = Duration::from_secs(12);

/// An instant as seen from now, in nanoseconds.
fn seen(at: Instant, now: Instant) -> i128 {
    let (at, now) = (i128::from(at.as_nanos()), i128::from(now.as_nanos()));
    (at - now).max(-(OLD.as_nanos() as i128))
}

impl Reference {
    /// Equal for two states that cannot be told apart by what may still come. Only for waits without a random part that
    /// do not look at when the outage began: fixed, or backoff without jitter. A longest wait beyond three hours is never
    /// over.
    pub(crate) fn digest(&self, tickets: &[Ticket], now: Instant) -> String {
        let live = |slots: &slots::Slots| -> Vec<(usize, i128)> {
            let live = slots.0.iter().enumerate().filter(|(_, slot)| slot.ended.is_none());
            live.map(|(at, slot)| (at, seen(slot.deadline, now))).collect()
        };
        let mut lent = Vec::new();
        let phase = match &self.phase {
            Phase::Closed => self.log.digest(now),
            Phase::Open(until) => format!("{:?}", seen((*until).max(now), now)),
            Phase::HalfOpen(probes) => {
                lent = live(&probes.slots);
                let whole: Duration = probes.busy.iter().filter_map(|(from, to)| Some((*to)?.since(*from))).sum();
                let busy = probes.busy.iter().find(|(_, to)| to.is_none()).map(|(from, _)| seen(*from, now));
                // Once it has been too long, it matters since when.
                let over = probes.clone().too_long_since(&self.config.half_open, now).map(|over| seen(over, now));
                let Probes { successes, failures, ignored, .. } = probes;
                let far = self.config.half_open.max_wait > 1_000 * OLD;
                let busy = (!far).then_some((whole, busy, over));
                format!("{successes} {failures} {ignored} {busy:?}")
            }
            Phase::Recovering(recovery) => {
                lent = live(&recovery.slots);
                let gate = match &recovery.gate {
                    Gate::Ramp(_, since, asked) => {
                        let credit = asked.iter().sum::<u64>() % 1_000_000;
                        format!("{} {} {credit}", seen(*since, now), asked.is_empty())
                    }
                    Gate::Window(window) => window.digest(|at| seen(at, now)),
                };
                format!("{} {} {gate}", recovery.net, recovery.ignored)
            }
        };
        let slots: Vec<i128> = lent.iter().map(|(_, deadline)| *deadline).collect();
        let place = |slot: usize| lent.iter().position(|(at, _)| *at == slot);
        // Only the usual latency looks at how long a call took.
        let began = |ticket: &Ticket| {
            let teaches = ticket.sampled || ticket.kind != Pass::Counted;
            ticket.started.filter(|_| teaches && asks_for_traffic(&self.config)).map(|started| seen(started, now))
        };
        let mut tickets: Vec<String> = tickets
            .iter()
            .map(|ticket| match ticket.kind {
                // Late whatever happens: all that are late are alike.
                _ if ticket.epoch != self.epoch => "late".into(),
                Pass::Probe(slot) | Pass::Recovering(slot) => format!("{:?} {:?}", place(slot), began(ticket)),
                Pass::Counted | Pass::Shadow | Pass::Uncounted => format!("{:?} {:?}", ticket.kind, began(ticket)),
            })
            .collect();
        // Which of two calls is which does not matter.
        tickets.sort();
        let outage = self.outage.map(|outage| (outage.traffic.to_bits(), outage.usual, outage.relapses.min(3)));
        let recovered = self
            .recovered
            .filter(|_| asks_for_traffic(&self.config))
            .map(|(at, outage)| (seen(at, now), outage.traffic.to_bits(), outage.relapses.min(3)));
        let learnt = asks_for_traffic(&self.config).then(|| {
            (self.log.net_and_latency().1, self.log.sampling(self.bucket_begun, now), seen(self.log.phase()[0].0, now))
        });
        format!(
            "{:?} {phase} {slots:?} {tickets:?} {outage:?} {recovered:?} {learnt:?} {} {:?}",
            self.state(),
            self.streak.min(4),
            self.last_wait
        )
    }
}

impl Log {
    /// What decides about the next sample, and what the estimate of the traffic does not know yet.
    fn sampling(&self, bucket_begun: bool, now: Instant) -> String {
        let walk = self.walk(Window::DEFAULT, 0);
        let unseen = (!walk.unseen.is_empty()).then(|| (walk.unseen.len(), now.since(walk.looked)));
        format!("{bucket_begun} {} {unseen:?}", self.plain() % 128)
    }

    /// The calls that stand in the windows by age, and the run.
    fn digest(&self, now: Instant) -> String {
        let (run, began) = self.run();
        let windows: Vec<_> = self.standing_by_age(now);
        format!("{run} {:?} {windows:?}", began.map(|began| seen(began, now)))
    }
}
