//! failsafe.

use failsafe::{Config, Error, FailurePolicy, backoff, failure_policy, futures::CircuitBreaker};

use crate::breaker::{Answer, Breaker, Rule, Settings, Unbuilt, errors_for_5xx};

pub(crate) const CONFIGURATION: &str = "`Config::new().failure_policy(consecutive_failures(5, backoff::constant(open))).build()`; \
it has no limit on probes; 5xx is made an `Err` before `call`. Window: \
`success_rate_over_time_window(0.5, 20, 60 s, backoff)`";

pub(super) fn build(settings: Settings) -> Result<Breaker, Unbuilt> {
    let wait = backoff::constant(settings.open);
    match settings.rule {
        Rule::Calls(_) => Err(Unbuilt::NoSuchRule("no count window")),
        Rule::Run(failures) => Ok(guard(failure_policy::consecutive_failures(failures, wait))),
        Rule::Time(length) => Ok(guard(failure_policy::success_rate_over_time_window(0.5, 20, length, wait))),
    }
}

fn guard(policy: impl FailurePolicy + Send + Sync + 'static) -> Breaker {
    let breaker = Config::new().failure_policy(policy).build();
    Breaker::of_fn(move |job| {
        let call = CircuitBreaker::call(&breaker, Box::pin(errors_for_5xx(job)));
        async move {
            match call.await {
                Ok(response) => Answer::Answered(response),
                Err(Error::Inner(_)) => Answer::Failed,
                Err(Error::Rejected) => Answer::Rejected,
            }
        }
    })
}
