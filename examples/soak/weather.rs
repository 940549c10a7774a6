//! What the back end does to the calls that reach it, drawn anew every second or so.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::rng::Rng;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A `500`, or a `503` that says when to come back.
    Fails,
    /// Half a body, then the connection ends.
    BreaksOff,
    /// No answer, ever.
    Hangs,
    /// A `404`, which says nothing about its health.
    NotFound,
    /// The connection is reset.
    Resets,
    /// An answer after 150 to 400 ms: some are slow, some too late.
    Slow,
    /// A whole `200` within some milliseconds.
    Works,
}

const FAULTS: [Fault; 6] = [Fault::Fails, Fault::BreaksOff, Fault::Hangs, Fault::NotFound, Fault::Resets, Fault::Slow];

/// The weather: which faults there are now, and how often.
pub(crate) struct Weather {
    seed: u64,
    calls: AtomicU64,
    now: Mutex<Mix>,
}

/// Up to two faults, each with its share of a hundred calls.
type Mix = [(Fault, u64); 2];

const FINE: Mix = [(Fault::Works, 100), (Fault::Works, 0)];

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, calls: AtomicU64::new(0), now: Mutex::new(FINE) }
    }

    /// Draws what becomes of the next call.
    pub(crate) fn fault(&self) -> (Fault, Rng) {
        let mut rng = Rng::nth(self.seed, self.calls.fetch_add(1, Ordering::Relaxed));
        let [(first, share), (second, more)] = *self.mix();
        let at = rng.below(100);
        let fault = match at {
            at if at < share => first,
            at if at < share + more => second,
            // In the best of weathers somebody asks for what is not there.
            99 => Fault::NotFound,
            _ => Fault::Works,
        };
        (fault, rng)
    }

    /// Changes the weather from time to time, until this is dropped.
    pub(crate) async fn change(&self, rng: &mut Rng) {
        loop {
            let mix = draw(rng);
            *self.mix() = mix;
            sleep(rng.millis(200, 2_000)).await;
        }
    }

    /// Makes every call fail.
    pub(crate) fn break_down(&self) {
        *self.mix() = [(Fault::Fails, 100), (Fault::Works, 0)];
    }

    /// Makes all well again.
    pub(crate) fn clear(&self) {
        *self.mix() = FINE;
    }

    fn mix(&self) -> std::sync::MutexGuard<'_, Mix> {
        self.now.lock().expect("no code panics under the lock")
    }
}

/// Fine for a third of the time; else one fault or two, seldom or always.
fn draw(rng: &mut Rng) -> Mix {
    if rng.percent(33) {
        return FINE;
    }
    let mut fault = || FAULTS[usize::try_from(rng.below(FAULTS.len() as u64)).unwrap_or_default()];
    let (first, second) = (fault(), fault());
    let share = [10, 50, 90, 100][usize::try_from(rng.below(4)).unwrap_or_default()];
    [(first, share), (second, (100 - share) / 4)]
}

/// How long a call that works takes.
pub(crate) fn work(rng: &mut Rng) -> Duration {
    rng.millis(1, 10)
}
