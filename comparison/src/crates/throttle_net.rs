//! throttle-net.

use axum::{Router, error_handling::HandleErrorLayer, response::Response};
use std::{convert::Infallible, sync::Arc};
use throttle_net::{CircuitBreaker, Throttle, ThrottleError, Trip, tower::CircuitBreakerLayer};
use tower::{BoxError, ServiceBuilder, service_fn, util::MapResultLayer};

use super::{refused, status_of};
use crate::breaker::{Breaker, Rule, Settings, Unbuilt, errors_for_5xx};

pub(crate) const CONFIGURATION: &str = "`CircuitBreaker::builder().trip(Trip::Consecutive(5)).cooldown(open).half_open(1, 1)\
.build(Throttle::per_second(u32::MAX))`; `tower::CircuitBreakerLayer`; 5xx is made an `Err` below it. \
Windows: `Trip::Ratio { window: 100, ratio: 0.5, min_calls: 100 }`, `Trip::Windowed { failures: u32::MAX, period: 60 s }`";

fn layer(settings: Settings) -> Result<CircuitBreakerLayer<Throttle>, Unbuilt> {
    let trip = match settings.rule {
        Rule::Calls(calls) => {
            let calls = u32::try_from(calls).map_err(refused)?;
            Trip::Ratio { window: calls, ratio: 0.5, min_calls: calls }
        }
        Rule::Run(failures) => Trip::Consecutive(failures),
        // It counts failures in a time, not a share of the calls: a number that no test reaches.
        Rule::Time(length) => Trip::Windowed { failures: u32::MAX, period: length },
    };
    let breaker = CircuitBreaker::builder().trip(trip).cooldown(settings.open).half_open(1, 1);
    // The limiter inside is part of every breaker of this crate; this one never limits.
    Ok(CircuitBreakerLayer::new(Arc::new(breaker.build(Throttle::per_second(u32::MAX)))))
}

fn is_rejection(error: &BoxError) -> bool {
    error.is::<ThrottleError>()
}

pub(super) fn build(settings: Settings) -> Result<Breaker, Unbuilt> {
    let service = ServiceBuilder::new().layer(layer(settings)?).service(service_fn(errors_for_5xx));
    Ok(Breaker::of_service(service, is_rejection))
}

pub(super) fn on_axum(router: Router, settings: Settings) -> Result<Router, Unbuilt> {
    let errors_for_5xx = |result: Result<Response, Infallible>| -> Result<Response, BoxError> {
        match result {
            Ok(response) if response.status().is_server_error() => Err(response.status().to_string().into()),
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    };
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(status_of(is_rejection)))
        .layer(layer(settings)?)
        .layer(MapResultLayer::new(errors_for_5xx));
    Ok(router.layer(stack))
}
