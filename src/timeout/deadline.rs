//! What a request says about its own time.

use std::time::Duration;

use tokio::time::Instant;

use crate::{clock::tokio_now, config::YEAR};

/// An extension of a request: limits of its own, in place of those of the layers; for layers with `per_request`.
///
/// They are the own program's, so they may be longer than those of the layers. Zero times out at once; more than 365 days are
/// 365 days.
///
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use tower_breaker::timeout::CallLimits;
///
/// let limits = CallLimits::new().total(Duration::from_secs(60)).attempt(Duration::from_secs(20));
/// let request = Request::get("/report").extension(limits).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "limits do nothing until they are an extension of a request"]
pub struct CallLimits {
    total: Option<Duration>,
    attempt: Option<Duration>,
}

impl CallLimits {
    /// Returns limits that change nothing.
    pub const fn new() -> Self {
        Self { total: None, attempt: None }
    }

    /// Sets how long the call may take in all.
    pub const fn total(self, limit: Duration) -> Self {
        Self { total: Some(limit), ..self }
    }

    /// Sets how long each attempt may take.
    pub const fn attempt(self, limit: Duration) -> Self {
        Self { attempt: Some(limit), ..self }
    }

    pub(super) fn total_or(self, usual: Duration) -> Duration {
        self.total.unwrap_or(usual).min(YEAR)
    }

    pub(super) fn attempt_or(self, usual: Duration) -> Duration {
        self.attempt.unwrap_or(usual).min(YEAR)
    }
}

/// An extension of a request: when its caller will have given up. [`TotalTimeoutLayer::per_request`] writes it.
///
/// On a server, give it to the requests that a handler makes: their total timeouts keep it, and their attempts can carry what is
/// left of it on.
///
/// ```
/// use http::Request;
/// use tower_breaker::timeout::Deadline;
///
/// fn passed_on(from: &Request<()>) -> Result<Request<()>, http::Error> {
///     let mut request = Request::get("http://inventory/").body(())?;
///     if let Some(deadline) = from.extensions().get::<Deadline>() {
///         request.extensions_mut().insert(*deadline);
///     }
///     Ok(request)
/// }
/// # passed_on(&Request::new(())).unwrap();
/// ```
///
/// [`TotalTimeoutLayer::per_request`]: super::TotalTimeoutLayer::per_request
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at: Instant,
}

impl Deadline {
    /// `wait` must be at most a year, so that nothing overflows.
    pub(super) fn after(wait: Duration) -> Self {
        Self { at: tokio_now() + wait }
    }

    /// Returns how much time is left; zero if it has passed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(tokio_now())
    }
}
