//! The scenarios that do not hold: each with the step where it parts and the reason, or that it does not apply.
//!
//! `tests/conformance/CONTRADICTIONS.md` has the evidence; the numbers in brackets are its entries.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Differs { step: &'static str, reason: &'static str },
    NotApplicable,
}

const fn differs(step: &'static str, reason: &'static str) -> Listed {
    Listed::Differs { step, reason }
}

const EARLY: &str = "the verdict of a rate of probes falls as soon as no further probe can change it [20]";
const NO_ZERO_WAIT: &str = "a wait of zero is refused; a test moves a clock instead [18]";
const HELD_CLOSED: &str = "a circuit that is held closed counts and is silent: a rule that may not open says nothing";

pub(crate) const LISTED: &[(&str, Listed)] = &[
    (
        "gob-late-result-of-old-interval",
        differs("10", "a result is late by its phase, not by its window: it counts when it comes [26]"),
    ),
    ("polly-break-duration-by-attempt", Listed::NotApplicable),
    ("polly-config-zero-rate-accepted", differs("config", "a rate of zero is refused; it means three things [37]")),
    ("polly-default-classifier", Listed::NotApplicable),
    (
        "polly7-adv-config-minimum-of-one",
        differs("config", "a minimum of one is accepted, as in Resilience4j and opossum [38]"),
    ),
    ("polly7-adv-config-zero-wait", differs("config", NO_ZERO_WAIT)),
    ("polly7-config-zero-wait", differs("config", NO_ZERO_WAIT)),
    (
        "polly7-half-open-event-on-read",
        differs("5", "a reader changes nothing; the transition comes with the call [13]"),
    ),
    ("polly7-huge-wait", differs("config", "a wait of 29,000 years is a slip: all durations are bounded by a year")),
    ("r4j-closed-to-half-open-is-illegal", Listed::NotApplicable),
    ("r4j-config-after-max-wait-half-open", Listed::NotApplicable),
    (
        "r4j-config-backoff-good-factors",
        differs(
            "config",
            "a spread of 1 draws waits of nothing; at most 0.9, and `Jitter::Full` says it where it is meant",
        ),
    ),
    (
        "r4j-config-zero-max-wait",
        differs("config", "a zero that means none is refused: no half-open phase is without an end [23]"),
    ),
    (
        "r4j-half-open-max-wait-reopens",
        differs("5", "time in which nobody calls does not count against a half-open phase [23]"),
    ),
    ("r4j-half-open-max-wait-closes", Listed::NotApplicable),
    ("r4j-half-open-reopens-above-rate", differs("6", EARLY)),
    ("r4j-half-open-reopens-on-slow-rate", differs("3", EARLY)),
    ("r4j-ignored-probe-returns-permit", differs("9", EARLY)),
    ("r4j-many-ignored-probes-then-close", differs("14", EARLY)),
    ("r4j-metrics-only-never-trips", differs("21", HELD_CLOSED)),
    ("r4j-metrics-only-one-event-per-breach", differs("3", HELD_CLOSED)),
    (
        "r4j-metrics-only-starts-empty",
        differs("5", "a mode is a wish over what is measured: it takes nothing from the window"),
    ),
    (
        "r4j-minimum-clamped-to-ring",
        differs("config", "a minimum above the window is refused, not made smaller in silence [5]"),
    ),
    (
        "r4j-success-can-trip-when-minimum-is-reached",
        differs("13", "a success never opens: only a failure or a slow call is judged [3]"),
    ),
];
