//! Who is told what happens to a circuit.
//!
//! Observers are called one after the other, in the order of the events, outside every lock, by a thread whose call caused
//! an event (not always this one). One that panics harms neither the circuit nor the others.

mod event_log;
#[cfg(feature = "tracing")]
mod tracing;

pub use self::event_log::EventLog;

use std::fmt;

use crate::{
    machine::{Event, Rejection},
    state::State,
};

/// Is told what happens to a circuit.
///
/// ```
/// use tower_breaker::{Circuit, machine::Event};
///
/// let circuit = Circuit::builder("payments")
///     .observe(|event: &Event| {
///         if let Event::Transition(transition) = event {
///             println!("{} is {}: {}", transition.circuit, transition.to, transition.reason);
///         }
///     })
///     .build()?;
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
pub trait Observer: Send + Sync {
    /// Takes an event. Calls on the same circuit are allowed; their events come after this one.
    ///
    /// # Panics
    ///
    /// A panic is caught and forgotten.
    fn on_event(&self, event: &Event);

    /// Takes an event of a circuit that may be one of many with the same name: `key` is what a registry by key finds it
    /// by, none for any other circuit. This is what circuits call; by default it calls
    /// [`Observer::on_event`].
    ///
    /// ```
    /// use std::fmt::Debug;
    /// use tower_breaker::{machine::Event, observe::Observer};
    ///
    /// struct Names;
    ///
    /// impl Observer for Names {
    ///     fn on_event(&self, event: &Event) {
    ///         self.on_keyed_event(event, None);
    ///     }
    ///
    ///     fn on_keyed_event(&self, event: &Event, key: Option<&dyn Debug>) {
    ///         if let (Event::Transition(transition), Some(key)) = (event, key) {
    ///             println!("{} of {key:?} is {}", transition.circuit, transition.to); // tenants of "acme" is open
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// A panic is caught and forgotten.
    fn on_keyed_event(&self, event: &Event, key: Option<&dyn fmt::Debug>) {
        let _ = key;
        self.on_event(event);
    }
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}

/// What a circuit is for, if it is one of many with the same name.
pub(crate) type Key = dyn fmt::Debug + Send + Sync;

/// Writes an event to the log, if there is one.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is none"))]
pub(crate) fn log(event: &Event, key: Option<&Key>) {
    #[cfg(feature = "tracing")]
    tracing::log(event, key);
}

/// Warns in the log that so many circuits have one name.
#[cfg(feature = "keyed")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is none"))]
pub(crate) fn log_duplicate(name: &str, circuits: usize) {
    #[cfg(feature = "tracing")]
    tracing::log_duplicate(name, circuits);
}

/// Whether anybody may want to hear of calls; one look at a static.
#[inline]
pub(crate) fn is_heard() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::is_heard();
    #[cfg(not(feature = "tracing"))]
    false
}

/// Whether anybody wants to hear of rejections.
pub(crate) fn hears_rejections() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::hears_rejections();
    #[cfg(not(feature = "tracing"))]
    false
}

/// Writes the state of a circuit to the span of a call, if that has a place for it.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is none"))]
pub(crate) fn mark_span(state: State) {
    #[cfg(feature = "tracing")]
    tracing::mark_span(state);
}

/// Writes a rejection to the log, and how many there were since the last line that have none.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is none"))]
pub(crate) fn log_rejection(circuit: &str, key: Option<&Key>, rejection: &Rejection, left_out: u64) {
    #[cfg(feature = "tracing")]
    tracing::log_rejection(circuit, key, rejection, left_out);
}
