//! Who is told what happens to a circuit.
//!
//! Observers are called one after the other, in the order of the events, outside every lock, by a thread whose call caused
//! an event (not always this one). One that panics harms neither the circuit nor the others.

#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "keyed")]
use std::fmt;
use std::sync::Arc;

use crate::machine::Event;

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
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}

/// The observers that every circuit begins with.
pub(crate) fn standard() -> Vec<Arc<dyn Observer>> {
    vec![
        #[cfg(feature = "tracing")]
        Arc::new(tracing::Tracing::default()),
    ]
}

/// Those that a circuit of a key begins with.
#[cfg(feature = "keyed")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only a log line names the key"))]
pub(crate) fn of_key(key: Arc<dyn fmt::Debug + Send + Sync>) -> Vec<Arc<dyn Observer>> {
    vec![
        #[cfg(feature = "tracing")]
        Arc::new(tracing::Tracing::of_key(key)),
    ]
}
