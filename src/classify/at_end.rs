//! What the end of a body means, where a layer waits for it.

use std::fmt;

use http::HeaderMap;

#[cfg(feature = "grpc")]
use super::GrpcClassifier;
use crate::outcome::Outcome;

/// How a body ended.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a body has no fifth end; users match on these four")]
pub enum Ending<'a> {
    /// It broke off with an error.
    Broken,
    /// It ended well and without trailers.
    Clean,
    /// Its reader dropped it before the end.
    Dropped,
    /// It ended with trailers.
    Trailers(&'a HeaderMap),
}

/// How the end of a body is to be judged: the answer of [`Classifier::at_end`](super::Classifier::at_end).
///
/// ```
/// use http::Response;
/// use tower_breaker::{Outcome, classify::{AtEnd, Classifier, Ending}};
///
/// /// A protocol that says in a trailer whether all went well.
/// #[derive(Clone)]
/// struct Checksummed;
///
/// impl<B, E> Classifier<Response<B>, E> for Checksummed {
///     fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
///         if result.is_ok() { Outcome::Success } else { Outcome::failure() }
///     }
///
///     fn at_end(&self, _: &Response<B>) -> AtEnd {
///         AtEnd::judge(|ending| match ending {
///             Ending::Trailers(trailers) if trailers.contains_key("checksum") => Outcome::Success,
///             Ending::Dropped => Outcome::Ignored,
///             Ending::Trailers(_) | Ending::Clean | Ending::Broken => Outcome::failure(),
///         })
///     }
/// }
/// # let at_end = Classifier::<_, ()>::at_end(&Checksummed, &Response::new(()));
/// # assert!(at_end.outcome(Ending::Clean).is_failure());
/// ```
#[must_use = "the end of a body is judged by a layer that waits for it"]
pub struct AtEnd(Kind);

enum Kind {
    Body,
    #[cfg(feature = "grpc")]
    Grpc(GrpcClassifier),
    Head,
    Judge(Judge),
}

type Judge = Box<dyn FnOnce(Ending<'_>) -> Outcome + Send + Sync>;

impl AtEnd {
    /// The head was good, and only a body that breaks off is a failure. This is the default.
    pub const fn body() -> Self {
        Self(Kind::Body)
    }

    /// The head has said all: its outcome stands, however the body ends.
    pub const fn head() -> Self {
        Self(Kind::Head)
    }

    /// A closure judges, which may know what stood in the head. It is boxed, which is an allocation for each call.
    pub fn judge(judge: impl FnOnce(Ending<'_>) -> Outcome + Send + Sync + 'static) -> Self {
        Self(Kind::Judge(Box::new(judge)))
    }

    #[cfg(feature = "grpc")]
    pub(super) const fn grpc(classifier: GrpcClassifier) -> Self {
        Self(Kind::Grpc(classifier))
    }

    /// Reports whether the end makes no difference.
    #[must_use]
    pub fn is_head(&self) -> bool {
        matches!(self.0, Kind::Head)
    }

    /// Returns what an end means after a good head.
    ///
    /// # Panics
    ///
    /// If the closure of [`AtEnd::judge`] does. In a layer the call is a failure then, and the panic goes on to the reader of
    /// the body; if the reader has dropped the body, nobody sees it.
    #[must_use]
    pub fn outcome(self, ending: Ending<'_>) -> Outcome {
        match self.0 {
            Kind::Body => match ending {
                Ending::Broken => Outcome::failure(),
                Ending::Clean | Ending::Dropped | Ending::Trailers(_) => Outcome::Success,
            },
            #[cfg(feature = "grpc")]
            Kind::Grpc(classifier) => classifier.classify_ending(ending),
            Kind::Head => Outcome::Success,
            Kind::Judge(judge) => judge(ending),
        }
    }
}

impl fmt::Debug for AtEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Kind::Body => "body",
            #[cfg(feature = "grpc")]
            Kind::Grpc(_) => "grpc",
            Kind::Head => "head",
            Kind::Judge(_) => "judge",
        };
        f.debug_tuple("AtEnd").field(&format_args!("{name}")).finish()
    }
}
