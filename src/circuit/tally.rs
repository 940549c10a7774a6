//! What is counted in the closed state, by atomics alone: no lock, no allocation, no reset.

use std::time::Duration;

use crate::{
    circuit::{
        cell::{Cell, Epoch},
        ring::Ring,
        wheel::Wheel,
    },
    config::Window,
    machine::{Counted, Counts, Rules, averaged, sampled, traffic},
    outcome::Failure,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
    window::{Slots, Totals},
};

/// Agrees with [`machine::tally`](crate::machine) on every single-threaded trace.
#[derive(Debug)]
pub(super) struct Tally {
    rules: Rules,
    windows: Box<[Arc<AnyWindow>]>,
    counts: Arc<Phase>,
    /// Since when the window that tells the traffic has been counting, if it is younger than the phase.
    vitals_since: Instant,
}

/// The counts that no window holds.
#[derive(Debug)]
struct Phase {
    /// When the closed phase began, nanoseconds.
    since: AtomicU64,
    /// Net failures in hundredths.
    net: Cell,
    /// Weight of the run of failures in hundredths.
    run: Cell,
    /// When the run began, nanoseconds. Two first failures at one instant may each write it; either is right.
    run_began: AtomicU64,
    /// The usual latency in nanoseconds, zero while unknown.
    latency: AtomicU64,
    sample_due: AtomicBool,
}

#[derive(Debug)]
enum AnyWindow {
    Count(Ring),
    Time(Wheel),
}

impl AnyWindow {
    fn new(window: Window, start: Instant) -> Self {
        match window {
            Window::Count { calls } => Self::Count(Ring::new(calls)),
            Window::Time { length, buckets } => Self::Time(Wheel::new(Slots::new(length, buckets, start))),
        }
    }

    fn begin(&self, epoch: u64, now: Instant) {
        match self {
            Self::Count(_) => {}
            Self::Time(wheel) => wheel.begin(epoch, now),
        }
    }
}

impl Tally {
    pub(super) fn new(rules: Rules, start: Instant) -> Self {
        let windows = rules.windows.iter().map(|window| Arc::new(AnyWindow::new(*window, start))).collect();
        let counts = Phase {
            since: AtomicU64::new(start.as_nanos()),
            net: Cell::default(),
            run: Cell::default(),
            run_began: AtomicU64::new(start.as_nanos()),
            latency: AtomicU64::new(0),
            sample_due: AtomicBool::new(true),
        };
        Self { rules, windows, counts: Arc::new(counts), vitals_since: start }
    }

