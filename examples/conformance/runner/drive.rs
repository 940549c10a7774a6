//! A breaker, or a stack of them, led through the steps of a scenario.

use std::{collections::HashMap, time::Duration};

use tower_breaker::{Failure, Instant, Outcome, clock::Clock, config::CancelledAfter};

use super::{
    Fault, Verdict,
    clock::Virtual,
    hearts::{Answer, Call},
    notes::{Note, Notes},
    plan::{Cannot, Plan, duration},
    reads::{millis, near},
    settings::{Breaker, Class, Number},
    steps::{Leave, Step, Target},
    switches::Switches,
    tracked::Tracked,
};

/// The breakers of a scenario, outermost first, and the calls that are under way in them.
struct Run<'a> {
    breakers: Vec<(&'a str, &'a Breaker, Tracked)>,
    switches: &'a Switches,
    clock: Virtual,
    calls: HashMap<String, Option<Admitted>>,
    notes: &'a mut Notes,
}

/// A call that passed, with the breakers that it passed.
struct Admitted(Vec<(usize, Call)>);

/// What a call is told.
enum Told {
    Passed(Admitted),
    Refused { by: usize, retry_after: Option<Duration> },
}

/// What a call says about its answer.
struct Wanted<'a> {
    expect: Option<Leave>,
    #[expect(clippy::option_option, reason = "left out, null and a number are three things")]
    retry_after_ms: Option<Option<f64>>,
    rejected_by: Option<&'a str>,
}

pub(super) fn drive(breakers: &[(String, Breaker)], steps: &[Step], switches: &Switches, notes: &mut Notes) -> Verdict {
    if let Some(reason) = steps.iter().find_map(not_ours) {
        return Verdict::NotApplicable(reason.into());
    }
    let clock = Virtual::default();
    let mut stack = Vec::new();
    for (name, breaker) in breakers {
        let plan = match Plan::new(breaker, switches, notes) {
            Ok(plan) => plan,
            Err(Cannot::Express(what)) => return Verdict::NotApplicable(format!("no setting of ours is {what}")),
            Err(Cannot::Take(why)) => return Fault::new("config", why).into(),
        };
        clock.set(Instant::ZERO.after(plan.created));
        let start = plan.start;
        match Tracked::new(plan, &clock) {
            Ok(tracked) => stack.push((name.as_str(), breaker, tracked)),
            Err(why) => return Fault::new("config", why).into(),
        }
        clock.set(Instant::ZERO.after(start));
    }
    let mut run = Run { breakers: stack, switches, clock, calls: HashMap::new(), notes };
    match run.steps(steps, "") {
        Ok(()) => Verdict::Passed,
        Err(fault) => fault.into(),
    }
}

/// Why a step has no counterpart, if it has none.
fn not_ours(step: &Step) -> Option<&'static str> {
    match step {
        Step::Force { to: Target::HalfOpen, expect: Some(_), .. } => Some("no call of ours forces half-open"),
        Step::Force { expect: Some(super::steps::Obeyed::Error), .. } => Some("no call of an operator's is refused"),
        Step::Preset { .. } => Some("no counter can be preset"),
        Step::Repeat { steps, .. } => steps.iter().find_map(not_ours),
        _ => None,
    }
}

