//! The routes, for axum.

use std::fmt;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        DefaultBodyLimit, FromRequest, Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};

use super::{
    Command, Dashboard,
    access::{self, May},
    log::{Logged, since_1970},
    reply,
    stream::{Stream, Wish},
    view::CircuitView,
};
use crate::{clock::wall, sync::Arc};

/// The longest body of a command. One is 40 bytes long.
const LONGEST_COMMAND: usize = 4 * 1024;

impl Dashboard {
    /// Returns a router that shows everything and steers nothing: `/circuits`, `/circuits/{id}`, `/circuits/events`,
    /// `/circuits/dashboard`, `/health`. See the [chapter](crate::guide::dashboard) for what each answers.
    ///
    /// ```
    /// # use tower_breaker::dashboard::Dashboard;
    /// let dashboard = Dashboard::new();
    /// let app = axum::Router::new().merge(dashboard.router());
    /// # let _: axum::Router = app;
    /// ```
    ///
    /// Nest it where you like: the page finds the others. To merge it into a router with a state, give that its state first.
    pub fn router(&self) -> Router {
        router(Site { dashboard: self.clone(), may: None })
    }

    /// Lets requests steer circuits, by `POST /circuits/{id}`, of whom `may` says yes; it gets the request without its body.
    /// Pages of other sites may not in any case.
    ///
    /// Whoever may can shut off what your program depends on, so serve it on a port that only your people can reach, or ask
    /// for a secret:
    ///
    /// ```
    /// # use tower_breaker::dashboard::Dashboard;
    /// let dashboard = Dashboard::new();
    /// let control = dashboard.control(|request| {
    ///     request.headers.get("authorization").is_some_and(|given| given == "Bearer 8c1f…")
    /// });
    /// let internal = axum::Router::new().merge(control.router());
    /// let public = axum::Router::new().merge(dashboard.router()); // to be read only
    /// # let _: (axum::Router, axum::Router) = (internal, public);
    /// ```
    #[must_use = "nobody can steer anything until its router is served"]
    pub fn control(&self, may: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Control {
        Control { dashboard: self.clone(), may: Arc::new(may) }
    }
}

/// A dashboard that lets some requests steer circuits. See [`Dashboard::control`].
#[derive(Clone)]
pub struct Control {
    dashboard: Dashboard,
    may: Arc<May>,
}

impl Control {
    /// Returns the router of [`Dashboard::router`], and `POST /circuits/{id}`.
    pub fn router(&self) -> Router {
        router(Site { dashboard: self.dashboard.clone(), may: Some(Arc::clone(&self.may)) })
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// What the routes know.
#[derive(Clone)]
struct Site {
    dashboard: Dashboard,
    /// None where nobody may steer.
    may: Option<Arc<May>>,
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/circuits", get(circuits))
        .route("/circuits/dashboard", get(async || reply::page()))
        .route("/circuits/events", get(events))
        .route("/circuits/{id}", get(circuit).post(steer))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(LONGEST_COMMAND))
        .with_state(site)
}

async fn circuits(State(site): State<Site>) -> Response {
    #[derive(Serialize)]
    struct All {
        now_ms: u64,
        control: bool,
        circuits: Vec<CircuitView>,
    }
    let circuits = site.dashboard.circuits();
    reply::json(StatusCode::OK, &All { now_ms: since_1970(wall()), control: site.may.is_some(), circuits })
}

/// By its name, so that a router may be nested below parameters of its own.
#[derive(Deserialize)]
struct Named {
    id: String,
}

type Id = Result<Path<Named>, PathRejection>;

async fn circuit(State(site): State<Site>, id: Id) -> Response {
    match id {
        Ok(Path(Named { id })) => found(&id, site.dashboard.circuit(&id)),
        Err(rejection) => reply::error(rejection.status(), rejection),
    }
}

async fn health(State(site): State<Site>) -> Response {
    let health = site.dashboard.health();
    let status = if health.is_up() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply::json(status, &health)
}

#[derive(Deserialize)]
struct Filter {
    circuit: Option<String>,
}

async fn events(
    State(site): State<Site>,
    filter: Result<Query<Filter>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let only = match filter {
        Ok(Query(filter)) => filter.circuit,
        Err(rejection) => return reply::error(rejection.status(), rejection),
    };
    if wants_stream(&headers) { stream(&site, only, &headers) } else { kept(&site.dashboard, only.as_deref()) }
}

fn kept(dashboard: &Dashboard, only: Option<&str>) -> Response {
    #[derive(Serialize)]
    struct Events {
        events: Vec<Logged>,
        dropped: u64,
    }
    let events = match only {
        None => dashboard.events(),
        Some(id) => dashboard.events_of(id),
    };
    reply::json(StatusCode::OK, &Events { events, dropped: dashboard.dropped() })
}

fn stream(site: &Site, only: Option<String>, headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let seen = text(LAST_EVENT_ID).and_then(|id| id.trim().parse().ok()).unwrap_or_default();
    let wish = Wish { control: site.may.is_some(), only, seen };
    match Stream::new(&site.dashboard, wish) {
        // Without the last of these nginx keeps it back until it is over.
        Some(stream) => {
            let unbuffered = [(ACCEL_BUFFERING, HeaderValue::from_static("no"))];
            (reply::headers(EVENT_STREAM), unbuffered, Body::new(stream)).into_response()
        }
        None => {
            reply::error(StatusCode::SERVICE_UNAVAILABLE, "there are as many streams as there may be: come back later")
        }
    }
}

async fn steer(State(site): State<Site>, id: Id, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(text) = access::refusal(site.may.as_ref(), &parts) {
        return reply::error(StatusCode::FORBIDDEN, text);
    }
    let id = match id {
        Ok(Path(Named { id })) => id,
        Err(rejection) => return reply::error(rejection.status(), rejection),
    };
    if site.dashboard.find(&id).is_none() {
        return found(&id, None::<()>);
    }
    if !is_json(&parts.headers) {
        return reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "`content-type` must be `application/json`");
    }
    let body = match Bytes::from_request(Request::from_parts(parts, body), &()).await {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return reply::error(rejection.status(), format!("the body must be of {LONGEST_COMMAND} bytes at most"));
        }
        Err(rejection) => return reply::error(rejection.status(), rejection),
    };
    match Command::from_json(&body) {
        Ok(command) => found(&id, site.dashboard.steer(&id, command)),
        Err(error) => reply::error(StatusCode::BAD_REQUEST, error),
    }
}

fn found(id: &str, circuit: Option<impl Serialize>) -> Response {
    match circuit {
        Some(circuit) => reply::json(StatusCode::OK, &circuit),
        None => reply::error(StatusCode::NOT_FOUND, format!("there is no circuit `{id}`")),
    }
}

/// Whether a stream is among what is accepted.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| is_kind(kind, EVENT_STREAM))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| is_kind(kind, "application/json"))
}

/// Whether it is this kind of content, whatever its parameters.
fn is_kind(given: &str, kind: &str) -> bool {
    given.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(kind))
}

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
