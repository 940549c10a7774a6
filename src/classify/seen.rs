//! A closure over an HTTP result that needs no type annotations.

use std::{
    any::{Any, type_name},
    error::Error,
    fmt,
};

use http::{Extensions, HeaderMap, Response, StatusCode};

use super::{Classifier, HttpClassifier, chain};
use crate::outcome::Outcome;

/// Makes a classifier from a closure over what was seen, whatever the types of body and error.
///
/// Returning [`Seen::default_outcome`] leaves the rest to [`HttpClassifier`].
///
/// ```
/// use tower_breaker::{Outcome, classify::http_fn};
///
/// let classifier = http_fn(|seen| match seen.status() {
///     Some(status) if status == 599 => Outcome::Ignored,
///     _ if seen.header("x-degraded").is_some() => Outcome::failure(),
///     _ => seen.default_outcome(),
/// });
/// ```
pub fn http_fn<F>(classify: F) -> HttpFn<F>
where
    F: Fn(&Seen<'_>) -> Outcome,
{
    HttpFn { classify }
}

/// A classifier made by [`http_fn`].
#[derive(Clone, Copy)]
pub struct HttpFn<F> {
    classify: F,
}

impl<F, B, E: 'static> Classifier<Response<B>, E> for HttpFn<F>
where
    F: Fn(&Seen<'_>) -> Outcome,
{
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        let default = HttpClassifier::new().classify(result);
        (self.classify)(&Seen::new(result, default))
    }
}

impl<F> fmt::Debug for HttpFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

/// The result of an HTTP call, without its body.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    head: Option<(StatusCode, &'a HeaderMap, &'a Extensions)>,
    error: Option<&'a dyn Any>,
    default: Outcome,
}

impl<'a> Seen<'a> {
    pub(crate) fn new<B, E: 'static>(result: Result<&'a Response<B>, &'a E>, default: Outcome) -> Self {
        let (head, error) = match result {
            Ok(response) => (Some((response.status(), response.headers(), response.extensions())), None),
            Err(error) => (None, Some(error as &dyn Any)),
        };
        Self { head, error, default }
    }

    /// Returns the status; none if there was an error.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.head.map(|(status, ..)| status)
    }

    /// Returns the headers; none if there was an error.
    #[must_use]
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.head.map(|(_, headers, _)| headers)
    }

    /// Returns one header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers()?.get(name)?.to_str().ok()
    }

    /// Returns the extensions of the response; none if there was an error.
    #[must_use]
    pub fn extensions(&self) -> Option<&'a Extensions> {
        self.head.map(|(_, _, extensions)| extensions)
    }

    /// Reports whether there was an error in place of a response.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.head.is_none()
    }

    /// Finds an error of type `T`: the error itself, or one in a boxed error and its chain of sources.
    ///
    /// Only boxed errors can be walked, as every tower layer makes them.
    #[must_use]
    pub fn find_error<T: Error + 'static>(&self) -> Option<&'a T> {
        chain::find(self.error?)
    }

    /// Returns what [`HttpClassifier`] makes of it.
    #[must_use]
    pub fn default_outcome(&self) -> Outcome {
        self.default
    }
}
