//! What people read during the run.

use std::{net::SocketAddr, time::Duration};

use tower_breaker::State;

use crate::{
    desk,
    load::Call,
    measure::{Waits, share},
    process::Change,
    report::{number, percent, wait},
    screen::{Paint, Screen},
    sides::Sides,
    timeline::{Behaviour, Phase},
};

/// Prints what happens.
pub(crate) struct Live<'a> {
    screen: &'a Screen,
    /// A line for each probe too.
    probes: bool,
    lasts: Duration,
    failed_probes: u32,
}

impl<'a> Live<'a> {
    pub(crate) fn new(screen: &'a Screen, probes: bool, lasts: Duration) -> Self {
        Self { screen, probes, lasts, failed_probes: 0 }
    }

    /// Says where to look, and what the numbers in the lines of the circuit are.
    pub(crate) fn header(&self, desk: Option<SocketAddr>) {
        self.screen.line(&format!("{}\n", desk::sign(desk)));
        let line = "   time   circuit        calls  rejected      p50      p99   why";
        self.screen.line(&self.screen.paint(Paint::Bold, line));
    }

    pub(crate) fn phase_begins(&self, phase: &Phase) {
        let paint = if phase.behaviour == Behaviour::Works { Paint::Good } else { Paint::Bad };
        let what = format!("── the back end {}", phase.behaviour.as_str());
        self.screen.line(&format!("{} {}", time(phase.begins), self.screen.paint(paint, &what)));
    }

    /// Sums a phase up; `calls` are those that ended in it.
    pub(crate) fn phase_ended(&self, calls: Sides<Vec<Call>>, reached: Sides<u64>) {
        let describe = |calls: &[Call], reached: u64| {
            let Waits { p50, p99 } = Waits::of(calls.iter());
            let (p50, p99) = (wait(p50), wait(p99));
            format!(
                "{:>5} served, p50 {p50:>7}, p99 {p99:>7}, {:>5} calls reached it",
                percent(share(calls)),
                number(reached)
            )
        };
        let without = describe(&calls.without, reached.without);
        let with = describe(&calls.with, reached.with);
        self.screen.line(&self.screen.paint(Paint::Dim, &format!("         without: {without}")));
        self.screen.line(&self.screen.paint(Paint::Dim, &format!("            with: {with}")));
    }

    /// `calls` are those that ended in the last second.
    pub(crate) fn changed(&mut self, at: Duration, change: &Change, calls: &[Call]) {
        if change.is_probe() && !self.probes {
            self.failed_probes += u32::from(change.to == State::Open);
            return;
        }
        let (sign, paint) = match change.to {
            State::Closed => ("○", Paint::Good),
            State::HalfOpen => ("◐", Paint::Careful),
            State::Open => ("●", Paint::Bad),
            State::Recovering => ("◔", Paint::Careful),
        };
        let state = self.screen.paint(paint, &format!("{sign} {:<10}", change.to.as_str()));
        let Waits { p50, p99 } = Waits::of(calls.iter());
        let probes = match std::mem::take(&mut self.failed_probes) {
            0 => String::new(),
            1 => " after one that failed".into(),
            failed => format!(" after {failed} that failed"),
        };
        let (calls, rejected) = (number(change.calls), number(change.rejected));
        let (p50, p99) = (wait(p50), wait(p99));
        let counts = format!("{calls:>7}  {rejected:>8}  {p50:>7}  {p99:>7}");
        self.screen.line(&format!("{}   {state} {counts}   {}{probes}", time(at), change.reason));
    }

    pub(crate) fn progress(&self, now: Duration) {
        self.screen.progress(&format!("{} of {:.0} s …", time(now), self.lasts.as_secs_f64()));
    }
}

fn time(time: Duration) -> String {
    format!("{:>5.1} s", time.as_secs_f64())
}
