//! What is counted in the closed state, in plain numbers.

use std::{sync::Arc, time::Duration};

use crate::{
    machine::{
        rules::{Counts, Rules, traffic},
        settings::Settings,
        trouble::Trouble,
    },
    outcome::Failure,
    time::{Instant, nanos},
    window::{AnyWindow, Entry, Totals},
};

/// One finished call that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) failure: Option<Failure>,
    pub(crate) slow: bool,
}

impl Counted {
    /// Whether it is a success that nothing more is to be said of.
    fn is_plain(self) -> bool {
        self.failure.is_none() && !self.slow
    }

    pub(crate) fn entry(self) -> Entry {
        Entry { failures: self.failure.map_or(0, Failure::units), slow: self.slow }
    }
}

/// The counts of one closed phase.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    settings: Arc<Settings>,
    windows: Box<[AnyWindow]>,
    since: Instant,
    /// Since when the window that tells the traffic has been counting, if it is younger than the phase and there at all.
    vitals_since: Instant,
    /// Calls that the window of [`Rules::estimates`] does not know yet, and since when.
    unmetered: u64,
    metered_at: Instant,
    net: u32,
    run: u32,
    run_began: Instant,
    /// The usual latency in nanoseconds, zero while unknown.
    latency: u64,
    trouble: Trouble,
    sample_due: bool,
    /// Plain successes of this phase.
    plain: u64,
}

impl Tally {
    pub(crate) fn new(settings: Arc<Settings>, start: Instant) -> Self {
        let windows = settings.rules.windows.iter().map(|window| AnyWindow::new(*window, start)).collect();
        Self {
            settings,
            windows,
            since: start,
            vitals_since: start,
            unmetered: 0,
            metered_at: start,
            net: 0,
            run: 0,
            run_began: start,
            latency: 0,
            trouble: Trouble::default(),
            sample_due: false,
            plain: 0,
        }
    }

    /// Begins a closed phase: nothing is left of the one before but the usual latency.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.windows.iter_mut().for_each(|window| window.begin(now));
        self.since = now;
        self.unmetered = 0;
        self.metered_at = now;
        self.net = 0;
        self.run = 0;
        self.trouble.end();
        self.plain = 0;
        self.sample_due = false;
    }

    /// Takes other rules and keeps the windows that they still look at.
    pub(crate) fn replace(&mut self, settings: Arc<Settings>, now: Instant) {
        let rules = &settings.rules;
        self.meter(now);
        self.unmetered = 0;
        self.metered_at = now;
        if !self.rules().counts_traffic() {
            self.vitals_since = now;
        }
        let mut old: Vec<_> =
            self.settings.rules.windows.iter().copied().zip(std::mem::take(&mut self.windows)).collect();
        let mut keep = |window| old.iter().position(|(known, _)| *known == window).map(|at| old.swap_remove(at).1);
        let since = self.since;
        let fresh = |window| {
            let mut window = AnyWindow::new(window, now);
            window.begin(since);
            window
        };
        self.windows = rules.windows.iter().map(|window| keep(*window).unwrap_or_else(|| fresh(*window))).collect();
        // What nobody counts any more must not be there when somebody asks again.
        if rules.evidence.is_none() {
            self.net = 0;
        }
        if !rules.counts_run {
            self.run = 0;
        }
        self.settings = settings;
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.settings.rules
    }

    /// Reports whether the next call is timed to learn the usual latency.
    ///
    /// It is the first of each phase and of each bucket, and one in 128 successes, so that a quiet circuit learns from nearly
    /// every call and a busy one pays for few clock reads. Where nobody asks for it nothing is learnt.
    pub(crate) fn times_next(&mut self) -> bool {
        self.take_sample() || self.settings.rules.sample() && is_sampled(self.plain)
    }

    /// Reports whether a sample is due whatever the count, and forgets it.
    pub(crate) fn take_sample(&mut self) -> bool {
        self.settings.rules.sample() && std::mem::take(&mut self.sample_due)
    }

    /// The next call should be timed.
    pub(crate) fn ask_sample(&mut self) {
        self.sample_due = true;
    }

    pub(crate) fn plain(&self) -> u64 {
        self.plain
    }

    /// Forgets the usual latency, which a new phase does not.
    pub(crate) fn forget_latency(&mut self) {
        self.latency = 0;
        self.trouble.forget_time();
    }

    /// Learns from a failure that took so long.
    pub(crate) fn learn_failure(&mut self, took: Duration) {
        self.trouble.learn(took);
    }

    /// Since when bad calls have outweighed good ones, if they do.
    pub(crate) fn trouble_began(&self) -> Option<Instant> {
        self.trouble.began()
    }

    pub(crate) fn usual_latency(&self) -> Option<Duration> {
        (self.latency > 0).then(|| Duration::from_nanos(self.latency))
    }

    /// Forgets failures beyond those that would have opened the circuit, had it not been held closed: once it is released,
    /// a long outage before must not outweigh a long health after.
    pub(crate) fn forget_excess(&mut self, now: Instant) {
        if let Some(evidence) = &self.settings.rules.evidence {
            self.net = self.net.min(evidence.needed_units(self.traffic(now)));
        }
    }

    /// Takes note of the time: new buckets may begin.
    pub(crate) fn turn(&mut self, now: Instant) {
        let exact = self.settings.rules.exact();
        for window in &mut self.windows[..exact] {
            self.sample_due |= window.turn(now);
        }
    }

    /// Until when a plain success counts the same, whenever it ends: the end of the first bucket that ends.
    pub(crate) fn turns_at(&self) -> Instant {
        self.windows[..self.settings.rules.exact()].iter().map(AnyWindow::turns_at).min().unwrap_or(Instant::FAR)
    }

    /// Counts a call that ended `now`.
    pub(crate) fn record(&mut self, call: Counted, now: Instant) {
        self.turn(now);
        if call.is_plain() {
            return self.successes(1);
        }
        self.meter(now);
        self.windows.iter_mut().for_each(|window| window.record(call.entry()));
        match call.failure {
            Some(failure) => {
                self.trouble.grow(failure.units(), now);
                self.failed(failure, now);
            }
            None => {
                self.trouble.grow(SLOW, now);
                self.succeeded(1);
            }
        }
    }

    /// Learns from a success that took so long, before it is counted.
    pub(crate) fn learn(&mut self, took: Duration, now: Instant) {
        self.meter(now);
        if self.net == 0 {
            self.latency = averaged(self.latency, took);
        }
    }

    /// Counts plain successes that ended before [`Tally::turns_at`], in any order among themselves.
    ///
    /// What one success does, k of them do at once: the sum of what each takes away from the evidence ends at zero too, and
    /// the first ends the run of failures.
    pub(crate) fn successes(&mut self, calls: u64) {
        let exact = self.settings.rules.exact();
        self.windows[..exact].iter_mut().for_each(|window| window.successes(calls));
        self.plain += calls;
        self.unmetered += calls;
        self.trouble.ease(self.settings.rules.comfort, calls);
        self.succeeded(calls);
    }

    /// Tells the window that estimates the traffic of the plain successes up to `now`.
    fn meter(&mut self, now: Instant) {
        if !self.settings.rules.estimates {
            return;
        }
        let recent = self.recent(now);
        self.unmetered = 0;
        self.metered_at = now.max(self.metered_at);
        if let Some(window) = self.windows.last_mut() {
            self.sample_due |= window.turn(now);
            window.successes(recent);
        }
    }

    /// How many of the plain successes that the estimate does not know yet are recent: as if they had come evenly, since
    /// nobody has looked at the clock for them.
    fn recent(&self, now: Instant) -> u64 {
        let since = nanos(now.since(self.metered_at));
        let length = nanos(METER_LENGTH);
        if since <= length { self.unmetered } else { share(self.unmetered, length, since) }
    }

    fn succeeded(&mut self, calls: u64) {
        if calls == 0 {
            return;
        }
        if let Some(evidence) = &self.settings.rules.evidence {
            let relief = u64::from(evidence.relief).saturating_mul(calls);
            self.net = self.net.saturating_sub(u32::try_from(relief).unwrap_or(u32::MAX));
        }
        self.run = 0;
    }

    fn failed(&mut self, failure: Failure, now: Instant) {
        if self.settings.rules.evidence.is_some() {
            self.net = self.net.saturating_add(failure.units());
        }
        if self.settings.rules.counts_run && !failure.is_rate_limited() {
            if self.run == 0 {
                self.run_began = now;
            }
            self.run = self.run.saturating_add(failure.units());
        }
    }
}

