//! The gateway: an axum server that calls the back end through hyper's client, with or without a circuit.
//!
//! It is the one file to read for how the crate is used; all else is measurement.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Request, Response, StatusCode, Uri, header::RETRY_AFTER},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_breaker::{
    BoxError, Circuit, Config, ConfigError, Mode, Rejected,
    bulkhead::{BulkheadConfig, Overloaded},
    circuit::Events,
    config::{HalfOpen, Recovery, RecoveryWindow, SlowCalls, Window},
    machine::{Event, Snapshot},
    stack::{Stack, StackConfig},
    timeout::TimedOut,
};

use crate::desk::Desk;

/// How long the gateway waits for the back end. A whole answer takes 11 ms when all is well.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(300);
/// The bulkhead: more calls than this are never under way, whatever happens.
const MAX_IN_FLIGHT: u32 = 200;
const MAX_BODY: usize = 64 * 1024;

/// The settings: the defaults, and what only the owner of a dependency can know.
///
/// There is no retry here, so that each call of a user is one call of the back end and the two sides can be compared.
fn config() -> StackConfig {
    let circuit = Config::new()
        // An answer after 200 ms is of no use to these users.
        .slow_calls(SlowCalls::new(Duration::from_millis(200)).window(Window::time(Duration::from_secs(1))))
        .half_open(HalfOpen::new().probe_timeout(2 * ATTEMPT_TIMEOUT))
        // Only for this film in fast motion: outages that come every 8 s would otherwise be relapses, each on longer
        // probation than the one before.
        .recovery(Recovery::Window(RecoveryWindow::new().max_probation(Duration::from_secs(1))));
    StackConfig::new()
        .total(None)
        .retry(None)
        .circuit(circuit)
        .bulkhead(BulkheadConfig::new(MAX_IN_FLIGHT))
        .attempt(ATTEMPT_TIMEOUT)
}

/// A name for the client, for axum's state.
type BackEnd = BoxCloneSyncService<Request<Empty<Bytes>>, Response<Bytes>, BoxError>;

/// The recommended stack around hyper's client. Its circuit is disabled where there should be none.
fn client(breaker: bool, desk: &Desk) -> Result<(BackEnd, Circuit), ConfigError> {
    let circuit = desk.circuit("back end", config().circuit)?;
    let stack = Stack::http_client("back end").config(config()).circuit(circuit.clone()).build()?;
    if !breaker {
        circuit.set_mode(Mode::Disabled, None);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let client = ServiceBuilder::new().boxed_clone_sync().layer(stack).and_then(whole_body).service(client);
    Ok((client, circuit))
}

/// Reads the body below the circuit, so that one that breaks off is a failed call.
async fn whole_body(response: Response<Incoming>) -> Result<Response<Bytes>, BoxError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// Passes a call on to the back end.
async fn forward(State((uri, back_end)): State<(Uri, BackEnd)>) -> Response<Body> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    match back_end.oneshot(request).await {
        Ok(response) => response.map(Body::from),
        Err(error) => refuse(&*error),
    }
}

/// Tells the user why there is no answer.
fn refuse(error: &(dyn Error + 'static)) -> Response<Body> {
    if let Some(rejected) = Rejected::find(error) {
        let mut response = status(StatusCode::SERVICE_UNAVAILABLE);
        let seconds = rejected.retry_after().unwrap_or_default().as_secs_f64().ceil().max(1.0);
        if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    } else if Overloaded::find(error).is_some() {
        status(StatusCode::SERVICE_UNAVAILABLE)
    } else if TimedOut::find(error).is_some() {
        status(StatusCode::GATEWAY_TIMEOUT)
    } else {
        status(StatusCode::BAD_GATEWAY)
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// Is a gateway until stdin ends, and tells on stdout, a JSON object a line, its address and what its circuit does.
pub(crate) async fn run(back_end: SocketAddr, breaker: bool, desk_at: SocketAddr) -> Result<(), BoxError> {
    let desk = Desk::default();
    let (client, circuit) = client(breaker, &desk)?;
    let mut address = None;
    if breaker {
        tokio::spawn(tell(circuit.clone(), circuit.subscribe()));
        address = desk.open(desk_at).await?.map(|address| address.to_string());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", json!({ "listens": listener.local_addr()?.to_string(), "desk": address }));
    let uri: Uri = format!("http://{back_end}/").parse()?;
    let router = Router::new().fallback(forward).with_state((uri, client));
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        () = stdin_ends() => {}
    }
    Ok(())
}

async fn tell(circuit: Circuit, mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Transition(transition)) => {
                let (from, to) = (transition.from.as_str(), transition.to.as_str());
                let (calls, rejected) = counts(&circuit.snapshot());
                println!(
                    "{}",
                    json!({ "from": from, "to": to, "reason": transition.reason.to_string(), "calls": calls, "rejected": rejected })
                );
            }
            Ok(_) => {} // Nobody sets a mode here.
            Err(missed) => println!("{}", json!({ "missed": missed.events() })),
        }
    }
}

/// Returns how many calls were made, and how many were not.
fn counts(snapshot: &Snapshot) -> (u64, u64) {
    (snapshot.ledger.ended(), snapshot.ledger.rejected)
}

/// The parent holds the other end, so a gateway never outlives it.
async fn stdin_ends() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(ended);
    });
    let _ = end.await;
}
