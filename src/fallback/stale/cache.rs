//! The answers that are kept: bounded in number, size and age.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, TRANSFER_ENCODING},
};
use quick_cache::sync::Cache;

use super::rules;
use crate::{
    clock::{AnyClock, Clock, SystemClock},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Keeps the last good answers to GET requests, bounded in number, size and age. A handle: clones are the same cache.
///
/// What is kept: answers `200` whose body was read to its end and is, with head and key, not larger than
/// [`StaleCache::max_bytes`]. Not kept are
///
/// - answers with `Set-Cookie`, with `Cache-Control: no-store`, `private`, `no-cache`, `must-revalidate` or `proxy-revalidate`,
///   with `Vary: *` or with trailers;
/// - answers to requests with `Authorization` or `Cookie`, unless they are `Cache-Control: public`; nor does such a request get an
///   answer that is not;
/// - answers to requests with `Cache-Control: no-store`.
///
/// Other `Vary` is the key's business. A `404`, a `410` or a `200` that must not be kept forgets what was kept for its key; other
/// answers leave it. Extensions of a response are not kept.
///
/// Memory: so many answers of at most that size, and a copy of at most that size for each answer that is being read.
///
/// Which answers go when it is full is decided by how often they are needed (Clock-PRO, of the crate `quick_cache`).
#[derive(Clone)]
pub struct StaleCache {
    entries: Arc<Cache<String, Arc<Kept>>>,
    withdrawn: Arc<Withdrawn>,
    max_age: Duration,
    max_bytes: usize,
    clock: AnyClock,
}

/// How often something was forgotten, so that an answer which was being read meanwhile is not kept after it.
struct Withdrawn {
    all: AtomicU64,
    /// Of keys, many of which share a number, so that some answers are read in vain: of bodies that take 100 ms one in forty, where
    /// a thousand keys a second are forgotten. 32 KiB.
    some: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// An answer that was kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    at: Instant,
}

/// The largest answer: 64 KiB, with which a thousand take 64 MiB at most.
const MAX_BYTES: usize = 65_536;

/// The largest length that is reserved before a byte of the body has come.
const RESERVED: u64 = 4_096;

impl StaleCache {
    /// Makes a cache for so many answers, which are served until they are older than `max_age`.
    ///
    /// The age counts from when the head of the answer came. An answer that is too old is not served, and takes its place until
    /// it is asked for or another needs the place.
    #[must_use]
    pub fn new(answers: usize, max_age: Duration) -> Self {
        Self {
            entries: Arc::new(Cache::new(answers)),
            withdrawn: Arc::new(Withdrawn::new()),
            max_age,
            max_bytes: MAX_BYTES,
            clock: AnyClock::System(SystemClock::new()),
        }
    }

    /// Sets how large an answer may be, in bytes of key, head and body. Default: 65,536, as linkerd keeps for a retry.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets the clock. Default: [`SystemClock`], which follows `tokio::time::pause` in tests.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: AnyClock::from(clock), ..self }
    }

    /// Forgets all answers, such as after a change of what may be seen by whom.
    pub fn clear(&self) {
        // First: what is kept later sees it, and what was kept before is cleared.
        self.withdrawn.all.fetch_add(1, Ordering::SeqCst);
        self.entries.clear();
    }

    /// Returns how many answers are kept, those that are too old among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Reports whether no answer is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Finds the answer for a key, and its age.
    pub(super) fn find(&self, key: &str, is_personal: bool) -> Option<(Arc<Kept>, Duration)> {
        let kept = self.entries.get(key)?;
        let age = self.clock.now().since(kept.at);
        if age > self.max_age {
            // Only this one: a better one may have come meanwhile.
            self.entries.remove_if(key, |there| Arc::ptr_eq(there, &kept));
            return None;
        }
        (!is_personal || rules::is_public(&kept.headers)).then_some((kept, age))
    }

    pub(super) fn forget(&self, key: &str) {
        self.withdrawn.of(key).fetch_add(1, Ordering::SeqCst);
        self.entries.remove(key);
    }

    /// Begins a copy of an answer; none if it is too large already.
    ///
    /// Everything is copied: chunks and headers are parts of larger buffers, which would be kept with them.
    pub(super) fn begin(&self, key: String, headers: &HeaderMap) -> Option<Box<Draft>> {
        let at = self.clock.now();
        let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let left = self.max_bytes.checked_sub(head.saturating_add(key.len()))?;
        let owned = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        };
        // These two are about the connection that it came by.
        let kept = headers.iter().filter(|(name, _)| **name != CONNECTION && **name != TRANSFER_ENCODING);
        let headers = kept.filter_map(owned).collect();
        let withdrawn = self.withdrawn.count(&key);
        Some(Box::new(Draft { cache: self.clone(), key, headers, body: Vec::new(), left, at, withdrawn }))
    }
}

impl Withdrawn {
    fn new() -> Self {
        let some = (0..4_096).map(|_| AtomicU64::default()).collect();
        Self { all: AtomicU64::default(), some, hasher: RandomState::new() }
    }

    fn of(&self, key: &str) -> &AtomicU64 {
        let number = self.hasher.hash_one(key) % self.some.len() as u64;
        &self.some[usize::try_from(number).unwrap_or_default()]
    }

    /// How often this key was forgotten, at least.
    fn count(&self, key: &str) -> u64 {
        self.all.load(Ordering::SeqCst).wrapping_add(self.of(key).load(Ordering::SeqCst))
    }
}

impl fmt::Debug for StaleCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaleCache")
            .field("max_age", &self.max_age)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// The copy of an answer that is being read.
pub(super) struct Draft {
    cache: StaleCache,
    key: String,
    headers: HeaderMap,
    body: Vec<u8>,
    left: usize,
    at: Instant,
    withdrawn: u64,
}

impl Draft {
    /// Prepares for a body of at least this length; none if it is too large.
    pub(super) fn expect(mut self: Box<Self>, least: u64) -> Option<Box<Self>> {
        if usize::try_from(least).map_or(true, |least| least > self.left) {
            return None;
        }
        // What a header says is not believed with memory.
        self.body.reserve_exact(usize::try_from(least.min(RESERVED)).unwrap_or_default());
        Some(self)
    }

    /// Adds a chunk; false if it is too much.
    pub(super) fn add(&mut self, chunk: &[u8]) -> bool {
        let Some(left) = self.left.checked_sub(chunk.len()) else { return false };
        self.left = left;
        self.body.extend_from_slice(chunk);
        true
    }

    /// Keeps the answer, which is whole, unless its key was forgotten since its head came, or there is a newer one.
    pub(super) fn keep(self: Box<Self>) {
        let Self { cache, key, headers, body, at, withdrawn, .. } = *self;
        if cache.entries.peek(&key).is_some_and(|there| there.at > at) {
            return;
        }
        let kept = Arc::new(Kept { headers, body: Bytes::from(body.into_boxed_slice()), at });
        cache.entries.insert(key.clone(), Arc::clone(&kept));
        // Asked afterwards: who forgets it later than this finds it.
        if cache.withdrawn.count(&key) != withdrawn {
            cache.entries.remove_if(&key, |there| Arc::ptr_eq(there, &kept));
        }
    }
}
