//! The one type parameter of the layer: which circuit, what is a failure, what becomes of a rejection.

use std::fmt;

use super::{BoxError, reject::Reject};
use crate::{circuit::Circuit, classify::Classifier, outcome::Outcome, rejected::Rejected};

/// How a [`CircuitBreaker`](super::CircuitBreaker) treats its calls.
///
/// [`Single`] is the one that the layer's setters build. The trait is sealed: keys and the end of bodies will change it.
pub trait Policy<Req, Res, Err>: Sealed {
    /// What goes along with a call that is made.
    type Judge: Judge<Res, Err>;

    /// Returns the circuit that decides.
    fn circuit(&self) -> &Circuit;

    /// Returns what goes along with a call that is made.
    fn judge(&self) -> Self::Judge;

    /// Returns the answer to a call that is not made.
    ///
    /// # Errors
    ///
    /// Where a rejection is an error.
    fn reject(&self, request: Req, rejected: Rejected) -> Result<Res, <Self::Judge as Judge<Res, Err>>::Error>;
}

/// Judges the end of a call. Sealed, as [`Policy`].
pub trait Judge<Res, Err>: Sealed {
    /// The error type of the guarded service.
    type Error;

    /// Returns what the result means for the circuit.
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;

    /// Turns the inner error into that of the guarded service.
    fn map_err(&self, error: Err) -> Self::Error;
}

/// Keeps the traits of this module to those that are here.
#[expect(unnameable_types, reason = "that is what seals them")]
pub trait Sealed {}

impl<C, R> Sealed for Single<C, R> {}
impl<C, M> Sealed for Judged<C, M> {}
impl Sealed for Boxed {}
impl Sealed for Unchanged {}

/// One circuit for all calls.
#[derive(Clone)]
pub struct Single<C, R> {
    pub(super) circuit: Circuit,
    pub(super) classifier: C,
    pub(super) reject: R,
}

impl<C, R, Req, Res, Err> Policy<Req, Res, Err> for Single<C, R>
where
    C: Classifier<Res, Err> + Clone,
    R: Reject<Req, Res, Err>,
{
    type Judge = Judged<C, R::Errors>;

    fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    fn judge(&self) -> Self::Judge {
        Judged { classifier: self.classifier.clone(), errors: R::Errors::default() }
    }

    fn reject(&self, request: Req, rejected: Rejected) -> Result<Res, <R::Errors as MapErr<Err>>::Error> {
        self.reject.reject(request, rejected)
    }
}

impl<C: fmt::Debug, R: fmt::Debug> fmt::Debug for Single<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single")
            .field("circuit", &self.circuit)
            .field("classifier", &self.classifier)
            .field("reject", &self.reject)
            .finish()
    }
}

/// A classifier, and what becomes of inner errors.
#[derive(Clone, Copy, Debug)]
pub struct Judged<C, M> {
    classifier: C,
    errors: M,
}

impl<C, M, Res, Err> Judge<Res, Err> for Judged<C, M>
where
    C: Classifier<Res, Err>,
    M: MapErr<Err>,
{
    type Error = M::Error;

    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self.classifier.classify(result)
    }

    fn map_err(&self, error: Err) -> M::Error {
        self.errors.map_err(error)
    }
}

/// What becomes of inner errors. Sealed, as [`Policy`].
pub trait MapErr<Err>: Sealed {
    /// The error type of the guarded service.
    type Error;

    /// Turns the inner error into that of the guarded service.
    fn map_err(&self, error: Err) -> Self::Error;
}

/// Errors are boxed, as in tower's own layers.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Boxed;

impl<Err: Into<BoxError>> MapErr<Err> for Boxed {
    type Error = BoxError;

    fn map_err(&self, error: Err) -> BoxError {
        error.into()
    }
}

/// Errors stay as they are.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Unchanged;

impl<Err> MapErr<Err> for Unchanged {
    type Error = Err;

    fn map_err(&self, error: Err) -> Err {
        error
    }
}
