//! From what was seen to figures.

use std::time::Duration;

use serde_json::{Value, json};
use tower_breaker::State;

use crate::{
    gateway::ATTEMPT_TIMEOUT,
    load::{Answer, Call},
    run::{Record, TimedChange},
    sides::Sides,
    timeline::{Behaviour, Phase},
};

/// From this time on into an outage it should be known to everybody.
pub(crate) const SETTLED: Duration = Duration::from_millis(1_500);
/// Calls that are under way when the back end gets well may still fail, and be judged a little later.
const AFTERMATH: Duration = ATTEMPT_TIMEOUT.saturating_add(Duration::from_millis(100));
/// Full traffic is back with the first stretch of this length …
const STRETCH: Duration = Duration::from_millis(250);
/// … in which this share of the calls is served.
const FULL: f64 = 0.95;

/// All figures.
pub(crate) struct Figures {
    /// One for each way to be dead.
    pub(crate) outages: Vec<Outage>,
    /// One for each return to full capacity.
    pub(crate) recoveries: Vec<Recovery>,
    /// Calls that reached the back end while it was dead.
    pub(crate) reached: Sides<u64>,
    /// Waits for whatever answer during all outages.
    pub(crate) waits: Sides<Waits>,
    /// The same, [`SETTLED`] and more into each outage.
    pub(crate) settled_waits: Sides<Waits>,
    /// The share of calls that were served at a tenth of the capacity.
    pub(crate) served_at_tenth: Sides<f64>,
    /// The share of calls that were served before anything broke.
    pub(crate) served_at_first: Sides<f64>,
    /// Answered `503`.
    pub(crate) rejected: Sides<u64>,
    /// Openings while all was well.
    pub(crate) false_opens: u64,
    /// Openings while it was at a tenth of its capacity.
    pub(crate) opened_at_tenth: u64,
    /// Closings, too: a closed circuit lets all of the load pass, more than it can carry.
    pub(crate) closed_at_tenth: u64,
    /// In bytes.
    pub(crate) peak_memory: Sides<Option<u64>>,
}

/// The back end was dead for a while.
pub(crate) struct Outage {
    pub(crate) behaviour: Behaviour,
    /// From its begin until the circuit opened.
    pub(crate) detected: Option<Duration>,
    pub(crate) reached: Sides<u64>,
    pub(crate) waits: Sides<Waits>,
    pub(crate) settled_waits: Sides<Waits>,
    pub(crate) served: Sides<f64>,
}

/// The back end worked again.
pub(crate) struct Recovery {
    /// After what.
    pub(crate) after: Behaviour,
    /// From then until calls were served as before.
    pub(crate) full_traffic: Sides<Option<Duration>>,
    /// From then until the circuit was closed.
    pub(crate) closed: Option<Duration>,
}

