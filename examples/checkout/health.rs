//! What `/health` tells: each circuit, what it does and why, and what waits to be done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tower_breaker::{Circuit, State, fallback::Counts, machine::Snapshot, stack::StackLayer};

use crate::outbox::Outbox;

/// The answer of `/health`. The shop is up as long as it answers; this says how well.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Health {
    pub(crate) all_well: bool,
    pub(crate) departments: BTreeMap<String, DepartmentHealth>,
}

/// How one department is doing, as the shop sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DepartmentHealth {
    pub(crate) state: String,
    /// What the circuit does, and why.
    pub(crate) explain: String,
    pub(crate) times_opened: u64,
    /// Calls that reached the department or were meant to, and those that were not made.
    pub(crate) calls: u64,
    pub(crate) rejected: u64,
    /// Answers of the fallback, and how often it had none.
    pub(crate) fallbacks: u64,
    pub(crate) without_fallback: u64,
    /// Orders that are to be carried out once the department is back.
    pub(crate) waiting: u64,
}

/// What there is to look at in a department's client.
pub(crate) struct Department {
    circuit: Circuit,
    fallback: Counts,
    outbox: Option<Outbox>,
}

impl Health {
    pub(crate) fn new<'a>(departments: impl IntoIterator<Item = &'a Department>) -> Self {
        let named = |department: &Department| (department.circuit.name().to_owned(), department.health());
        let departments: BTreeMap<_, _> = departments.into_iter().map(named).collect();
        Self { all_well: departments.values().all(DepartmentHealth::is_well), departments }
    }
}

impl DepartmentHealth {
    pub(crate) fn is_well(&self) -> bool {
        self.state == State::Closed.as_str() && self.waiting == 0
    }
}

impl Department {
    pub(crate) fn new<L>(stack: &StackLayer<L>, fallback: Counts) -> Self {
        Self { circuit: stack.circuit().clone(), fallback, outbox: None }
    }

    pub(crate) fn outbox(self, outbox: Outbox) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    fn health(&self) -> DepartmentHealth {
        let snapshot = self.circuit.snapshot();
        let explain = snapshot.explain();
        let Snapshot { state, times_opened, ledger, .. } = snapshot;
        DepartmentHealth {
            state: state.as_str().to_owned(),
            explain,
            times_opened,
            calls: ledger.ended(),
            rejected: ledger.rejected,
            fallbacks: self.fallback.used(),
            without_fallback: self.fallback.failed() + self.fallback.shed(),
            waiting: self.outbox.as_ref().map_or(0, Outbox::waiting),
        }
    }
}
