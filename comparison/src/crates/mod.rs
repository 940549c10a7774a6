//! One adapter for each crate: the nearest that it has to the settings of a test, and how it is put on an axum router.

mod failsafe;
mod ours;
mod recloser;
mod throttle_net;
mod tower_resilience;

use std::fmt;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::IntoResponse,
};

use crate::breaker::{Answer, Breaker, Job, Settings, Unbuilt};

/// The crates, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crate {
    Ours,
    TowerResilience,
    ThrottleNet,
    Failsafe,
    Recloser,
}

impl Crate {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ours, Self::TowerResilience, Self::ThrottleNet, Self::Failsafe, Self::Recloser];

    /// The name on the registry.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Ours => "tower-breaker",
            Self::TowerResilience => "tower-resilience-circuitbreaker",
            Self::ThrottleNet => "throttle-net",
            Self::Failsafe => "failsafe",
            Self::Recloser => "recloser",
        }
    }

    /// The short name at the head of a column.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::TowerResilience => "tower-resilience",
            Self::Ours | Self::ThrottleNet | Self::Failsafe | Self::Recloser => self.package(),
        }
    }

    /// The settings of the run-of-five tests, in the crate's own words.
    pub(crate) fn configuration(self) -> &'static str {
        match self {
            Self::Ours => ours::CONFIGURATION,
            Self::TowerResilience => tower_resilience::CONFIGURATION,
            Self::ThrottleNet => throttle_net::CONFIGURATION,
            Self::Failsafe => failsafe::CONFIGURATION,
            Self::Recloser => recloser::CONFIGURATION,
        }
    }

    /// A breaker with the nearest that the crate has to these settings.
    pub(crate) fn build(self, settings: Settings) -> Result<Breaker, Unbuilt> {
        match self {
            Self::Ours => ours::build(settings),
            Self::TowerResilience => tower_resilience::build(settings),
            Self::ThrottleNet => throttle_net::build(settings),
            Self::Failsafe => failsafe::build(settings),
            Self::Recloser => recloser::build(settings),
        }
    }

    /// The router behind a breaker, by the crate's own layer where it has one.
    pub(crate) fn on_axum(self, router: Router, settings: Settings) -> Result<Router, Unbuilt> {
        match self {
            Self::Ours => ours::on_axum(router, settings),
            Self::TowerResilience => tower_resilience::on_axum(router, settings),
            Self::ThrottleNet => throttle_net::on_axum(router, settings),
            Self::Failsafe | Self::Recloser => Ok(wrapped(router, self.build(settings)?)),
        }
    }

    /// A second way to put it on a router, with what has to be known to find it.
    pub(crate) fn on_axum_otherwise(
        self,
        router: Router,
        settings: Settings,
    ) -> Option<(&'static str, Result<Router, Unbuilt>)> {
        match self {
            Self::TowerResilience => {
                Some(("`build_with_handle()`", tower_resilience::on_axum_with_handle(router, settings)))
            }
            Self::Ours | Self::ThrottleNet | Self::Failsafe | Self::Recloser => None,
        }
    }
}

/// For crates that are no tower layer: a middleware of ours with the breaker in it, so where the state lives is our choice.
fn wrapped(router: Router, breaker: Breaker) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let breaker = breaker.clone();
        async move {
            match breaker.call(Job::new(async move { Ok(next.run(request).await) })).await {
                Answer::Answered(response) => response,
                Answer::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                Answer::Rejected => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
    }))
}

/// What axum wants in place of an error, for layers that fail: 503 for a rejection, 500 for the rest.
fn status_of<E>(is_rejection: fn(&E) -> bool) -> impl Fn(E) -> StatusAnswer + Clone {
    move |error| {
        let status = match is_rejection(&error) {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::INTERNAL_SERVER_ERROR,
        };
        std::future::ready(status)
    }
}

type StatusAnswer = std::future::Ready<StatusCode>;

/// A fault in our own set-up of a crate, which must stop the run.
fn refused(error: impl fmt::Display) -> Unbuilt {
    Unbuilt::Refused(error.to_string())
}
