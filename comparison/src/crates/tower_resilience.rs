//! tower-resilience-circuitbreaker.

use axum::{Router, error_handling::HandleErrorLayer, response::Response};
use std::convert::Infallible;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_resilience_circuitbreaker::{
    CircuitBreakerConfigBuilder, CircuitBreakerError, CircuitBreakerLayer, SlidingWindowType,
};

use super::{refused, status_of};
use crate::breaker::{Breaker, Rule, Settings, Unbuilt, is_failure, run};

pub(crate) const CONFIGURATION: &str = "`CircuitBreakerLayer::builder().consecutive_failures(5).wait_duration_in_open(open)\
.permitted_calls_in_half_open(1).failure_classifier(5xx or Err).build()`. Windows: `sliding_window_size(100)\
.failure_rate_threshold(0.5)`, `sliding_window_type(TimeBased).sliding_window_duration(60 s).minimum_number_of_calls(20)`";

fn builder(settings: Settings) -> CircuitBreakerConfigBuilder {
    let builder = CircuitBreakerLayer::builder().wait_duration_in_open(settings.open).permitted_calls_in_half_open(1);
    match settings.rule {
        Rule::Calls(calls) => builder.sliding_window_size(calls).failure_rate_threshold(0.5),
        Rule::Run(failures) => builder.consecutive_failures(failures as usize),
        Rule::Time(length) => builder
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(length)
            .minimum_number_of_calls(20)
            .failure_rate_threshold(0.5),
    }
}

pub(super) fn build(settings: Settings) -> Result<Breaker, Unbuilt> {
    let layer = builder(settings).failure_classifier(|result: &Result<Response, BoxError>| is_failure(result));
    let service = ServiceBuilder::new().layer(layer.build().map_err(refused)?).service(service_fn(run));
    Ok(Breaker::of_service(service, CircuitBreakerError::is_circuit_open))
}

pub(super) fn on_axum(router: Router, settings: Settings) -> Result<Router, Unbuilt> {
    let layer = builder(settings).failure_classifier(|result: &Result<Response, Infallible>| is_failure(result));
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(status_of(CircuitBreakerError::<Infallible>::is_circuit_open)))
        .layer(layer.build().map_err(refused)?);
    Ok(router.layer(stack))
}

pub(super) fn on_axum_with_handle(router: Router, settings: Settings) -> Result<Router, Unbuilt> {
    let layer = builder(settings).failure_classifier(|result: &Result<Response, Infallible>| is_failure(result));
    let (layer, _) = layer.build_with_handle().map_err(refused)?;
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(status_of(CircuitBreakerError::<Infallible>::is_circuit_open)))
        .layer(layer);
    Ok(router.layer(stack))
}
