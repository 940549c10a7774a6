//! What is asked of each crate: to guard a call, and to be built with the nearest that it has to the settings of a test.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::response::Response;
use tower::{BoxError, Service, ServiceExt};

/// The call that a breaker guards. It starts when it is first polled.
pub(crate) struct Job(Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>);

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Job {
    pub(crate) fn new(call: impl Future<Output = Result<Response, BoxError>> + Send + 'static) -> Self {
        Self(Box::pin(call))
    }
}

impl Future for Job {
    type Output = Result<Response, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

/// How a guarded call ended, in the same words for all.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The dependency answered, with whatever status.
    Answered(Response),
    /// The call was made and failed.
    Failed,
    /// The breaker did not make the call.
    Rejected,
}

impl Answer {
    pub(crate) fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected)
    }
}

/// What opens the breaker in a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Half of the last so many calls failed.
    Calls(usize),
    /// This many failures in a row.
    Run(u32),
    /// Half of at least 20 calls in this time failed.
    Time(Duration),
}

/// The settings of a test. All else is each crate's own default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) rule: Rule,
    /// How long it stays open. One probe then decides, where the crate can be told so.
    pub(crate) open: Duration,
    /// From which age on a dropped call counts as a failure. Only ours knows the setting.
    pub(crate) cancelled_after: Option<Duration>,
}

impl Settings {
    /// Opens after five failures in a row.
    pub(crate) fn run_of_five(open: Duration) -> Self {
        Self { rule: Rule::Run(5), open, cancelled_after: None }
    }
}

/// Why there is no breaker for a test.
#[derive(Debug)]
pub(crate) enum Unbuilt {
    /// The crate has no rule of this kind.
    NoSuchRule(&'static str),
    /// The crate refuses the settings, and says why.
    Refused(String),
}

/// A breaker of some crate. A clone is the same breaker.
#[derive(Clone)]
pub(crate) struct Breaker(Arc<dyn Fn(Job) -> Answering + Send + Sync>);

impl Breaker {
    /// Calls through a tower service that was made by the crate's own layer around [`run`].
    pub(crate) fn of_service<S>(service: S, is_rejection: fn(&S::Error) -> bool) -> Self
    where
        S: Service<Job, Response = Response> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: 'static,
    {
        Self::of_fn(move |job| {
            let call = service.clone().oneshot(job);
            async move {
                match call.await {
                    Ok(response) => Answer::Answered(response),
                    Err(error) if is_rejection(&error) => Answer::Rejected,
                    Err(_) => Answer::Failed,
                }
            }
        })
    }

    /// Calls through a function that wraps a future.
    pub(crate) fn of_fn<F, A>(call: F) -> Self
    where
        F: Fn(Job) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(move |job| Box::pin(call(job))))
    }

    pub(crate) async fn call(&self, job: Job) -> Answer {
        (self.0)(job).await
    }

    /// Calls a dependency that answers at once.
    pub(crate) async fn succeed(&self) -> Answer {
        self.call(Job::new(async { Ok(Response::default()) })).await
    }

    /// Calls a dependency that fails at once.
    pub(crate) async fn fail(&self) -> Answer {
        self.call(Job::new(async { Err("down".into()) })).await
    }

    /// Fails until the breaker rejects; returns how many calls were made, or none if it never did.
    pub(crate) async fn fail_until_open(&self, most: usize) -> Option<usize> {
        for made in 0..=most {
            if self.fail().await.is_rejected() {
                return Some(made);
            }
        }
        None
    }
}

/// The innermost service: it runs the job.
pub(crate) fn run(job: Job) -> Job {
    job
}

/// 5xx is a failure, in the one sentence that every crate can be told.
pub(crate) fn is_failure<E>(result: &Result<Response, E>) -> bool {
    result.as_ref().map_or(true, |response| response.status().is_server_error())
}

/// For crates that see errors only: 5xx becomes an error before the breaker looks.
pub(crate) async fn errors_for_5xx(job: Job) -> Result<Response, BoxError> {
    let response = job.await?;
    if response.status().is_server_error() { Err(response.status().to_string().into()) } else { Ok(response) }
}
