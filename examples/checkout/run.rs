//! The day of the shop: phase by phase, with what was seen.

use std::{collections::HashSet, time::Duration};

use tokio::time::sleep;
use tower_breaker::BoxError;

use crate::{
    back_end::BackEnds,
    clock,
    customers::{Customers, Seen, Visitor},
    health::Health,
    plan::{DAY, Ends, Name, PATIENCE, Plan},
};

/// All that was seen in a phase.
pub(crate) struct Phase {
    pub(crate) plan: Plan,
    pub(crate) seen: Vec<Seen>,
    /// What `/health` said before it and at its end.
    pub(crate) before: Health,
    pub(crate) after: Health,
    /// How many calls the departments say have reached them, in the order of [`Name::ALL`].
    pub(crate) reached: [u64; 4],
    pub(crate) lasted: Duration,
}

/// What the departments have carried out at the end of the day.
pub(crate) struct Done {
    pub(crate) charged: HashSet<u64>,
    pub(crate) mailed: HashSet<u64>,
}

/// Runs the day, and shows each phase when it is over.
pub(crate) async fn day(
    back_ends: &BackEnds,
    customers: &mut Customers,
    visitor: &Visitor,
    show: impl Fn(&Phase),
) -> Result<(Vec<Phase>, Done), BoxError> {
    let mut phases = Vec::new();
    for plan in DAY {
        back_ends.behave(&plan);
        let reached = || Name::ALL.map(|name| back_ends.get(name).reached());
        let reached_before = reached();
        let (before, began) = (visitor.health().await?, clock::now());
        let (seen, after) = customers.come(end(&plan, visitor)).await?;
        let mut reached = reached();
        reached.iter_mut().zip(reached_before).for_each(|(now, before)| *now -= before);
        let phase = Phase { plan, seen, before, after: after?, reached, lasted: clock::now() - began };
        show(&phase);
        phases.push(phase);
    }
    let done = Done { charged: back_ends.get(Name::Payment).done(), mailed: back_ends.get(Name::Mail).done() };
    Ok((phases, done))
}

/// Waits for the end of a phase, and returns what `/health` says then.
async fn end(plan: &Plan, visitor: &Visitor) -> Result<Health, BoxError> {
    match plan.ends {
        Ends::After(time) => sleep(time).await,
        Ends::WhenAllIsWell => {
            let latest = clock::now() + PATIENCE;
            while clock::now() < latest && !visitor.health().await?.all_well {
                sleep(Duration::from_millis(50)).await;
            }
            // A while in peace, to see that it lasts.
            sleep(Duration::from_millis(500)).await;
        }
    }
    visitor.health().await
}
