//! What becomes of a rejected call.

use std::{any::type_name, fmt};

use super::{
    BoxError,
    policy::{Boxed, MapErr, Sealed, Unchanged},
};
use crate::rejected::Rejected;

/// Answers a call that is not made.
///
/// [`Fail`] is the default; the layer's setters choose another. The trait is sealed.
pub trait Reject<Req, Res, Err>: Sealed {
    /// What becomes of the inner service's errors.
    type Errors: MapErr<Err> + Default;

    /// Returns the answer to a call that is not made.
    ///
    /// # Errors
    ///
    /// Where a rejection is an error.
    fn reject(&self, request: Req, rejected: Rejected) -> Result<Res, <Self::Errors as MapErr<Err>>::Error>;
}

/// A rejection is an error: [`Rejected`], boxed as in tower's timeout and load-shed.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Fail;

impl Sealed for Fail {}
impl<F> Sealed for FailWith<F> {}
impl<F> Sealed for ReplyWith<F> {}

impl<Req, Res, Err: Into<BoxError>> Reject<Req, Res, Err> for Fail {
    type Errors = Boxed;

    fn reject(&self, _: Req, rejected: Rejected) -> Result<Res, BoxError> {
        Err(rejected.into())
    }
}

/// A rejection is the error of your own that a closure makes of it; inner errors stay as they are.
#[derive(Clone, Copy)]
pub struct FailWith<F>(pub(super) F);

impl<F, Req, Res, Err> Reject<Req, Res, Err> for FailWith<F>
where
    F: Fn(Rejected) -> Err,
{
    type Errors = Unchanged;

    fn reject(&self, _: Req, rejected: Rejected) -> Result<Res, Err> {
        Err((self.0)(rejected))
    }
}

impl<F> fmt::Debug for FailWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FailWith").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

/// A rejection is the response that a closure makes of it and the request; inner errors stay as they are.
#[derive(Clone, Copy)]
pub struct ReplyWith<F>(pub(super) F);

impl<F, Req, Res, Err> Reject<Req, Res, Err> for ReplyWith<F>
where
    F: Fn(Req, Rejected) -> Res,
{
    type Errors = Unchanged;

    fn reject(&self, request: Req, rejected: Rejected) -> Result<Res, Err> {
        Ok((self.0)(request, rejected))
    }
}

impl<F> fmt::Debug for ReplyWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyWith").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