/// How long users waited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Figures {
    pub(crate) fn new(timeline: &[Phase], record: &Record) -> Self {
        let calls = record.sides.as_ref().map(|seen| &*seen.calls);
        let is_dead = |call: &Call| timeline.iter().any(|phase| phase.behaviour.is_dead() && phase.is_at(call.due));
        let is_settled =
            |call: &Call| timeline.iter().any(|phase| phase.behaviour.is_dead() && phase.settled().is_at(call.due));
        let served = |behaviour| {
            let phase = timeline.iter().find(|phase| phase.behaviour == behaviour);
            calls.map(|calls| phase.map_or(0.0, |phase| share_served(calls, phase)))
        };
        let tenth = || timeline.iter().filter(|phase| phase.behaviour == Behaviour::TenthOfCapacity);
        let dead = timeline.iter().enumerate().filter(|(_, phase)| phase.behaviour.is_dead());
        let outages: Vec<_> = dead.map(|(index, phase)| Outage::new(index, phase, record)).collect();
        let pairs = timeline.windows(2).filter(|pair| pair[1].behaviour == Behaviour::Works);
        Self {
            recoveries: pairs.map(|pair| Recovery::new(pair[0].behaviour, &pair[1], record)).collect(),
            reached: Sides {
                without: outages.iter().map(|outage| outage.reached.without).sum(),
                with: outages.iter().map(|outage| outage.reached.with).sum(),
            },
            outages,
            waits: calls.map(|calls| Waits::of(calls.iter().filter(|call| is_dead(call)))),
            settled_waits: calls.map(|calls| Waits::of(calls.iter().filter(|call| is_settled(call)))),
            served_at_tenth: served(Behaviour::TenthOfCapacity),
            served_at_first: served(Behaviour::Works),
            rejected: calls.map(|calls| count(calls, Answer::Refused)),
            opened_at_tenth: tenth().map(|phase| openings(phase, &record.changes)).sum(),
            closed_at_tenth: tenth().map(|phase| closings(phase, &record.changes)).sum(),
            false_opens: false_opens(timeline, &record.changes),
            peak_memory: record.sides.as_ref().map(|seen| seen.peak_memory),
        }
    }

    /// Returns how long the circuit took to open, the longest of all outages; none if it once did not.
    pub(crate) fn slowest_detection(&self) -> Option<Duration> {
        self.outages.iter().map(|outage| outage.detected).try_fold(Duration::ZERO, |worst, next| Some(worst.max(next?)))
    }

    /// Returns how long full traffic took to come back, the longest of all recoveries; none if it once did not.
    pub(crate) fn slowest_recovery(&self) -> Sides<Option<Duration>> {
        let slowest = |of: fn(&Recovery) -> Option<Duration>| {
            self.recoveries.iter().map(of).try_fold(Duration::ZERO, |worst, next| Some(worst.max(next?)))
        };
        Sides { without: slowest(|back| back.full_traffic.without), with: slowest(|back| back.full_traffic.with) }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "calls_that_reached_the_dead_back_end": self.reached.into_json(),
            "waits_in_outages": self.waits.map(Waits::to_json).into_json(),
            "waits_in_outages_once_settled": self.settled_waits.map(Waits::to_json).into_json(),
            "slowest_detection_s": self.slowest_detection().map(|time| time.as_secs_f64()),
            "slowest_return_to_full_traffic_s": self.slowest_recovery().map(seconds).into_json(),
            "served_at_a_tenth_of_capacity": self.served_at_tenth.into_json(),
            "served_before_the_first_outage": self.served_at_first.into_json(),
            "rejected": self.rejected.into_json(),
            "opened_at_a_tenth_of_capacity": self.opened_at_tenth,
            "closed_at_a_tenth_of_capacity": self.closed_at_tenth,
            "false_opens": self.false_opens,
            "peak_memory_bytes": self.peak_memory.into_json(),
            "outages": self.outages.iter().map(Outage::to_json).collect::<Vec<_>>(),
            "recoveries": self.recoveries.iter().map(Recovery::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Outage {
    fn new(index: usize, phase: &Phase, record: &Record) -> Self {
        let calls = record.sides.as_ref().map(|seen| &*seen.calls);
        let mut openings = record.changes.iter().filter(|change| change.to == State::Open && phase.is_at(change.at));
        Self {
            behaviour: phase.behaviour,
            detected: openings.next().map(|change| change.at - phase.begins),
            reached: record.sides.as_ref().map(|seen| seen.reached[index]),
            waits: calls.map(|calls| Waits::of(during(calls, phase))),
            settled_waits: calls.map(|calls| Waits::of(during(calls, &phase.settled()))),
            served: calls.map(|calls| share_served(calls, phase)),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "back_end": self.behaviour.as_str(),
            "detected_s": seconds(self.detected),
            "reached": self.reached.into_json(),
            "waits": self.waits.map(Waits::to_json).into_json(),
            "waits_once_settled": self.settled_waits.map(Waits::to_json).into_json(),
            "served": self.served.into_json(),
        })
    }
}

impl Recovery {
    fn new(after: Behaviour, well: &Phase, record: &Record) -> Self {
        // What opened late has to be closed too, so the last change counts.
        let closed = record.changes.iter().rfind(|change| well.is_at(change.at));
        Self {
            after,
            full_traffic: record.sides.as_ref().map(|seen| full_traffic(&seen.calls, well)),
            closed: closed.filter(|change| change.to == State::Closed).map(|change| change.at - well.begins),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "after": self.after.as_str(),
            "full_traffic_s": self.full_traffic.map(seconds).into_json(),
            "closed_s": seconds(self.closed),
        })
    }
}

