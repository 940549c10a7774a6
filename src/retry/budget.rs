//! How many retries there may be, as a share of the calls.

use std::fmt;

use crate::{
    clock::{AnyClock, Clock, SystemClock},
    config::{Check, ConfigError, MANY},
    outcome::Weight,
    retry::bucket::{Bucket, Rates},
    sync::Arc,
};

/// A bound on retries: a share of all calls, and a few each second. Clones are the same budget.
///
/// In an outage every call fails, and with three attempts each the load triples just when it should fall. Behind a budget
/// of 0.2 the calls and their retries are together at most 1.2 times the calls, plus the floor and, once, the reserve.
///
/// It is a bucket of tokens: each call puts in its share, each second the floor, and a retry takes one out. Shares are exact to
/// the thousandth. Neither takes a lock or allocates, and while the bucket is full a call only reads.
///
/// Give one to all clients of the same dependency. A budget for each client is a floor and a reserve for each.
///
/// ```
/// use tower_breaker::{Weight, retry::Budget};
///
/// let budget = Budget::builder().ratio(0.25).floor(0.0).reserve(1).build()?;
/// assert!(budget.withdraw(Weight::ONE)); // the reserve
/// let retries = (0..1_000).filter(|_| {
///     budget.deposit();
///     budget.withdraw(Weight::ONE)
/// });
/// assert_eq!(retries.count(), 250);
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Account>);

struct Account {
    rates: Rates,
    bucket: Bucket,
    clock: AnyClock,
}

impl Budget {
    /// Begins a budget with the default numbers.
    pub fn builder() -> Builder {
        Builder { ratio: 0.2, floor: 1.0, reserve: 100, clock: None }
    }

    /// Takes note of a call, retries not counted: it puts in its share.
    pub fn deposit(&self) {
        self.0.bucket.put(self.0.rates);
    }

    /// Asks for leave to make one retry that costs so much; takes it at once or not at all.
    #[must_use = "without leave there should be no retry"]
    pub fn withdraw(&self, cost: Weight) -> bool {
        self.0.bucket.take(thousandths(cost), self.0.rates, self.0.clock.now())
    }

    /// Returns how many retries of cost one there could be now, for people and gauges.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most a million tokens")]
    pub fn balance(&self) -> f64 {
        self.0.bucket.level(self.0.rates, self.0.clock.now()) as f64 / 1_000.0
    }
}

impl Default for Budget {
    /// 0.2, a floor of one a second, a reserve of 100.
    fn default() -> Self {
        Self::builder().build().expect("the default numbers are within their bounds")
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("rates", &self.0.rates).field("balance", &self.balance()).finish_non_exhaustive()
    }
}

/// Makes a [`Budget`].
#[derive(Debug)]
#[must_use = "a builder makes no budget until `build` is called"]
pub struct Builder {
    ratio: f64,
    floor: f64,
    reserve: u32,
    clock: Option<AnyClock>,
}

impl Builder {
    /// Sets how many retries there may be for each call: 0 to 10, in steps of 0.001. Default: 0.2, as in Finagle, linkerd and
    /// Envoy.
    pub fn ratio(self, ratio: f64) -> Self {
        Self { ratio, ..self }
    }

    /// Sets how many retries there may be each second, whatever the calls: 0 to 1,000,000, in steps of 0.001.
    ///
    /// So a client that seldom calls can retry at all. Default: 1; Finagle and linkerd take 10, which for a hundred small clients
    /// of one server is a thousand retries a second.
    pub fn floor(self, per_second: f64) -> Self {
        Self { floor: per_second, ..self }
    }

    /// Sets how many retries can be saved up, and are there at the start: 1 to 1,000,000. Default: 100, as in the SDKs of AWS (500
    /// tokens, five a retry).
    ///
    /// So much an outage may add to the load once, beyond the share; so many calls that fail at the same instant can all be tried
    /// again. A retry that costs more than the reserve is never made.
    pub fn reserve(self, retries: u32) -> Self {
        Self { reserve: retries, ..self }
    }

    /// Sets the clock. Default: [`SystemClock`], which follows `tokio::time::pause` in tests.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(AnyClock::from(clock)), ..self }
    }

    /// Makes the budget.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each number that is out of its bounds.
    pub fn build(self) -> Result<Budget, ConfigError> {
        let mut check = Check::default();
        let per_call = in_thousandths(&mut check, "budget.ratio", self.ratio, 10.0);
        let per_second = in_thousandths(&mut check, "budget.floor", self.floor, f64::from(MANY));
        check.within("budget.reserve", self.reserve, 1, MANY);
        check.done()?;
        let rates = Rates { per_call, per_second, capacity: u64::from(self.reserve) * 1_000 };
        let clock = self.clock.unwrap_or_else(|| AnyClock::System(SystemClock::new()));
        let bucket = Bucket::new(rates, clock.now());
        Ok(Budget(Arc::new(Account { rates, bucket, clock })))
    }
}

impl Budget {
    /// What is wrong with a ratio that no budget is made with yet.
    #[cfg(feature = "serde")]
    pub(crate) fn fault_of_ratio(ratio: f64) -> Option<crate::config::Fault> {
        let mut check = Check::default();
        in_thousandths(&mut check, "ratio", ratio, 10.0);
        check.done().err()?.faults().first().cloned()
    }
}

/// What is no whole number of thousandths is refused, so that nothing is rounded behind the user's back.
fn in_thousandths(check: &mut Check, field: &'static str, value: f64, most: f64) -> u64 {
    if !(0.0..=most).contains(&value) {
        check.fault(field, value, format!("from 0 to {most}"));
        return 0;
    }
    let rounded = (value * 1_000.0).round();
    if (value * 1_000.0 - rounded).abs() > 1e-6 {
        check.fault(field, value, "in steps of 0.001");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above: at most 10^9")]
    let thousandths = rounded as u64;
    thousandths
}

/// A weight is counted in hundredths.
fn thousandths(cost: Weight) -> u64 {
    u64::from(cost.hundredths()) * 10
}

#[cfg(test)]
mod tests;
