//! The one type parameter of the layer: which circuit, what is a failure, what becomes of a rejection.

use std::fmt;

use super::{BoxError, reject::Reject};
use crate::{
    circuit::{Circuit, Permit},
    classify::Classifier,
    outcome::Outcome,
    rejected::Rejected,
};

/// How a [`CircuitBreaker`](super::CircuitBreaker) treats its calls.
///
/// [`Single`] is the one that the layer's setters build. The trait is sealed: keys will change it.
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
    fn reject(&self, request: Req, rejected: Rejected) -> AnswerOf<Self::Judge, Res, Err>;
}

/// What a guarded service answers.
type AnswerOf<J, Res, Err> = Result<<J as Judge<Res, Err>>::Response, <J as Judge<Res, Err>>::Error>;

/// Judges the end of a call. Sealed, as [`Policy`].
pub trait Judge<Res, Err>: Sealed {
    /// The response of the guarded service.
    type Response;

    /// The error type of the guarded service.
    type Error;

    /// Settles a call that was answered, or lets the response settle it.
    fn answered(&self, permit: &mut Permit, response: Res) -> Self::Response;

    /// Returns what an error means for the circuit.
    fn classify_error(&self, error: &Err) -> Outcome;

    /// Turns the inner error into that of the guarded service.
    fn map_err(&self, error: Err) -> Self::Error;
}

/// Keeps the traits of this module to those that are here.
#[expect(unnameable_types, reason = "that is what seals them")]
pub trait Sealed {}

impl<C, R, W> Sealed for Single<C, R, W> {}
impl<C, M, W> Sealed for Judged<C, M, W> {}
impl Sealed for AtHead {}
impl Sealed for Boxed {}
impl Sealed for Unchanged {}

/// One circuit for all calls, a classifier `C`, what becomes of a rejection `R`, and when a call is over `W`.
#[derive(Clone)]
pub struct Single<C, R, W = AtHead> {
    pub(super) circuit: Circuit,
    pub(super) classifier: C,
    pub(super) reject: R,
    pub(super) over: W,
}

impl<C, R, W, Req, Res, Err> Policy<Req, Res, Err> for Single<C, R, W>
where
    C: Classifier<Res, Err> + Clone,
    R: Reject<Req, W::Response, Err>,
    W: Over<Res>,
{
    type Judge = Judged<C, R::Errors, W>;

    fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    fn judge(&self) -> Self::Judge {
        Judged::new(self.classifier.clone(), self.over)
    }

    fn reject(&self, request: Req, rejected: Rejected) -> AnswerOf<Self::Judge, Res, Err> {
        self.reject.reject(request, rejected)
    }
}

impl<C: fmt::Debug, R: fmt::Debug, W: fmt::Debug> fmt::Debug for Single<C, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single")
            .field("circuit", &self.circuit)
            .field("classifier", &self.classifier)
            .field("reject", &self.reject)
            .field("over", &self.over)
            .finish()
    }
}

/// A classifier, what becomes of inner errors, and when a call is over.
#[derive(Clone, Copy, Debug)]
pub struct Judged<C, M, W = AtHead> {
    classifier: C,
    errors: M,
    over: W,
}

impl<C, M: Default, W> Judged<C, M, W> {
    pub(super) fn new(classifier: C, over: W) -> Self {
        Self { classifier, errors: M::default(), over }
    }
}

impl<C, M, W, Res, Err> Judge<Res, Err> for Judged<C, M, W>
where
    C: Classifier<Res, Err>,
    M: MapErr<Err>,
    W: Over<Res>,
{
    type Response = W::Response;
    type Error = M::Error;

    #[inline]
    fn answered(&self, permit: &mut Permit, response: Res) -> W::Response {
        self.over.answered(&self.classifier, permit, response)
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        self.classifier.classify(Err(error))
    }

    fn map_err(&self, error: Err) -> M::Error {
        self.errors.map_err(error)
    }
}

/// When a call is over that was answered. Sealed, as [`Policy`].
pub trait Over<Res>: Sealed + Copy {
    /// The response of the guarded service.
    type Response;

    /// Settles a call that was answered, or lets the response settle it.
    fn answered<C, Err>(self, classifier: &C, permit: &mut Permit, response: Res) -> Self::Response
    where
        C: Classifier<Res, Err>;
}

/// A call is over at the head of its response, which stays as it is.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AtHead;

impl<Res> Over<Res> for AtHead {
    type Response = Res;

    #[inline]
    fn answered<C, Err>(self, classifier: &C, permit: &mut Permit, response: Res) -> Res
    where
        C: Classifier<Res, Err>,
    {
        let outcome = permit.guard(|| classifier.classify(Ok(&response)));
        permit.record_answer(outcome);
        response
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