impl Waits {
    pub(crate) fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut waits: Vec<_> = calls.map(|call| call.waited).collect();
        waits.sort_unstable();
        // The nearest rank: the smallest wait that so many per cent of the calls did not exceed.
        let percentile = |percent: usize| {
            let rank = (waits.len() * percent).div_ceil(100);
            waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: percentile(50), p99: percentile(99) }
    }

    fn to_json(self) -> Value {
        json!({ "p50_ms": self.p50.as_secs_f64() * 1e3, "p99_ms": self.p99.as_secs_f64() * 1e3 })
    }
}

impl Phase {
    fn is_at(&self, time: Duration) -> bool {
        self.begins <= time && time < self.ends
    }

    /// The part of it in which the outage should be known.
    fn settled(&self) -> Self {
        Self { begins: self.begins + SETTLED, ..*self }
    }
}

/// Returns the share of these calls that were served; 0 if there are none.
pub(crate) fn share(calls: &[Call]) -> f64 {
    ratio(count(calls, Answer::Served), calls.len())
}

fn share_served(calls: &[Call], phase: &Phase) -> f64 {
    share(during(calls, phase).copied().collect::<Vec<_>>().as_slice())
}

fn during<'a>(calls: &'a [Call], phase: &Phase) -> impl Iterator<Item = &'a Call> {
    let phase = *phase;
    calls.iter().filter(move |call| phase.is_at(call.due))
}

fn count(calls: &[Call], answer: Answer) -> u64 {
    calls.iter().filter(|call| call.answer == answer).map(|_| 1).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
fn ratio(part: u64, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Returns from when on a sliding [`STRETCH`] is served in full.
fn full_traffic(calls: &[Call], well: &Phase) -> Option<Duration> {
    let calls: Vec<_> = during(calls, well).collect();
    let is_full = |from: Duration| {
        let stretch = || calls.iter().filter(|call| call.due >= from && call.due < from + STRETCH);
        let served = stretch().filter(|call| call.answer == Answer::Served).count();
        ratio(u64::try_from(served).unwrap_or(u64::MAX), stretch().count()) >= FULL
    };
    let begins = calls.iter().map(|call| call.due).take_while(|due| *due + STRETCH <= well.ends);
    begins.into_iter().find(|due| is_full(*due)).map(|due| due - well.begins)
}

/// Counts the openings of a circuit that had no reason to: what an outage leaves behind is a reason.
fn false_opens(timeline: &[Phase], changes: &[TimedChange]) -> u64 {
    let well = timeline.iter().filter(|phase| phase.behaviour == Behaviour::Works).map(|phase| {
        let aftermath = if phase.begins.is_zero() { Duration::ZERO } else { AFTERMATH };
        Phase { begins: phase.begins + aftermath, ..*phase }
    });
    well.map(|phase| openings(&phase, changes)).sum()
}

/// Counts how often it opened in a phase; failed probes are no openings.
fn openings(phase: &Phase, changes: &[TimedChange]) -> u64 {
    let opened = changes.iter().filter(|change| change.to == State::Open && change.from != State::HalfOpen);
    opened.filter(|change| phase.is_at(change.at)).map(|_| 1).sum()
}

fn closings(phase: &Phase, changes: &[TimedChange]) -> u64 {
    let closed = changes.iter().filter(|change| change.to == State::Closed);
    closed.filter(|change| phase.is_at(change.at)).map(|_| 1).sum()
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}
