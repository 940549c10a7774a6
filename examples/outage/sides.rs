//! Something that is there twice: without and with the breaker.

use serde_json::{Value, json};

/// The same for both gateways.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sides<T> {
    pub(crate) without: T,
    pub(crate) with: T,
}

impl<T> Sides<T> {
    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> Sides<U> {
        Sides { without: change(self.without), with: change(self.with) }
    }

    pub(crate) fn as_ref(&self) -> Sides<&T> {
        Sides { without: &self.without, with: &self.with }
    }
}

impl<T: Into<Value>> Sides<T> {
    pub(crate) fn into_json(self) -> Value {
        json!({ "without": self.without.into(), "with": self.with.into() })
    }
}
