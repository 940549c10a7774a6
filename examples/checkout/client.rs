//! What the clients of all departments have in common: hyper's client, and settings for a film in fast motion.

use std::{net::SocketAddr, time::Duration};

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{ServiceBuilder, util::BoxCloneSyncService};
use tower_breaker::{
    BoxError, Config,
    config::{Recovery, RecoveryWindow},
};

use crate::order::Order;

/// A body that can be sent again.
pub(crate) type Call = Request<Full<Bytes>>;
pub(crate) type Answer = Response<Full<Bytes>>;
/// A name for what has been put together.
pub(crate) type Client<R> = BoxCloneSyncService<R, Answer, BoxError>;

const MAX_BODY: usize = 64 * 1024;

/// Returns the innermost part of every stack.
pub(crate) fn http() -> Client<Call> {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    BoxCloneSyncService::new(ServiceBuilder::new().and_then(read::<Incoming>).service(client))
}

/// Reads the body below the circuit, so that one that breaks off is a failed call; above a cache, so that it is kept.
pub(crate) async fn read<B>(response: Response<B>) -> Result<Answer, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}

/// Returns the settings of a circuit: the defaults, but for outages that come every few seconds. Each would be taken for a
/// relapse of the one before, and be followed by a longer probation.
pub(crate) const fn circuit() -> Config {
    Config::new().recovery(Recovery::Window(RecoveryWindow::new().max_probation(Duration::from_secs(1))))
}

/// Makes a request that changes something. The key makes it safe to send it twice: so it may be tried again, and done later.
pub(crate) fn post(at: SocketAddr, path: &str, order: Order) -> Call {
    let words = format!("{} cents for item {}", order.cents, order.item);
    let call = Request::post(format!("http://{at}{path}")).header("idempotency-key", order.number);
    call.body(Full::from(words)).expect("an address and a path")
}

/// Makes a request that changes nothing.
pub(crate) fn get(at: SocketAddr, path: &str) -> Call {
    Request::get(format!("http://{at}{path}")).body(Full::default()).expect("an address and a path")
}
