//! Parts of the schema that the four files do not use, and other files may.

use super::{Verdict, judged};

const WINDOW: &str = r#""trip": {"kind": "count_window", "window": 4, "minimum_calls": 2, "failure_rate": 0.5}"#;
const RUN: &str = r#""trip": {"kind": "consecutive", "failure_threshold": 1}"#;

/// A file with one scenario.
fn file(rest: &str) -> String {
    format!(
        r#"{{"schema": "breaker-conformance/1", "system": "a test", "repo": "", "commit": "", "about": "",
            "semantics": {{}}, "scenarios": [{{"id": "a-new-one", "source": "", "concept": "", {rest}}}]}}"#
    )
}

fn verdict(rest: &str) -> Verdict {
    judged(&file(rest)).remove(0).verdict
}

fn passes(rest: &str) {
    let verdict = verdict(rest);
    assert_eq!(verdict, Verdict::Passed, "{rest}");
}

#[test]
fn an_inner_rejection_is_a_drop_for_the_outer_breakers_of_a_stack() {
    passes(&format!(
        r#""config": {{"breakers": {{"inner": {{{RUN}}}, "outer": {{{RUN}, "cancel_counts_as": "failure"}}}},
                "order": ["outer", "inner"]}},
            "steps": [{{"op": "call", "outcome": "failure", "on": "inner", "expect": "permitted"}},
                {{"op": "expect", "state": "open", "on": "inner"}},
                {{"op": "expect", "state": "closed", "on": "outer"}},
                {{"op": "call", "outcome": "success", "expect": "rejected", "rejected_by": "inner"}},
                {{"op": "expect", "state": "open", "on": "outer"}},
                {{"op": "call", "outcome": "success", "expect": "rejected", "rejected_by": "outer"}}]"#
    ));
    let missing = format!(r#""config": {{"breakers": {{"a": {{{RUN}}}}}, "order": ["a", "b"]}}, "steps": []"#);
    assert!(super::run(&file(&missing)).is_err_and(|fault| fault.contains('b')));
}

#[test]
fn policies_are_joined_by_or_unless_one_has_its_own_wait() {
    let policies = r#"{"kind": "consecutive", "failure_threshold": 2},
        {"kind": "time_window", "window_ms": 10000, "minimum_calls": 4, "failure_rate": 0.5}"#;
    let steps = r#""steps": [{"op": "call", "outcome": "failure"}, {"op": "call", "outcome": "success"},
        {"op": "call", "outcome": "failure"}, {"op": "call", "outcome": "success"}, {"op": "expect", "state": "closed"},
        {"op": "call", "outcome": "failure"}, {"op": "expect", "state": "open", "reason": "failure_rate"}]"#;
    passes(&format!(r#""config": {{"trip": {{"kind": "any_of", "policies": [{policies}]}}}}, {steps}"#));
    let own = r#"{"kind": "consecutive", "failure_threshold": 2, "open": {"wait_ms": 5}}"#;
    let own = verdict(&format!(r#""config": {{"trip": {{"kind": "any_of", "policies": [{own}]}}}}, {steps}"#));
    assert!(matches!(own, Verdict::NotApplicable(_)), "{own:?}");
}

#[test]
fn slow_outcomes_move_no_clock() {
    passes(
        r#""config": {"trip": {"kind": "count_window", "window": 4, "minimum_calls": 2, "slow_call_rate": 0.5,
                "slow_call_duration_ms": 1000}, "open": {"wait_ms": 500}, "half_open": {"permitted_calls": 1}},
            "steps": [{"op": "call", "outcome": "slow"}, {"op": "expect", "state": "closed", "counts": {"slow": 1}},
                {"op": "call", "outcome": "slow_failure"},
                {"op": "expect", "state": "open", "counts": {"slow": 2, "failure": 1}, "reason": "slow_call_rate"}]"#,
    );
}

#[test]
fn a_window_is_judged_when_full_where_a_switch_says_so() {
    let failures = r#"{"op": "call", "outcome": "failure", "times": 2}"#;
    let full = |switches: &str, states: [&str; 2]| {
        passes(&format!(
            r#""semantics": {switches}, "config": {{{WINDOW}}}, "steps": [{failures},
                {{"op": "expect", "state": "{}"}}, {failures}, {{"op": "expect", "state": "{}"}}]"#,
            states[0], states[1]
        ));
    };
    full(r#"{"window_readiness": "full"}"#, ["closed", "open"]);
    full("{}", ["open", "open"]);
}

#[test]
fn buckets_begin_at_multiples_or_at_the_creation() {
    let left = |alignment: &str, total: u32| {
        passes(&format!(
            r#""semantics": {{"time_window_alignment": "{alignment}"}}, "subject": "window",
                "config": {{"kind": "time_window", "window_ms": 5000, "bucket_ms": 1000, "clock_start_ms": 900}},
                "steps": [{{"op": "record", "outcome": "success"}}, {{"op": "advance", "ms": 4200}},
                    {{"op": "expect", "counts": {{"total": {total}}}}}]"#
        ));
    };
    left("epoch", 0);
    left("start", 1);
}

#[test]
fn what_we_do_not_have_does_not_apply() {
    let breaker = |steps: &str| format!(r#""config": {{{WINDOW}}}, "steps": [{steps}]"#);
    for rest in [
        breaker(r#"{"op": "preset", "counter": "rejected", "value": 9}"#),
        breaker(r#"{"op": "force", "to": "half_open", "expect": "error"}"#),
        r#""config": {"trip": {"kind": "ema", "required_success_rate": 0.9, "window_calls": 9}}, "steps": []"#.into(),
        format!(r#""config": {{{WINDOW}, "half_open": {{"capacity": 3}}}}, "steps": []"#),
        format!(r#""semantics": {{"half_open_rule": "ratio"}}, "config": {{{WINDOW}}}, "steps": []"#),
        r#""subject": "retry_budget", "config": {"ttl_ms": 9}, "steps": []"#.into(),
        r#""subject": "bulkhead", "config": {"max_concurrent": 1}, "steps": []"#.into(),
    ] {
        let verdict = verdict(&rest);
        assert!(matches!(verdict, Verdict::NotApplicable(_)), "{rest}: {verdict:?}");
    }
}

#[test]
fn the_clock_may_be_set_back() {
    passes(&format!(
        r#""config": {{{WINDOW}, "open": {{"wait_ms": 1000}}, "clock_start_ms": 5000}},
            "steps": [{{"op": "call", "outcome": "failure", "times": 2}}, {{"op": "set_clock", "ms": 2000}},
                {{"op": "call", "outcome": "success", "expect": "rejected"}}, {{"op": "set_clock", "ms": 6000}},
                {{"op": "call", "outcome": "success", "expect": "permitted"}}]"#
    ));
}
