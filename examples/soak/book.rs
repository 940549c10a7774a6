//! What has become of each call, as the gateway knows it and as the users do.
//!
//! At a moment when no call is under way, with no tolerance:
//!
//! - a user who has an answer was told what the gateway's book says of this call;
//! - a user who was patient has an answer;
//! - calls that were made (answered or dropped) = succeeded + failed + ignored + cancelled + late in the circuit's ledger;
//! - calls that were rejected = rejected in the ledger;
//! - no line of the ledger is larger than what can stand in it: each succeeded call was served, and so on.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tower_breaker::machine::Ledger;

/// What has become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has not reached the gateway.
    Unknown = 0,
    /// The user hung up while it was under way.
    Dropped,
    /// An error, a failure of the back end, or no answer in time.
    Failed,
    /// An answer that says nothing: a `404`, or the bulkhead was full.
    Ignored,
    /// It was not made.
    Rejected,
    /// A whole `200`.
    Served,
}

impl Fate {
    const ALL: [Self; 6] = [Self::Unknown, Self::Dropped, Self::Failed, Self::Ignored, Self::Rejected, Self::Served];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Served => "served",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.as_str() == text)
    }
}

/// The gateway's book. It has room for the calls of one round, so that it does not grow.
pub(crate) struct Book {
    fates: Box<[AtomicU8]>,
    inside: AtomicU64,
    /// Calls that came twice or bore no number that is known.
    strangers: AtomicU64,
    /// Calls that were rejected although the circuit let calls pass from that instant on.
    at_transition: AtomicU64,
}

impl Book {
    pub(crate) fn new(most: usize) -> Self {
        let fates = (0..most).map(|_| AtomicU8::new(0)).collect();
        Self { fates, inside: AtomicU64::new(0), strangers: AtomicU64::new(0), at_transition: AtomicU64::new(0) }
    }

    /// Takes note that a call has come in; if the entry is dropped without a fate, the call was.
    pub(crate) fn enter(&self, number: Option<usize>) -> Entry<'_> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        Entry { book: self, number, fate: Fate::Dropped }
    }

    /// How many calls are in the gateway now.
    pub(crate) fn inside(&self) -> u64 {
        self.inside.load(Ordering::SeqCst)
    }

    /// Returns the fate of a call and forgets it.
    pub(crate) fn take(&self, number: usize) -> Fate {
        let fate = self.fates[number].swap(0, Ordering::SeqCst);
        Fate::ALL.into_iter().find(|known| *known as u8 == fate).unwrap_or(Fate::Unknown)
    }

    /// Takes note of a call that was rejected although the circuit let calls pass from that instant on.
    pub(crate) fn at_transition(&self) {
        self.at_transition.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn at_transition_times(&self) -> u64 {
        self.at_transition.load(Ordering::SeqCst)
    }

    pub(crate) fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::SeqCst)
    }
}

/// A call in the gateway.
pub(crate) struct Entry<'a> {
    book: &'a Book,
    number: Option<usize>,
    fate: Fate,
}

impl Entry<'_> {
    pub(crate) fn ends(mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let place = self.number.and_then(|number| self.book.fates.get(number));
        if place.is_none_or(|place| place.swap(self.fate as u8, Ordering::SeqCst) != 0) {
            self.book.strangers.fetch_add(1, Ordering::SeqCst);
        }
        self.book.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// All calls of all rounds so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) sent: u64,
    pub(crate) impatient: u64,
    fates: [u64; 6],
    /// Users who were told something else than the book says.
    pub(crate) contradicted: u64,
    /// Patient users without an answer.
    pub(crate) unanswered: u64,
}

impl Sums {
    /// Adds one call as its user and the book know it.
    pub(crate) fn add(&mut self, patient: bool, answer: Option<Fate>, fate: Fate) {
        self.sent += 1;
        self.impatient += u64::from(!patient);
        self.fates[fate as usize] += 1;
        match answer {
            Some(answer) => self.contradicted += u64::from(answer != fate),
            None => self.unanswered += u64::from(patient),
        }
    }

    pub(crate) fn of(&self, fate: Fate) -> u64 {
        self.fates[fate as usize]
    }

    /// Returns what does not balance.
    pub(crate) fn faults(&self, ledger: &Ledger) -> Vec<String> {
        let [served, failed, ignored] = [Fate::Served, Fate::Failed, Fate::Ignored].map(|fate| self.of(fate));
        let (dropped, rejected) = (self.of(Fate::Dropped), self.of(Fate::Rejected));
        let made = served + failed + ignored + dropped;
        let lines = [
            (self.contradicted == 0, format!("{} users were told something else", self.contradicted)),
            (self.unanswered == 0, format!("{} patient users have no answer", self.unanswered)),
            (ledger.ended() == made, format!("{made} calls were made, {} stand in the ledger", ledger.ended())),
            (ledger.rejected == rejected, format!("{rejected} were rejected, {} by the ledger", ledger.rejected)),
            (ledger.succeeded <= served, format!("{served} were served, {} succeeded", ledger.succeeded)),
            (ledger.ignored <= ignored, format!("{ignored} say nothing, {} were ignored", ledger.ignored)),
            (ledger.cancelled <= dropped, format!("{dropped} were dropped, {} cancelled", ledger.cancelled)),
            (ledger.failed <= failed + dropped, format!("{failed} failed, {} by the ledger", ledger.failed)),
        ];
        lines.into_iter().filter(|(holds, _)| !holds).map(|(_, text)| text).collect()
    }
}
