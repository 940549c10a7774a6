//! Where the answer of a fallback comes from, and what it is told.

use std::{any::Any, error::Error, fmt, future::Future};

use crate::{classify::find_error, rejected::Rejected};

/// Draws what a fallback needs from a request, before the call consumes it.
///
/// Sealed: the constructors of [`FallbackLayer`](super::FallbackLayer) make what there is.
pub trait Draw<Req>: Sealed {
    /// What is drawn.
    type Drawn;

    /// Draws it; on every call.
    fn draw(&self, request: &Req) -> Self::Drawn;
}

/// Answers a call that failed, with what was drawn from its request. Sealed, as [`Draw`].
pub trait Source<D, Res, Err>: Sealed {
    /// Whether an answer may have to be waited for. Only then does the limit count.
    const WAITS: bool;

    /// The response of the service with the fallback.
    type Response;

    /// Ends with the answer, or with none.
    type Future: Future<Output = Option<Self::Response>>;

    /// Begins to make the answer.
    fn fall_back(&self, drawn: D, failed: &Result<Res, Err>) -> Self::Future;

    /// Hands on an answer of the inner service. With something drawn it is one that needs no fallback.
    fn answered(&self, drawn: Option<D>, response: Res) -> Self::Response;

    /// Hands on an answer of the fallback.
    fn fallen_back(&self, answer: Self::Response, failed: Result<Res, Err>) -> Self::Response {
        drop(failed);
        answer
    }
}

/// Keeps the traits of this module to those that are here.
#[expect(unnameable_types, reason = "that is what seals them")]
pub trait Sealed {}

/// What a fallback is told of the call that failed.
#[derive(Clone, Copy)]
pub struct Failed<'a> {
    /// None if it was an answer.
    error: Option<&'a dyn Any>,
}

impl<'a> Failed<'a> {
    pub(super) fn new<Res, Err: 'static>(failed: &'a Result<Res, Err>) -> Self {
        Self { error: failed.as_ref().err().map(|error| error as &dyn Any) }
    }

    /// Reports whether there was an answer, which the layer was told to replace.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.error.is_none()
    }

    /// Returns the rejection, if a circuit let the call not pass.
    #[must_use]
    pub fn rejected(&self) -> Option<&'a Rejected> {
        self.find_error()
    }

    /// Finds an error of type `T`: the error itself, or one in a boxed error and its chain of sources.
    #[must_use]
    pub fn find_error<T: Error + 'static>(&self) -> Option<&'a T> {
        find_error(self.error?)
    }
}

impl fmt::Debug for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("is_answer", &self.is_answer())
            .field("rejected", &self.rejected())
            .finish_non_exhaustive()
    }
}
