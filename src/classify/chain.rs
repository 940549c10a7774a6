//! Errors of our own making, found in whatever error type a service has.

use std::{any::Any, error::Error};

use tower::{BoxError, load_shed};

use crate::{outcome::Outcome, overloaded::Overloaded, rejected::Rejected};

/// What an error means that nothing more is known of: a failure, unless it is of our own making.
pub(super) fn classify<E: 'static>(error: &E) -> Outcome {
    if is_local(error) { Outcome::Ignored } else { Outcome::failure() }
}

/// The error as one that can be walked, if it is boxed.
///
/// A bound `E: Error` is of no use, since `BoxError` is no `Error`; so boxes are found by their type.
fn as_dyn(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = super::of_reqwest::as_dyn(error) {
        return Some(error);
    }
    error.downcast_ref::<BoxError>().map(|boxed| &**boxed as &(dyn Error + 'static))
}

/// Finds an error of type `T`: the error itself, or one in a boxed error and its chain of sources.
#[cfg(any(feature = "fallback", feature = "http"))]
pub(crate) fn find<T: Error + 'static>(error: &dyn Any) -> Option<&T> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let mut next = as_dyn(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether the call was not made, by our own doing: it says nothing about the dependency.
pub(crate) fn is_local<E: 'static>(error: &E) -> bool {
    let any: &dyn Any = error;
    any.is::<Rejected>()
        || any.is::<Overloaded>()
        || any.is::<load_shed::error::Overloaded>()
        || any_in_chain(error, is_of_our_making)
}

fn is_of_our_making(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "reqwest")]
    if super::of_reqwest::is_local(error) {
        return true;
    }
    error.is::<Rejected>() || error.is::<Overloaded>() || error.is::<load_shed::error::Overloaded>()
}

/// Whether it is so for a boxed error, or for one in its chain of sources.
pub(crate) fn any_in_chain<E: 'static>(error: &E, is_so: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut next = as_dyn(error);
    while let Some(error) = next {
        if is_so(error) {
            return true;
        }
        next = error.source();
    }
    false
}
