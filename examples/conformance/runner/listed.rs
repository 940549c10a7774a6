//! The scenarios that do not hold: each with the step where it parts and the reason, or why it does not apply.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Differs { step: &'static str, reason: &'static str },
    NotApplicable,
}

pub(crate) const LISTED: &[(&str, Listed)] = &[];