impl Counts for Tally {
    fn totals(&self, window: usize, now: Instant) -> Totals {
        let mut totals = self.windows[window].totals(now);
        if self.settings.rules.estimates && window == self.settings.rules.exact() {
            totals.calls += self.recent(now);
        }
        totals
    }

    fn net(&self) -> u32 {
        self.net
    }

    fn run(&self) -> (u32, Instant) {
        (self.run, self.run_began)
    }

    fn traffic(&self, now: Instant) -> f64 {
        let since = self.since.max(self.vitals_since);
        self.settings.rules.vitals.map_or(0.0, |window| traffic(self.totals(window, now).calls, since, now))
    }

    fn failure_time(&self) -> Option<Duration> {
        self.trouble.failure_time()
    }
}

/// How bad a slow success is, in hundredths of a failure.
const SLOW: u32 = 100;

/// One call in so many is a sample.
pub(crate) const SAMPLED: u64 = 128;

/// Whether the call after so many is a sample.
#[inline]
pub(crate) const fn is_sampled(calls: u64) -> bool {
    calls % SAMPLED == 0
}

/// `calls · part / whole`, rounded up: at least the last one is recent.
fn share(calls: u64, part: u64, whole: u64) -> u64 {
    let share = (u128::from(calls) * u128::from(part)).div_ceil(u128::from(whole.max(1)));
    u64::try_from(share).unwrap_or(calls)
}

/// The length of [`Window::DEFAULT`], over which the traffic is told.
const METER_LENGTH: Duration = Duration::from_secs(10);

/// A moving average over some 16 samples, in nanoseconds; never zero once there was a sample.
pub(crate) fn averaged(average: u64, sample: Duration) -> u64 {
    let sample = nanos(sample).max(1);
    if average == 0 { sample } else { (average - average / 16).saturating_add(sample / 16).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_sample_that_was_asked_for_is_due_once() {
        let mut tally = Tally::new(Settings::new(Config::new(), false), Instant::ZERO);
        assert!(!tally.take_sample());
        tally.ask_sample();
        assert!(tally.take_sample() && !tally.take_sample());
    }
}
