//! The one place of this example that reads the time.

pub(crate) use tokio::time::Instant;

/// Returns the time by the clock that tokio's timers follow.
#[expect(clippy::disallowed_methods, reason = "the example measures real waits; the library itself has clock::Clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
