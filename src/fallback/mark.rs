//! An answer that says that it is a fallback, and why.

use std::{error::Error, fmt};

use http::{Response, StatusCode};
use tower::BoxError;

use super::source::{Draw, Sealed, Source};
use crate::sync::Arc;

/// Among the extensions of a response: it is a fallback, and this is what it stands for.
///
/// Put there by [`FallbackLayer::mark`](super::FallbackLayer::mark).
#[derive(Clone, Debug)]
pub struct FallenBack {
    because: Because,
}

#[derive(Clone, Debug)]
enum Because {
    Answer(StatusCode),
    Error(Arc<dyn Error + Send + Sync>),
}

impl FallenBack {
    /// Returns the original error, to look into with [`Rejected::find`](crate::Rejected::find) and its like; none if
    /// there was an answer.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.because {
            Because::Answer(_) => None,
            Because::Error(error) => Some(&**error),
        }
    }

    /// Returns the status of the answer that was replaced; none if there was an error.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.because {
            Because::Answer(status) => Some(*status),
            Because::Error(_) => None,
        }
    }
}

impl fmt::Display for FallenBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.because {
            Because::Answer(status) => write!(f, "a fallback for the answer {status}"),
            Because::Error(error) => write!(f, "a fallback because: {error}"),
        }
    }
}

/// Marks the answers of a source, see [`FallbackLayer::mark`](super::FallbackLayer::mark).
#[derive(Clone, Copy, Debug)]
pub struct Marked<F>(pub(super) F);

impl<F> Sealed for Marked<F> {}

impl<F: Draw<Req>, Req> Draw<Req> for Marked<F> {
    type Drawn = F::Drawn;

    fn draw(&self, request: &Req) -> F::Drawn {
        self.0.draw(request)
    }
}

impl<F, D, B, C, Err> Source<D, Response<B>, Err> for Marked<F>
where
    F: Source<D, Response<B>, Err, Response = Response<C>>,
    Err: Into<BoxError>,
{
    const WAITS: bool = F::WAITS;
    type Response = Response<C>;
    type Future = F::Future;

    fn fall_back(&self, drawn: D, failed: &Result<Response<B>, Err>) -> F::Future {
        self.0.fall_back(drawn, failed)
    }

    fn answered(&self, drawn: Option<D>, response: Response<B>) -> Response<C> {
        self.0.answered(drawn, response)
    }

    fn fallen_back(&self, mut answer: Response<C>, failed: Result<Response<B>, Err>) -> Response<C> {
        let because = match failed {
            Ok(response) => Because::Answer(response.status()),
            Err(error) => Because::Error(Arc::from(error.into())),
        };
        answer.extensions_mut().insert(FallenBack { because });
        answer
    }
}