impl<'a> Run<'a> {
    fn steps(&mut self, steps: &[Step], above: &str) -> Result<(), Fault> {
        for (i, step) in steps.iter().enumerate() {
            let place = format!("{above}{}", i + 1);
            if let Step::Repeat { count, steps } = step {
                for turn in 1..=*count {
                    self.steps(steps, &format!("{place} (turn {turn})."))?;
                }
                continue;
            }
            self.step(step).map_err(|what| Fault::new(&place, what))?;
            // Also where nothing is asserted the two hearts must agree.
            self.breakers
                .iter()
                .try_for_each(|(.., tracked)| tracked.snapshot().map(drop))
                .map_err(|what| Fault::new(&place, what))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Advance { ms } => self.clock.advance(span(*ms)?),
            Step::Begin { id, expect, retry_after_ms, rejected_by, on, via } => {
                let wanted =
                    Wanted { expect: *expect, retry_after_ms: *retry_after_ms, rejected_by: rejected_by.as_deref() };
                let told = self.begin(on.as_deref(), via.is_some())?;
                self.check_answer(&wanted, &told)?;
                let call = match told {
                    Told::Passed(call) => Some(call),
                    Told::Refused { .. } => None,
                };
                if self.calls.insert(id.clone(), call).flatten().is_some() {
                    return Err(format!("{id} is under way already"));
                }
            }
            Step::Call { outcome, duration_ms, times, expect, retry_after_ms, rejected_by, on, via } => {
                let wanted =
                    Wanted { expect: *expect, retry_after_ms: *retry_after_ms, rejected_by: rejected_by.as_deref() };
                for turn in 1..=times.unwrap_or(1) {
                    let told = self.begin(on.as_deref(), via.is_some())?;
                    self.check_answer(&wanted, &told).map_err(|what| format!("{what} (call {turn})"))?;
                    if let Told::Passed(call) = told {
                        self.clock.advance(span(duration_ms.unwrap_or_default())?);
                        self.end(call, Some(outcome))?;
                    }
                }
            }
            Step::Drop { id } | Step::End { id, .. } => {
                let outcome = if let Step::End { outcome, .. } = step { Some(outcome.as_str()) } else { None };
                // It may have been rejected, or have ended before: what is dropped then is no call.
                let call = self.calls.get_mut(id).ok_or_else(|| format!("{id} has not begun"))?.take();
                call.map_or(Ok(()), |call| self.end(call, outcome))?;
            }
            Step::Expect(expected) => {
                let (switches, at) = (self.switches, self.place(expected.on.as_deref())?);
                self.breakers[at].2.check(expected, switches, self.notes)?;
            }
            Step::ExpectEventCount { r#type, equals, on } => {
                let at = self.place(on.as_deref())?;
                self.breakers[at].2.check_event_count(*r#type, *equals, self.notes)?;
            }
            Step::ExpectEvents { equals, types, on } => {
                let at = self.place(on.as_deref())?;
                self.breakers[at].2.check_events(equals, types.as_deref(), self.notes)?;
            }
            Step::Force { to, for_ms, until_ms, on, .. } => {
                let now = self.clock.now();
                let until = until_ms.map(|ms| span(ms).map(|until| Instant::ZERO.after(until).since(now)));
                let wait = for_ms.map(span).or(until).transpose()?;
                let at = self.place(on.as_deref())?;
                self.breakers[at].2.force(*to, wait, self.notes)?;
            }
            Step::SetClock { ms } => self.clock.set(Instant::ZERO.after(span(*ms)?)),
            Step::Preset { .. } | Step::Repeat { .. } => return Err("it is handled elsewhere".into()),
        }
        Ok(())
    }

    /// Which breaker is meant, if one alone can be.
    fn place(&self, on: Option<&str>) -> Result<usize, String> {
        match on {
            Some(name) => {
                self.breakers.iter().position(|(known, ..)| *known == name).ok_or_else(|| format!("no {name}"))
            }
            None if self.breakers.len() == 1 => Ok(0),
            None => Err("which breaker of the stack is meant?".into()),
        }
    }

    /// Asks the breakers one after another; those that let it pass see a drop if a later one does not.
    fn begin(&mut self, on: Option<&str>, by_clone: bool) -> Result<Told, String> {
        let asked = match on {
            Some(_) => vec![self.place(on)?],
            None => (0..self.breakers.len()).collect(),
        };
        let mut passed = Vec::new();
        for at in asked {
            match self.breakers[at].2.begin(by_clone)? {
                Answer::Admitted(call) => passed.push((at, call)),
                Answer::Rejected { retry_after } => {
                    self.end(Admitted(passed), None)?;
                    return Ok(Told::Refused { by: at, retry_after });
                }
            }
        }
        Ok(Told::Passed(Admitted(passed)))
    }

    /// Innermost first; no outcome is a drop.
    fn end(&mut self, call: Admitted, outcome: Option<&str>) -> Result<(), String> {
        for (at, call) in call.0.into_iter().rev() {
            let (_, breaker, tracked) = &mut self.breakers[at];
            let Some(label) = outcome else {
                if tracked.plan.config.cancelled_after != CancelledAfter::Never {
                    self.notes.add(Note::By("`cancelled_after` of zero makes a dropped call a failure"));
                }
                tracked.end(call, None)?;
                continue;
            };
            let (outcome, slow) = meaning(label, breaker, self.switches)?;
            let now = self.clock.now();
            if slow {
                let limit = tracked.plan.config.slow_calls.map(|slow| slow.duration).unwrap_or_default();
                self.notes.add(Note::By("the clock is put forward for the end of a slow call, and back"));
                self.clock.advance(limit + Duration::from_nanos(1));
            }
            tracked.end(call, Some(outcome))?;
            self.clock.set(now);
        }
        Ok(())
    }

    fn check_answer(&self, wanted: &Wanted<'_>, told: &Told) -> Result<(), String> {
        match (wanted.expect, told) {
            (Some(Leave::Permitted), Told::Refused { retry_after, .. }) => {
                Err(format!("the call was rejected, retry after {retry_after:?}"))
            }
            (Some(Leave::Rejected), Told::Passed(_)) => Err("the call was permitted".into()),
            (_, Told::Passed(_)) if wanted.retry_after_ms.is_some() || wanted.rejected_by.is_some() => {
                Err("the call was permitted".into())
            }
            (_, Told::Refused { by, retry_after }) => {
                let by = self.breakers[*by].0;
                if wanted.rejected_by.is_some_and(|name| name != by) {
                    return Err(format!("the call was rejected by {by}"));
                }
                near("retry after (ms)", wanted.retry_after_ms, millis(*retry_after), 1e-6)
            }
            (_, Told::Passed(_)) => Ok(()),
        }
    }
}

/// What the user's classifier makes of a label, and whether the call is slow without any time passing.
fn meaning(label: &str, breaker: &Breaker, switches: &Switches) -> Result<(Outcome, bool), String> {
    let class = match (breaker.classify.get(label), label) {
        (Some(class), _) => *class,
        (None, "success" | "slow") => Class::Success,
        (None, "failure" | "timeout" | "panic" | "slow_failure") => Class::Failure,
        (None, "ignored") => Class::Ignored,
        (None, _) => return Err(format!("this breaker does not know the outcome `{label}`")),
    };
    let demanded = breaker.open_for_outcome.get(label).copied();
    let outcome = match (class, demanded) {
        (Class::Failure, None) => Outcome::failure(),
        (Class::Failure, Some(Number(ms))) => Failure::new().tripping().retry_after(span(ms)?).into(),
        (Class::Success | Class::Ignored, Some(_)) => return Err("only a failure can demand to be left alone".into()),
        (Class::Success, None) => Outcome::Success,
        (Class::Ignored, None) if switches.is("ignored_as", "success") => Outcome::Success,
        (Class::Ignored, None) => Outcome::Ignored,
    };
    Ok((outcome, matches!(label, "slow" | "slow_failure")))
}

fn span(ms: f64) -> Result<Duration, String> {
    duration(Number(ms)).map_err(|why| format!("{why:?}"))
}
