//! The gateway: an axum server that calls the back end through the recommended stack, and keeps the book.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tower::{ServiceBuilder, ServiceExt, load_shed::error::Overloaded, util::BoxCloneSyncService};
use tower_breaker::{BoxError, Circuit, CircuitBreakerLayer, Rejected, machine::RejectReason};

use crate::{
    args::Plant,
    book::{Book, Fate},
};

pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(300);
const MAX_IN_FLIGHT: usize = 60;
const MAX_BODY: usize = 64 * 1024;

/// The number of a call, on its way in.
pub(crate) const CALL: HeaderName = HeaderName::from_static("x-call");
/// What has become of it, on its way out.
pub(crate) const FATE: HeaderName = HeaderName::from_static("x-fate");

type Stack = BoxCloneSyncService<Request<Empty<Bytes>>, Response<Bytes>, BoxError>;

fn stack(circuit: Circuit) -> Stack {
    ServiceBuilder::new()
        .boxed_clone_sync()
        .layer(CircuitBreakerLayer::new(circuit))
        .load_shed()
        .concurrency_limit(MAX_IN_FLIGHT)
        .timeout(ATTEMPT_TIMEOUT)
        .and_then(whole_body)
        .service(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>())
}

/// Reads the body below the circuit, so that one that breaks off is a failed call.
async fn whole_body(response: Response<Incoming>) -> Result<Response<Bytes>, BoxError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serves: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Desk {
    back_end: Uri,
    stack: Stack,
    book: Arc<Book>,
    circuit: Circuit,
    plant: Option<Plant>,
}

impl Gateway {
    pub(crate) async fn start(
        back_end: SocketAddr,
        circuit: &Circuit,
        book: Arc<Book>,
        plant: Option<Plant>,
    ) -> Result<Self, BoxError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let back_end = format!("http://{back_end}/").parse()?;
        let circuit = circuit.clone();
        let desk = Desk { back_end, stack: stack(circuit.clone()), book, circuit, plant };
        let router = Router::new().fallback(forward).with_state(desk);
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
        let serves = tokio::spawn(async move { serve.await });
        Ok(Self { address, stop, serves })
    }

    /// Ends when its connections have ended.
    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        drop(self.stop);
        self.serves.await??;
        Ok(())
    }
}

/// Passes a call on to the back end. From the entry into the book to the permit nothing waits, so the two agree.
async fn forward(State(desk): State<Desk>, headers: HeaderMap) -> Response<Body> {
    let number = headers.get(CALL).and_then(|number| number.to_str().ok()?.parse().ok());
    let entry = desk.book.enter(number);
    let unlucky = number.is_some_and(|number| number % 500 == 499);
    if desk.plant == Some(Plant::Permit) && unlucky {
        std::mem::forget(desk.circuit.try_acquire());
        entry.ends(Fate::Ignored);
        return tell(Response::default(), Fate::Ignored);
    }
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = desk.back_end;
    let (fate, response) = match desk.stack.oneshot(request).await {
        Ok(response) => (judge(response.status()), response.map(Body::from)),
        Err(error) if is_rejected(&*error, &desk.book) => (Fate::Rejected, status(StatusCode::SERVICE_UNAVAILABLE)),
        Err(error) if error.is::<Overloaded>() => (Fate::Ignored, status(StatusCode::SERVICE_UNAVAILABLE)),
        Err(_) => (Fate::Failed, status(StatusCode::BAD_GATEWAY)),
    };
    entry.ends(fate);
    let wrong = desk.plant == Some(Plant::Answer) && unlucky;
    tell(response, if wrong { Fate::Dropped } else { fate })
}

/// Below the circuit all is always ready; so it is "not ready" only where leave came between two looks at the circuit.
fn is_rejected(error: &(dyn Error + 'static), book: &Book) -> bool {
    let Some(rejected) = Rejected::find(error) else { return false };
    if rejected.reason() == RejectReason::NotReady {
        book.at_transition();
    }
    true
}

/// The part of `HttpClassifier`'s table that this back end can show, written down again.
fn judge(status: StatusCode) -> Fate {
    match status.as_u16() {
        200 => Fate::Served,
        429 | 500 | 503 => Fate::Failed,
        _ => Fate::Ignored,
    }
}

fn tell(mut response: Response<Body>, fate: Fate) -> Response<Body> {
    response.headers_mut().insert(FATE, HeaderValue::from_static(fate.as_str()));
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
