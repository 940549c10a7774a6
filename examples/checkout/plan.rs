//! What becomes of the departments, and when.

use std::time::Duration;

/// The departments of the shop, in the order of the names that `/health` sorts them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Mail,
    Inventory,
    Payment,
    Shipping,
}

impl Name {
    pub(crate) const ALL: [Self; 4] = [Self::Mail, Self::Inventory, Self::Payment, Self::Shipping];

    /// Returns the name of its circuit.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "e-mail",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Shipping => "shipping",
        }
    }
}

/// How a department behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Takes calls and never answers.
    Hangs,
    /// Answers 500.
    Fails,
    /// Nobody listens: connections are refused.
    Refuses,
    Works,
}

impl Behaviour {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hangs => "hangs",
            Self::Fails => "answers 500",
            Self::Refuses => "refuses connections",
            Self::Works => "works",
        }
    }
}

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Those that do not work.
    pub(crate) dead: &'static [(Name, Behaviour)],
    pub(crate) ends: Ends,
}

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    After(Duration),
    /// When all circuits are closed and nothing is left to be done; at the latest after [`PATIENCE`].
    WhenAllIsWell,
}

/// How long a recovery may take. An idle machine needs 1 to 2 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Plan {
    /// Says it in a few words.
    pub(crate) fn says(&self) -> String {
        match (self.dead, self.ends) {
            ([], Ends::After(_)) => "all work".into(),
            ([], Ends::WhenAllIsWell) => "all work again".into(),
            ([(name, behaviour)], _) => format!("{} {}", name.as_str(), behaviour.as_str()),
            _ => "all are dead at once".into(),
        }
    }

    pub(crate) fn is_dead(&self, name: Name) -> bool {
        self.dead.iter().any(|(dead, _)| *dead == name)
    }
}

const OUTAGE: Ends = Ends::After(Duration::from_millis(3_000));
const RECOVERY: Plan = Plan { dead: &[], ends: Ends::WhenAllIsWell };

/// The day of the shop: each department dies once, each in a way of its own, and then all.
pub(crate) const DAY: [Plan; 11] = [
    Plan { dead: &[], ends: Ends::After(Duration::from_millis(2_000)) },
    Plan { dead: &[(Name::Mail, Behaviour::Refuses)], ends: OUTAGE },
    RECOVERY,
    Plan { dead: &[(Name::Inventory, Behaviour::Hangs)], ends: OUTAGE },
    RECOVERY,
    Plan { dead: &[(Name::Shipping, Behaviour::Fails)], ends: OUTAGE },
    RECOVERY,
    Plan { dead: &[(Name::Payment, Behaviour::Hangs)], ends: OUTAGE },
    RECOVERY,
    Plan {
        dead: &[
            (Name::Mail, Behaviour::Fails),
            (Name::Inventory, Behaviour::Refuses),
            (Name::Payment, Behaviour::Fails),
            (Name::Shipping, Behaviour::Hangs),
        ],
        ends: OUTAGE,
    },
    RECOVERY,
];
