//! One run: two back ends that misbehave in step, two gateways, two loads.
//!
//! Both sides run at the same time, so that whatever else the machine does meets both alike.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{interval, sleep_until};
use tower_breaker::{BoxError, State};

use crate::{
    back_end::BackEnd,
    clock::{self, Instant},
    live::Live,
    load::{Call, Load},
    process::{Change, GatewayProcess},
    sides::Sides,
    timeline::Phase,
};

/// How far back the waits in a live line look.
const LAST: Duration = Duration::from_secs(1);

/// All that was seen of one gateway.
pub(crate) struct Seen {
    /// In the order in which they were due.
    pub(crate) calls: Vec<Call>,
    /// How many calls reached the back end, phase by phase.
    pub(crate) reached: Vec<u64>,
    /// In bytes; none where the system does not say.
    pub(crate) peak_memory: Option<u64>,
}

/// All that was seen.
pub(crate) struct Record {
    pub(crate) sides: Sides<Seen>,
    /// What the circuit did.
    pub(crate) changes: Vec<TimedChange>,
    /// The gateway with the circuit, which is still up.
    pub(crate) gateway: GatewayProcess,
}

/// A change, and when it was since the start of the load.
pub(crate) struct TimedChange {
    pub(crate) at: Duration,
    pub(crate) from: State,
    pub(crate) to: State,
}

struct Side {
    back_end: BackEnd,
    gateway: GatewayProcess,
    load: Load,
    reached: Vec<u64>,
}

/// Runs the whole timeline. The dashboard is at the address `desk`.
pub(crate) async fn run(timeline: &[Phase], live: &mut Live<'_>, desk: SocketAddr) -> Result<Record, BoxError> {
    let back_ends = Sides { without: BackEnd::start().await?, with: BackEnd::start().await? };
    let gateways = Sides {
        without: GatewayProcess::start(back_ends.without.address(), false, desk).await?,
        with: GatewayProcess::start(back_ends.with.address(), true, desk).await?,
    };
    let start = clock::now() + Duration::from_millis(50);
    let lasts = timeline.last().map(|phase| phase.ends).unwrap_or_default();
    let mut sides = Sides {
        without: Side::new(back_ends.without, gateways.without, start, lasts)?,
        with: Side::new(back_ends.with, gateways.with, start, lasts)?,
    };
    let mut changes = Vec::new();
    live.header(sides.with.gateway.desk());
    for phase in timeline {
        sleep_until(start + phase.begins).await;
        for side in [&mut sides.without, &mut sides.with] {
            side.back_end.behave(phase.behaviour).await;
        }
        live.phase_begins(phase);
        let before = sides.as_ref().map(|side| side.back_end.reached());
        watch(&mut sides, start, phase.ends, live, &mut changes).await?;
        let reached = Sides {
            without: sides.without.back_end.reached() - before.without,
            with: sides.with.back_end.reached() - before.with,
        };
        live.phase_ended(sides.as_ref().map(|side| side.load.ended_since(phase.begins)), reached);
        sides.without.reached.push(reached.without);
        sides.with.reached.push(reached.with);
    }
    let ((without, _), (with, gateway)) = (sides.without.finish().await?, sides.with.finish().await?);
    Ok(Record { sides: Sides { without, with }, changes, gateway })
}

/// Shows and keeps what the circuit does until the phase is over.
async fn watch(
    sides: &mut Sides<Side>,
    start: Instant,
    until: Duration,
    live: &mut Live<'_>,
    changes: &mut Vec<TimedChange>,
) -> Result<(), BoxError> {
    let mut progress = interval(Duration::from_millis(500));
    let over = sleep_until(start + until);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Ok(()),
            _ = progress.tick() => live.progress(clock::now().duration_since(start)),
            change = sides.with.gateway.change() => {
                let change = change?;
                let at = change.at.duration_since(start);
                live.changed(at, &change, &sides.with.load.ended_since(at.saturating_sub(LAST)));
                let Change { from, to, .. } = change;
                changes.push(TimedChange { at, from, to });
            }
            // Without a circuit nothing changes: it can only have ended.
            ended = sides.without.gateway.change() => drop(ended?),
        }
    }
}

impl Side {
    fn new(back_end: BackEnd, gateway: GatewayProcess, start: Instant, lasts: Duration) -> Result<Self, BoxError> {
        let load = Load::start(gateway.address(), start, lasts)?;
        Ok(Self { back_end, gateway, load, reached: Vec::new() })
    }

    async fn finish(self) -> Result<(Seen, GatewayProcess), BoxError> {
        let calls = self.load.finish().await?;
        Ok((Seen { calls, reached: self.reached, peak_memory: self.gateway.peak_memory() }, self.gateway))
    }
}
