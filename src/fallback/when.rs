//! Which calls need a fallback.

use std::{any::type_name, fmt};

use super::source::Sealed;
use crate::{
    classify::{Classifier, find_error, is_local},
    rejected::Rejected,
};

/// Decides which calls need a fallback. Sealed: [`OnRejected`] is the default, the layer's setters choose another.
pub trait When<Res, Err>: Sealed {
    /// Reports whether this one does.
    fn is_due(&self, result: &Result<Res, Err>) -> bool;
}

/// A fallback for calls that a circuit did not let pass: a [`Rejected`] among the error and its sources.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OnRejected;

/// A fallback for whatever a classifier calls a failure, and for calls that were not made: see
/// [`FallbackLayer::on_failure`](super::FallbackLayer::on_failure).
#[derive(Clone, Copy, Debug)]
pub struct OnFailure<C>(pub(super) C);

/// A fallback where a closure says so: see [`FallbackLayer::on`](super::FallbackLayer::on).
#[derive(Clone, Copy)]
pub struct On<F>(pub(super) F);

impl Sealed for OnRejected {}
impl<C> Sealed for OnFailure<C> {}
impl<F> Sealed for On<F> {}

impl<Res, Err: 'static> When<Res, Err> for OnRejected {
    fn is_due(&self, result: &Result<Res, Err>) -> bool {
        result.as_ref().is_err_and(|error| find_error::<Rejected>(error).is_some())
    }
}

impl<C, Res, Err: 'static> When<Res, Err> for OnFailure<C>
where
    C: Classifier<Res, Err>,
{
    fn is_due(&self, result: &Result<Res, Err>) -> bool {
        self.0.classify(result.as_ref()).is_failure() || result.as_ref().is_err_and(is_local)
    }
}

impl<F, Res, Err> When<Res, Err> for On<F>
where
    F: Fn(Result<&Res, &Err>) -> bool,
{
    fn is_due(&self, result: &Result<Res, Err>) -> bool {
        (self.0)(result.as_ref())
    }
}

impl<F> fmt::Debug for On<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("On").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
