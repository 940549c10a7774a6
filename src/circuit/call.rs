//! One call through a circuit, without tower.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
};

use crate::{circuit::Circuit, outcome::Outcome, rejected::Rejected};

impl Circuit {
    /// Makes a call: `Ok` is a success, `Err` a failure.
    ///
    /// The future is not polled, and so the call not made, if the circuit rejects it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::ConfigError> {
    /// use tower_breaker::{CallError, Circuit};
    ///
    /// let circuit = Circuit::builder("payments").build()?;
    /// let answer = circuit.call(async { Err::<(), _>("connection refused") }).await;
    /// assert_eq!(answer, Err(CallError::Failed("connection refused")));
    /// assert_eq!(circuit.snapshot().ledger.failed, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the call was not made, [`CallError::Failed`] with its error if it failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the call is cancelled; see [`Permit`](crate::Permit) for what that means to the circuit.
    pub async fn call<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
        self.call_with(call, errors_fail).await
    }

    /// Makes a call whose result is judged by `judge`.
    ///
    /// # Errors
    ///
    /// As [`Circuit::call`].
    ///
    /// # Cancel safety
    ///
    /// As [`Circuit::call`].
    pub async fn call_with<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        judge: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, CallError<E>> {
        let mut permit = self.enter().map_or_else(|| self.look_closer(), Ok)?;
        let mut call = pin!(call);
        let result = poll_fn(|cx| permit.guard(|| call.as_mut().poll(cx))).await;
        let outcome = permit.guard(|| judge(&result));
        if result.is_ok() {
            permit.record(outcome)
        } else {
            permit.record_unanswered(outcome)
        }
        result.map_err(CallError::Failed)
    }

    /// Makes a call that blocks: `Ok` is a success, `Err` a failure.
    ///
    /// # Errors
    ///
    /// As [`Circuit::call`].
    ///
    /// # Panics
    ///
    /// If `call` does; that is a failure.
    pub fn call_sync<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        self.call_sync_with(call, errors_fail)
    }

    /// Makes a call that blocks and whose result is judged by `judge`.
    ///
    /// # Errors
    ///
    /// As [`Circuit::call`].
    ///
    /// # Panics
    ///
    /// If `call` or `judge` does; that is a failure.
    pub fn call_sync_with<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        judge: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, CallError<E>> {
        let mut permit = self.enter().map_or_else(|| self.look_closer(), Ok)?;
        let (result, outcome) = permit.guard(|| {
            let result = call();
            let outcome = judge(&result);
            (result, outcome)
        });
        if result.is_ok() {
            permit.record(outcome)
        } else {
            permit.record_unanswered(outcome)
        }
        result.map_err(CallError::Failed)
    }
}

fn errors_fail<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::failure() }
}

/// A call that was not made, or that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call is rejected or made; there is no third way")]
pub enum CallError<E> {
    /// The call was made, and this is its error.
    Failed(E),
    /// The call was not made.
    Rejected(Rejected),
}

impl<E> From<Rejected> for CallError<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// Says only which of the two it is; the rest is in the source, where whoever prints a chain of errors finds it.
impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_) => f.pad("the call failed"),
            Self::Rejected(_) => f.pad("the call was not made"),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Rejected(rejected) => Some(rejected),
        }
    }
}
