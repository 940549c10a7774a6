//! Whether a call may be tried again, and when: what all policies have in common.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use crate::{
    circuit::Circuit,
    clock::{AnyClock, Clock, Sleep, SystemClock},
    config::ConfigError,
    outcome::Weight,
    retry::{Budget, Delays, RetryConfig},
    state::{Mode, State},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Decides whether a call may be tried again, and when. It knows nothing of what was called.
///
/// Clones share the budget, the circuit and the source of the waits; each call has its own attempts and its own waits. In tower
/// `HttpRetry` and `GrpcRetry` are made of it; without tower it is a loop:
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::{CallError, Circuit, retry::{Cause, Retries, RetryConfig}};
///
/// let circuit = Circuit::builder("payments").build()?;
/// let retries = Retries::builder().config(RetryConfig::new().attempts(4)).circuit(circuit.clone()).build()?;
///
/// let mut calls = 0;
/// let mut call = retries.begin();
/// let answer = loop {
///     calls += 1;
///     match circuit.call_sync(|| if calls < 3 { Err("busy") } else { Ok("done") }) {
///         Err(error @ CallError::Failed(_)) => match call.again(Cause::Failed, None) {
///             Some(wait) => std::thread::sleep(wait.min(Duration::from_millis(1))), // shortened for the example
///             None => break Err(error),
///         },
///         other => break other,
///     }
/// };
/// assert_eq!((answer, calls), (Ok("done"), 3));
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Retries {
    common: Arc<Common>,
    began: Instant,
    attempts: u32,
    /// Whether the next attempt is one that [`Retries::again`] has given leave for, and not the first of a call.
    granted: bool,
    /// None until the first retry, so that a call that succeeds draws nothing.
    delays: Option<Delays>,
}

struct Common {
    config: RetryConfig,
    budget: Budget,
    circuit: Option<Circuit>,
    clock: AnyClock,
    /// The seed of the waits of the next call that fails.
    next_seed: AtomicU64,
}

/// Why another attempt is wanted: it decides what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The attempt was answered with a failure, or could not be made.
    Failed,
    /// There was no answer in time.
    TimedOut,
}

impl Retries {
    /// Begins retries with the default numbers and a budget of their own.
    pub fn builder() -> Builder {
        Builder { config: RetryConfig::new(), budget: None, circuit: None, clock: None, seed: None }
    }

    /// Begins a call: its first attempt is about to be made. The budget takes note of it.
    #[must_use = "the call that begins is the value"]
    pub fn begin(&self) -> Self {
        self.common.budget.deposit();
        Self {
            common: Arc::clone(&self.common),
            began: self.common.clock.now(),
            attempts: 1,
            granted: false,
            delays: None,
        }
    }

    /// Asks for leave to try this call again, after the time it returns; none if it has to end with what it has.
    ///
    /// `after` is the time that the server has asked for. It is a lower bound, and the wait that is drawn is added to it:
    /// everybody was asked for the same.
    ///
    /// None comes, in this order, if the attempts are used up, if the circuit is not closed, if the server asks for more than
    /// [`RetryConfig::max_retry_after`], if the wait would end after [`RetryConfig::deadline`], or if the budget has
    /// no token left. A token is taken only where there is leave.
    pub fn again(&mut self, cause: Cause, after: Option<Duration>) -> Option<Duration> {
        self.again_within(cause, after, None)
    }

    /// As [`again`](Self::again), for a caller that waits for no longer than `left`.
    pub(super) fn again_within(
        &mut self,
        cause: Cause,
        after: Option<Duration>,
        left: Option<Duration>,
    ) -> Option<Duration> {
        let Common { config, budget, circuit, clock, next_seed } = &*self.common;
        if self.is_last() || circuit.as_ref().is_some_and(is_troubled) {
            return None;
        }
        let after = after.unwrap_or_default();
        if after > config.max_retry_after {
            return None;
        }
        // Relaxed: a number that nobody else has is all that is needed.
        let fresh = || config.backoff.delays(next_seed.fetch_add(1, Ordering::Relaxed));
        let wait = after.saturating_add(self.delays.get_or_insert_with(fresh).next()?);
        if clock.now().since(self.began).saturating_add(wait) >= config.deadline
            || left.is_some_and(|left| wait >= left)
        {
            return None;
        }
        let cost = match cause {
            Cause::Failed => Weight::ONE,
            Cause::TimedOut => config.timeout_cost,
        };
        if !budget.withdraw(cost) {
            return None;
        }
        self.attempts += 1;
        self.granted = true;
        Some(wait)
    }

