//! tower-breaker.

use axum::{Router, body::Body, http::Response};
use std::time::Duration;
use tower::{ServiceBuilder, service_fn};
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config, Rejected,
    config::{CancelledAfter, Consecutive, FailureRate, HalfOpen, Probing, Recovery, Window},
    service::ResponseBody,
};

use super::refused;
use crate::breaker::{Breaker, Rule, Settings, Unbuilt, run};

pub(crate) const CONFIGURATION: &str = "`Config::without_rules().consecutive_failures(Consecutive::new(5)).probing(Probing::fixed(open))\
.half_open(HalfOpen::new().probe_timeout(4 × open)).recovery(Recovery::Probes)`; `CircuitBreakerLayer::new(circuit)\
.until_end_of_body()`. \
Windows: `failure_rate(FailureRate::new(0.5).minimum_calls(100).window(Window::count(100)))`, `failure_rate(FailureRate::new(0.5)\
.window(Window::time(60 s)))`. Who hung up: `cancelled_after(CancelledAfter::After(300 ms))`";

fn circuit(settings: Settings) -> Result<Circuit, Unbuilt> {
    let config = match settings.rule {
        Rule::Calls(calls) => {
            let calls = u32::try_from(calls).map_err(refused)?;
            Config::without_rules()
                .failure_rate(FailureRate::new(0.5).minimum_calls(calls).window(Window::count(calls)))
        }
        Rule::Run(failures) => Config::without_rules().consecutive_failures(Consecutive::new(failures)),
        Rule::Time(length) => Config::without_rules().failure_rate(FailureRate::new(0.5).window(Window::time(length))),
    };
    let config = config
        .probing(Probing::fixed(settings.open))
        .half_open(HalfOpen::new().probe_timeout(lease(settings.open)))
        .recovery(Recovery::Probes)
        .cancelled_after(settings.cancelled_after.map_or(CancelledAfter::Never, CancelledAfter::After));
    Circuit::builder("compared").config(config).build().map_err(refused)
}

/// How long a probe may take. By default 30 s, whatever the open time.
fn lease(open: Duration) -> Duration {
    open.saturating_mul(4).min(HalfOpen::new().probe_timeout)
}

pub(super) fn build(settings: Settings) -> Result<Breaker, Unbuilt> {
    let service = ServiceBuilder::new()
        .map_response(|response: Response<ResponseBody<Body>>| response.map(Body::new))
        .layer(CircuitBreakerLayer::new(circuit(settings)?).until_end_of_body())
        .service(service_fn(run));
    Ok(Breaker::of_service(service, |error| Rejected::find(&**error).is_some()))
}

pub(super) fn on_axum(router: Router, settings: Settings) -> Result<Router, Unbuilt> {
    Ok(router.layer(CircuitBreakerLayer::new(circuit(settings)?).reply_503()))
}
