//! A token bucket in thousandths, without a lock.

use crate::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// What flows into a bucket and how much it holds, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// With each call.
    pub(super) per_call: u64,
    /// With each second.
    pub(super) per_second: u64,
    pub(super) capacity: u64,
}

/// The tokens, and until when those of the clock are among them.
///
/// Tokens only come and go as amounts that add up, and guard no other memory; so every access is `Relaxed`: the order of
/// changes of one atomic is all that is needed. Tokens of the clock come when somebody wants them; that changes nothing, since
/// a sum that is capped is the same in whatever order its parts come.
#[derive(Debug)]
pub(super) struct Bucket {
    /// invariant: at most the capacity. Taken from only by a compare-and-swap that has seen enough.
    tokens: AtomicU64,
    /// Nanoseconds. Whoever moves it on, and nobody else, puts in what that time is worth.
    filled_at: AtomicU64,
}

const SECOND: u128 = 1_000_000_000;

impl Bucket {
    /// A full one.
    pub(super) fn new(rates: Rates, now: Instant) -> Self {
        Self { tokens: AtomicU64::new(rates.capacity), filled_at: AtomicU64::new(now.as_nanos()) }
    }

    /// Takes note of a call. A full bucket is only read, so healthy calls share nothing that is written.
    pub(super) fn put(&self, rates: Rates) {
        self.add(rates.per_call, rates.capacity);
    }

    /// Takes so many thousandths, or none.
    pub(super) fn take(&self, amount: u64, rates: Rates, now: Instant) -> bool {
        self.fill(rates, now);
        let less = |tokens: u64| tokens.checked_sub(amount);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Returns the thousandths that could be taken now.
    pub(super) fn level(&self, rates: Rates, now: Instant) -> u64 {
        self.fill(rates, now);
        self.tokens.load(Ordering::Relaxed)
    }

    /// Puts in what has come with time; as quick after a year as after a millisecond.
    fn fill(&self, rates: Rates, now: Instant) {
        let filled_at = self.filled_at.load(Ordering::Relaxed);
        // A clock that steps back brings nothing, and what it takes back is not given twice.
        let passed = u128::from(now.as_nanos().saturating_sub(filled_at));
        let per_second = u128::from(rates.per_second);
        let worth = passed * per_second / SECOND;
        if worth == 0 {
            return;
        }
        // Only the time that made whole thousandths is used up, rounded up: the rest counts for the next.
        let used = (worth * SECOND).div_ceil(per_second);
        let until = filled_at.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
        let moved = self.filled_at.compare_exchange(filled_at, until, Ordering::Relaxed, Ordering::Relaxed);
        // Whoever comes second leaves it to the first: it may see too few tokens for a moment, never too many.
        if moved.is_ok() {
            self.add(u64::try_from(worth).unwrap_or(u64::MAX), rates.capacity);
        }
    }

    fn add(&self, amount: u64, capacity: u64) {
        let more = |tokens: u64| (tokens < capacity).then(|| tokens.saturating_add(amount).min(capacity));
        // Refused just if it is full.
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}
