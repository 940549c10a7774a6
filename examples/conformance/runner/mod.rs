//! Runs the scenarios of `tests/conformance` (or of any file of that schema) against the pure machine and the circuit.
//!
//! `schema.rs`, `settings.rs` and `steps.rs` read a file, `plan.rs` makes a config of ours, `drive.rs` and `others.rs`
//! lead it through the steps, `reads.rs` answers what is asked. `listed.rs` has the scenarios that differ on purpose.

mod clock;
mod drive;
mod force;
mod hearts;
mod listed;
mod notes;
mod others;
mod plan;
mod reads;
mod schema;
mod settings;
mod steps;
mod switches;
mod tracked;

use schema::{File, Profile, Scenario, Subject};

pub(crate) use self::{
    listed::{LISTED, Listed},
    notes::{Note, Notes},
};

/// A step that does not hold, and what was there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) step: String,
    pub(crate) what: String,
}

impl Fault {
    fn new(step: &str, what: impl Into<String>) -> Self {
        Self { step: step.into(), what: what.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fails at the step where it is listed to.
    Differs {
        fault: Fault,
        reason: &'static str,
    },
    Failed(Fault),
    NotApplicable(String),
    Passed,
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// A scenario that was run.
pub(crate) struct Judged {
    pub(crate) id: String,
    pub(crate) verdict: Verdict,
    pub(crate) notes: Notes,
    /// Switches that it declares with a value that is not ours.
    pub(crate) not_ours: Vec<String>,
}

pub(crate) enum Report {
    /// A profile has no scenarios: only which of its advised values are not ours.
    Profile {
        not_ours: Vec<String>,
    },
    Scenarios {
        system: String,
        commit: String,
        judged: Vec<Judged>,
    },
}

/// Runs a file of the schema.
///
/// An error is text that is not of the schema: nothing of such a file is run.
pub(crate) fn run(text: &str) -> Result<Report, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("schema").is_none() {
        let profile: Profile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        return Ok(Report::Profile { not_ours: profile.semantics.not_ours() });
    }
    let file = File::parse(text)?;
    let judged = file.scenarios.iter().map(judge).collect();
    Ok(Report::Scenarios { system: file.system, commit: file.commit, judged })
}

fn judge(scenario: &Scenario) -> Judged {
    let mut notes = Notes::default();
    let switches = &scenario.switches;
    let verdict = match &scenario.subject {
        Subject::Backoff(backoff, steps) => others::waits(backoff, steps),
        Subject::Breaker(breakers, steps) => drive::drive(breakers, steps, switches, &mut notes),
        Subject::Config { config, valid } => others::config(config, *valid, switches, &mut notes),
        Subject::Elsewhere(reason) => Verdict::NotApplicable((*reason).into()),
        Subject::Window(window, steps) => others::window(window, steps, switches, &mut notes),
    };
    let listed = LISTED.iter().find(|(id, _)| *id == scenario.id).map(|(_, listed)| *listed);
    let id = scenario.id.clone();
    Judged { id, verdict: compare(verdict, listed), notes, not_ours: switches.not_ours() }
}

/// What is listed must be so, or the list rots.
fn compare(verdict: Verdict, listed: Option<Listed>) -> Verdict {
    match (verdict, listed) {
        (Verdict::Failed(fault), Some(Listed::Differs { step, reason })) if fault.step == step => {
            Verdict::Differs { fault, reason }
        }
        (Verdict::Passed, Some(listed)) => {
            Fault::new("list", format!("it holds now, and is listed: {listed:?}")).into()
        }
        (Verdict::NotApplicable(reason), Some(Listed::Differs { .. })) => {
            Fault::new("list", format!("it is not applicable now ({reason}), and is listed to differ")).into()
        }
        (verdict, _) => verdict,
    }
}