    /// Begins a call, unless leave was given for one more attempt of this one; for policies of your own.
    ///
    /// To be called in `Policy::clone_request`: tower asks for a copy of each request before it is sent, and clones the policy for
    /// each call after the first copy, so what is begun here stays with this call.
    pub fn next_attempt(&mut self) {
        if self.granted {
            self.granted = false;
        } else {
            *self = self.begin();
        }
    }

    /// Returns how many attempts of this call have been made or have leave, the first among them.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Waits as the clock of these retries tells.
    ///
    /// # Panics
    ///
    /// With the default clock, outside a tokio runtime with its timer enabled.
    ///
    /// # Cancel safety
    ///
    /// Nothing but the wait is lost; the leave that was given is used up.
    #[must_use]
    pub fn sleep(&self, wait: Duration) -> Sleep {
        let clock = &self.common.clock;
        clock.sleep_until(clock.now().after(wait))
    }

    /// Reports whether there is no other attempt after this one, so that its request need not be copied.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.attempts >= self.common.config.attempts
    }
}

/// Whether a circuit is in a state in which nobody should ask twice.
///
/// Modes that let every call pass let retries pass: an operator who disables the breaker does not want half of it.
fn is_troubled(circuit: &Circuit) -> bool {
    match circuit.mode() {
        Mode::Auto => circuit.state() != State::Closed,
        Mode::Disabled | Mode::ForcedClosed | Mode::MetricsOnly => false,
        Mode::ForcedOpen => true,
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Common { config, budget, circuit, .. } = &*self.common;
        f.debug_struct("Retries")
            .field("attempts", &self.attempts)
            .field("config", config)
            .field("budget", budget)
            .field("circuit", circuit)
            .finish_non_exhaustive()
    }
}

/// Makes [`Retries`].
#[derive(Debug)]
#[must_use = "a builder makes nothing until `build` is called"]
pub struct Builder {
    config: RetryConfig,
    budget: Option<Budget>,
    circuit: Option<Circuit>,
    clock: Option<AnyClock>,
    seed: Option<u64>,
}

impl Builder {
    /// Sets the numbers. Default: [`RetryConfig::new`].
    pub fn config(self, config: RetryConfig) -> Self {
        Self { config, ..self }
    }

    /// Sets the budget; give the same to all clients of a dependency. Default: one of its own, as [`Budget::default`].
    pub fn budget(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Sets the circuit that the attempts go through. Default: none.
    ///
    /// It is asked before each retry. Unless it is closed there is none, and the caller keeps the real last answer in place of a
    /// rejection.
    pub fn circuit(self, circuit: Circuit) -> Self {
        Self { circuit: Some(circuit), ..self }
    }

    /// Sets the clock, which also tells the time of a budget that is not set. Default: [`SystemClock`], which follows
    /// `tokio::time::pause` in tests.
    pub fn clock(self, clock: impl Clock + Clone + 'static) -> Self {
        let budget = self.budget.or_else(|| Budget::builder().clock(clock.clone()).build().ok());
        Self { budget, clock: Some(AnyClock::from(clock)), ..self }
    }

    /// Sets the seed of the waits, so that a test sees the same each time. Default: random.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Makes the retries.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each number that is out of its bounds.
    pub fn build(self) -> Result<Retries, ConfigError> {
        self.config.check()?;
        let clock = self.clock.unwrap_or_else(|| AnyClock::System(SystemClock::new()));
        let seed = self.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let began = clock.now();
        let common = Common {
            config: self.config,
            budget: self.budget.unwrap_or_default(),
            circuit: self.circuit,
            clock,
            next_seed: AtomicU64::new(seed),
        };
        Ok(Retries { common: Arc::new(common), began, attempts: 1, granted: false, delays: None })
    }
}

#[cfg(test)]
mod tests;
