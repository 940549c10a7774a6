//! What must hold, so that the example is a test as well.
//!
//! The bounds are about what happened and how often; those of times leave room for a busy machine. None of those of an outage
//! can be met by a shop without circuits and fallbacks.

use std::{collections::HashSet, time::Duration};

use crate::{
    customers::{Answer, Seen},
    health::DepartmentHealth,
    measure::Figures,
    payment::CREDIT,
    plan::{Ends, Name},
    run::{Done, Phase},
};

/// A sentence that holds or does not, with the figure it was found by.
pub(crate) struct Check {
    pub(crate) says: String,
    pub(crate) holds: bool,
}

/// Returns all checks.
pub(crate) fn all(phases: &[Phase], done: &Done) -> Vec<Check> {
    phases.iter().flat_map(of_phase).chain(of_the_day(phases, done)).collect()
}

struct Checks {
    phase: String,
    checks: Vec<Check>,
}

impl Checks {
    fn that(&mut self, holds: bool, says: &str) {
        self.checks.push(Check { holds, says: format!("{}: {says}", self.phase) });
    }
}

fn of_phase(phase: &Phase) -> Vec<Check> {
    let figures = Figures::new(&phase.seen);
    let Figures { orders, lost, .. } = figures;
    let mut checks = Checks { phase: phase.plan.says(), checks: Vec::new() };
    let why = phase.seen.iter().find_map(|one| match &one.answer {
        Answer::Lost(why) => Some(why.as_str()),
        Answer::Placed(_) | Answer::Refused => None,
    });
    checks.that(orders >= 20, &format!("customers come: {orders}"));
    checks.that(lost == 0, &format!("every order is answered: {lost} are not ({})", why.unwrap_or("none")));
    of_refusals(&mut checks, phase, &figures);
    match phase.plan.ends {
        Ends::After(_) => {
            for (name, reached) in Name::ALL.into_iter().zip(phase.reached) {
                of_department(&mut checks, phase, &figures, name, reached);
            }
        }
        Ends::WhenAllIsWell => {
            let open: Vec<_> = Name::ALL.into_iter().filter(|name| !health(phase, *name).1.is_well()).collect();
            checks.that(open.is_empty(), &format!("circuits close and queues are worked off: not those of {open:?}"));
        }
    }
    checks.checks
}

/// Small orders are always placed; large ones are refused only for want of payment.
fn of_refusals(checks: &mut Checks, phase: &Phase, figures: &Figures) {
    let refused = |one: &&Seen| matches!(one.answer, Answer::Refused);
    let small = phase.seen.iter().filter(refused).filter(|one| one.order.cents <= CREDIT).count();
    checks.that(small == 0, &format!("small orders are placed: {small} are refused"));
    let large = phase.seen.iter().filter(|one| one.order.cents > CREDIT).count();
    let refused = figures.refused - small;
    match phase.plan.ends {
        Ends::After(_) if phase.plan.is_dead(Name::Payment) => {
            checks.that(refused * 2 >= large, &format!("large orders are refused: {refused} of {large}"));
        }
        // A busy machine may cost one or the other.
        Ends::After(_) => {
            checks.that(refused * 20 <= large, &format!("large orders too: {refused} of {large} are not"))
        }
        Ends::WhenAllIsWell => {}
    }
}

fn of_department(checks: &mut Checks, phase: &Phase, figures: &Figures, name: Name, reached: u64) {
    let (before, after) = health(phase, name);
    let (orders, fell_back, what) = match name {
        Name::Mail => (figures.placed, figures.mailed_later, "mails wait"),
        Name::Inventory => (figures.placed, figures.stale_stock, "orders go by stale stock"),
        Name::Payment => (figures.placed, figures.charged_later, "orders are charged later"),
        Name::Shipping => (figures.placed, figures.default_shipping, "orders have default shipping"),
    };
    let opened = after.times_opened - before.times_opened;
    let name_and = format!("{} opened {opened} times", name.as_str());
    if phase.plan.is_dead(name) {
        checks.that(opened >= 1, &name_and);
        checks.that(after.state != "closed", &format!("/health says {}: {}", name.as_str(), after.explain));
        checks.that(fell_back * 10 >= orders * 8, &format!("{fell_back} {what}, of {orders}"));
        let (calls, rejected) = (after.calls - before.calls, after.rejected - before.rejected);
        let says = format!("{} is left alone: {rejected} calls not made, {calls} made, {reached} seen", name.as_str());
        // An idle machine has two to twenty times as many that are not made. Connections that are refused are never seen.
        checks.that(rejected * 2 >= calls && reached <= rejected * 2, &says);
        // The attempts of those before it opened, one after the other, take 0.3 to 1.5 s for each.
        checks
            .that(figures.p50 < Duration::from_millis(250), &format!("half wait less than 250 ms: {:?}", figures.p50));
    } else {
        checks.that(opened == 0, &name_and);
        checks.that(fell_back * 10 <= orders, &format!("at most a tenth: {fell_back} {what}, of {orders}"));
    }
}

fn of_the_day(phases: &[Phase], done: &Done) -> Vec<Check> {
    let mut checks = Checks { phase: "in the end".into(), checks: Vec::new() };
    let placed: HashSet<u64> = phases.iter().flat_map(|phase| &phase.seen).filter_map(placed).collect();
    let Done { charged, mailed } = done;
    let missing = [charged, mailed].map(|done| placed.difference(done).count());
    checks.that(missing[0] == 0, &format!("what was placed is charged: {} of {} are not", missing[0], placed.len()));
    checks.that(missing[1] == 0, &format!("every mail is sent: {} of {} are not", missing[1], placed.len()));
    let later = phases.iter().map(|phase| Figures::new(&phase.seen).mailed_later).sum::<usize>();
    checks.that(later > 0, &format!("… {later} of them later"));
    checks.checks
}

fn placed(one: &Seen) -> Option<u64> {
    match &one.answer {
        Answer::Placed(receipt) => Some(receipt.number),
        Answer::Lost(_) | Answer::Refused => None,
    }
}

/// Returns what `/health` said of a department before and after a phase.
fn health(phase: &Phase, name: Name) -> (&DepartmentHealth, &DepartmentHealth) {
    (&phase.before.departments[name.as_str()], &phase.after.departments[name.as_str()])
}