    /// The same counts under other rules; windows that they still look at go on.
    pub(super) fn with_rules(&self, rules: Rules, epoch: u64, now: Instant) -> Self {
        // What nobody counts any more must not be there when somebody asks again.
        if rules.evidence.is_none() {
            self.counts.net.update(Epoch::new(epoch), |_| 0);
        }
        if !rules.counts_run {
            self.counts.run.update(Epoch::new(epoch), |_| 0);
        }
        let old = || self.rules.windows.iter().zip(&self.windows);
        let kept = |window: &Window| old().find(|(known, _)| *known == window).map(|(_, window)| Arc::clone(window));
        let windows = rules.windows.iter();
        let since = Instant::from_nanos(self.counts.since.load(Ordering::Relaxed));
        let fresh = |window| {
            let window = AnyWindow::new(window, now);
            window.begin(epoch, since);
            Arc::new(window)
        };
        let windows = windows.map(|window| kept(window).unwrap_or_else(|| fresh(*window))).collect();
        let vitals_since = if rules.same_vitals(&self.rules) { self.vitals_since } else { now };
        Self { rules, windows, counts: Arc::clone(&self.counts), vitals_since }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Begins a closed phase. Called before its number is published.
    pub(super) fn begin(&self, epoch: u64, now: Instant) {
        // Relaxed: made visible by the store of the word.
        self.counts.since.store(now.as_nanos(), Ordering::Relaxed);
        self.windows.iter().for_each(|window| window.begin(epoch, now));
    }

    /// Reports whether the next call should be timed to learn the usual latency, and forgets it.
    pub(super) fn take_sample(&self) -> bool {
        // Relaxed: a sample more or less decides nothing.
        let due = &self.counts.sample_due;
        due.load(Ordering::Relaxed) && due.swap(false, Ordering::Relaxed)
    }

    /// Forgets the usual latency, which a new phase does not.
    pub(super) fn forget_latency(&self) {
        self.counts.latency.store(0, Ordering::Relaxed);
        self.counts.sample_due.store(true, Ordering::Relaxed);
    }

    pub(super) fn usual_latency(&self) -> Option<Duration> {
        let latency = self.counts.latency.load(Ordering::Relaxed);
        (latency > 0).then(|| Duration::from_nanos(latency))
    }

    pub(super) fn record(&self, epoch: u64, call: Counted, now: Instant) {
        for (i, window) in self.windows.iter().enumerate() {
            let window = match &**window {
                AnyWindow::Count(ring) => {
                    ring.record(Epoch::new(epoch), call.entry());
                    continue;
                }
                AnyWindow::Time(wheel) => wheel,
            };
            let before = window.record(epoch, call.entry(), now);
            if self.rules.vitals == Some(i) && sampled(before) {
                self.counts.sample_due.store(true, Ordering::Relaxed);
            }
        }
        let epoch = Epoch::new(epoch);
        match call.failure {
            Some(failure) => self.failed(epoch, failure, now),
            None => self.succeeded(epoch, call.took),
        }
    }

    fn succeeded(&self, epoch: Epoch, took: Option<Duration>) {
        let Phase { net, run, latency, .. } = &*self.counts;
        let mut left = 0;
        if let Some(evidence) = &self.rules.evidence {
            // Nothing is written while there is no failure to make up for.
            left = net.get(epoch);
            if left > 0 {
                net.update(epoch, |net| net.saturating_sub(evidence.relief));
                left = net.get(epoch);
            }
        }
        if self.rules.counts_run && run.get(epoch) > 0 {
            run.update(epoch, |_| 0);
        }
        if let Some(took) = took.filter(|_| left == 0) {
            // Relaxed: of two samples at one instant one may be lost.
            latency.store(averaged(latency.load(Ordering::Relaxed), took), Ordering::Relaxed);
        }
    }

    fn failed(&self, epoch: Epoch, failure: Failure, now: Instant) {
        let Phase { net, run, run_began, .. } = &*self.counts;
        if self.rules.evidence.is_some() {
            net.update(epoch, |net| net.saturating_add(failure.units()));
        }
        if self.rules.counts_run && !failure.is_rate_limited() {
            let begin = || run_began.store(now.as_nanos(), Ordering::Relaxed);
            // Before the update, so that whoever sees the run sees when it began; and after it, should a success have ended
            // an older run in between.
            if run.get(epoch) == 0 {
                begin();
            }
            if run.update(epoch, |run| run.saturating_add(failure.units())) == Some(0) {
                begin();
            }
        }
    }

    /// Forgets failures beyond those that would have opened the circuit, had it not been held closed.
    pub(super) fn forget_excess(&self, epoch: u64, now: Instant) {
        if let Some(evidence) = &self.rules.evidence {
            let most = evidence.needed_units(self.of(epoch).traffic(now));
            self.counts.net.update(Epoch::new(epoch), |net| net.min(most));
        }
    }

    /// The counts of one phase, for the rules.
    pub(super) fn of(&self, epoch: u64) -> PhaseCounts<'_> {
        PhaseCounts { tally: self, epoch }
    }
}

/// The counts of one closed phase.
#[derive(Debug)]
pub(super) struct PhaseCounts<'a> {
    tally: &'a Tally,
    epoch: u64,
}

impl PhaseCounts<'_> {
    fn since(&self) -> Instant {
        // Relaxed: whoever knows the number of the phase has loaded the word.
        Instant::from_nanos(self.tally.counts.since.load(Ordering::Relaxed))
    }
}

impl Counts for PhaseCounts<'_> {
    fn totals(&self, window: usize, now: Instant) -> Totals {
        match &*self.tally.windows[window] {
            AnyWindow::Count(ring) => ring.totals(Epoch::new(self.epoch)),
            AnyWindow::Time(wheel) => wheel.totals(self.epoch, now),
        }
    }

    fn net(&self) -> u32 {
        self.tally.counts.net.get(Epoch::new(self.epoch))
    }

    fn run(&self) -> (u32, Instant) {
        let run = self.tally.counts.run.get(Epoch::new(self.epoch));
        (run, Instant::from_nanos(self.tally.counts.run_began.load(Ordering::Relaxed)))
    }

    fn traffic(&self, now: Instant) -> f64 {
        let since = self.since().max(self.tally.vitals_since);
        self.tally.rules.vitals.map_or(0.0, |window| traffic(self.totals(window, now).calls, since, now))
    }
}
