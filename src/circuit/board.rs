//! What the phases make known to those who do not take their lock.

use std::time::Duration;

use crate::{
    circuit::{
        stripes::Open,
        word::{AtomicWord, Lane, Word},
    },
    clock::{AnyClock, COARSENESS, CoarseClock},
    machine::{Core, Machine},
    observe::is_heard,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Instant, Nanos, nanos},
};

/// What the phases make known. Written under their lock only, and only where it changes: each write takes the line from every
/// thread that reads it.
#[repr(C)]
pub(super) struct Board {
    word: AtomicWord,
    /// Until when a plain success needs no lock, by the clock of the circuit or by the coarse one: nanoseconds.
    turns_at: AtomicU64,
    /// Until when an open circuit surely has no probe due, by the coarse clock: nanoseconds; zero without one, and while
    /// the circuit is not open.
    coarsely_due: AtomicU64,
    /// The duration above which a call is slow, nanoseconds.
    slow_after: AtomicU64,
    /// Whether `turns_at` is by the coarse clock: where no bucket is narrower than ten times what that may be wrong.
    turns_coarsely: AtomicBool,
    /// Whether one call in 128 is a sample of the usual latency.
    samples: AtomicBool,
}

impl Board {
    pub(super) fn new(core: &Core) -> Self {
        Self {
            word: AtomicWord::new(core),
            turns_at: AtomicU64::new(0),
            coarsely_due: AtomicU64::new(0),
            slow_after: AtomicU64::new(0),
            turns_coarsely: AtomicBool::new(false),
            samples: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn word(&self) -> Word {
        self.word.load()
    }

    pub(super) fn next_probe(&self) -> Instant {
        self.word.next_probe()
    }

    /// Whether a plain success that ends now begins a new bucket.
    #[inline]
    pub(super) fn bucket_is_over(&self, clock: &AnyClock) -> bool {
        // Relaxed: the gate decides whether the success counts; this only in which bucket, and buckets are that fuzzy
        // among threads.
        let coarsely = self.turns_coarsely.load(Ordering::Relaxed);
        let now = if coarsely { CoarseClock::reading() } else { exact_reading(clock) };
        now >= self.turns_at.load(Ordering::Relaxed)
    }

    /// How long an open circuit is still to be left alone, at the most; none if it is not open, or a probe may be due.
    #[inline]
    pub(super) fn coarse_wait(&self) -> Option<Nanos> {
        let (reading, due) = (CoarseClock::reading(), self.coarsely_due.load(Ordering::Relaxed));
        // At the most: whoever comes back when told to must not be told to wait again.
        (reading < due).then(|| CoarseClock::wait(due, reading))
    }

    /// Whether the usual latency is wanted.
    pub(super) fn samples(&self) -> bool {
        self.samples.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        // Relaxed: a call that ends while the settings change is judged by either.
        nanos(took) > self.slow_after.load(Ordering::Relaxed)
    }

    /// Writes what has changed, and returns how the gates should stand.
    pub(super) fn publish(&self, machine: &mut Machine, clock: &AnyClock) -> Option<Open> {
        let slow_after = machine.core().config().slow_after().map_or(u64::MAX, nanos);
        put(&self.slow_after, slow_after);
        let turns_at = machine.turns_at();
        let wide = machine.tally().rules().narrowest_bucket() >= Some(10 * COARSENESS);
        let coarse = clock.coarse();
        let due = coarse.filter(|_| wide).map(|clock| clock.due(turns_at));
        put_flag(&self.turns_coarsely, due.is_some());
        put(&self.turns_at, due.unwrap_or(turns_at.as_nanos()));
        let samples = machine.tally().rules().sample();
        put_flag(&self.samples, samples);
        let word = self.word.publish(machine.core());
        // Where somebody may hear of rejections, none of them takes the short way.
        let due = machine.core().next_probe().zip(coarse).filter(|_| word.waits() && !is_heard());
        let due = due.map_or(0, |(next, clock)| clock.due(next.before(COARSENESS)));
        put(&self.coarsely_due, due);
        let keeps_time = turns_at < Instant::FAR;
        let open = Open { epoch: word.epoch(), keeps_time, samples, timed: machine.times_all() };
        (word.lane() == Lane::Count).then_some(open)
    }
}

#[inline(never)]
fn exact_reading(clock: &AnyClock) -> u64 {
    clock.now().as_nanos()
}

/// Writes what is not there yet. Relaxed: only the holder of the lock writes, and the gates say from when on it holds.
fn put(place: &AtomicU64, value: u64) {
    if place.load(Ordering::Relaxed) != value {
        place.store(value, Ordering::Relaxed);
    }
}

fn put_flag(place: &AtomicBool, value: bool) {
    if place.load(Ordering::Relaxed) != value {
        place.store(value, Ordering::Relaxed);
    }
}
