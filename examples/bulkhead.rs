//! A bulkhead and two timeouts before a server that hangs: nobody waits for long, and few wait at all.
//!
//! ```sh
//! cargo run --example bulkhead
//! ```
//!
//! Prints what became of a burst, of calls to a server that hangs, and what the server was told about the deadline; ends after
//! about two seconds.

use std::time::Duration;

use axum::{Router, http::HeaderMap, routing::get};
use http::{HeaderName, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, time::sleep};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Overloaded, State,
    bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer},
    timeout::{AttemptTimeoutLayer, CallLimits, DeadlineHeader, TimedOut, TotalTimeoutLayer},
};

const MS: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = serve().await?;
    let circuit = Circuit::builder("server").build()?;
    let bulkhead = Bulkhead::new("server", BulkheadConfig::new(4).queue(4, 200 * MS))?;
    let header = DeadlineHeader::millis(HeaderName::from_static("x-time-left"));
    let client = ServiceBuilder::new()
        .layer(TotalTimeoutLayer::new("server, in all", Duration::from_secs(2))?.per_request())
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(AttemptTimeoutLayer::new("server", Duration::from_secs(1))?.per_request().carry(header))
        .service(Client::builder(TokioExecutor::new()).build_http::<String>());

    // Each call takes 50 ms: four go, four wait for those, two are turned away.
    let burst = calls(&client, &format!("{server}/works"), 10).await?;
    println!("a burst of 10: {burst:?} were answered, shed, too late");
    assert_eq!(burst, [8, 2, 0]);

    // Four go and time out, four wait for 200 ms in vain, two are turned away at once.
    let hang = calls(&client, &format!("{server}/hangs"), 10).await?;
    println!("10 calls to a server that hangs: {hang:?}");
    assert_eq!(hang, [0, 6, 4]);

    // What it was told: no more than is left, which is less than an attempt may take.
    let request =
        Request::get(format!("{server}/told")).extension(CallLimits::new().total(300 * MS)).body(String::new())?;
    let told = client.oneshot(request).await?.into_body().collect().await?.to_bytes();
    let told: u32 = String::from_utf8(told.into())?.parse()?;
    println!("with 300 ms for one call, the server was told of {told} ms");
    assert!(told <= 300);

    println!("{bulkhead:?}: {} shed at once, {} after a wait", bulkhead.shed_full(), bulkhead.shed_waited());
    assert_eq!((bulkhead.shed_full(), bulkhead.shed_waited(), bulkhead.in_flight()), (4, 4, 0));
    assert_eq!((circuit.state(), circuit.snapshot().ledger.ignored), (State::Closed, 8), "own overload is no failure");
    Ok(())
}

/// Makes so many calls at once; returns how many were answered, shed, and too late.
async fn calls<S>(client: &S, uri: &str, calls: usize) -> Result<[u32; 3], BoxError>
where
    S: Service<Request<String>, Response = Response<Incoming>, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let [mut good, mut shed, mut timed_out] = [0; 3];
    let mut running = Vec::new();
    for _ in 0..calls {
        let request = Request::get(uri).body(String::new())?;
        running.push(tokio::spawn(client.clone().oneshot(request)));
    }
    for call in running {
        match call.await? {
            Ok(_) => good += 1,
            Err(error) if Overloaded::find(&*error).is_some() => shed += 1,
            Err(error) if TimedOut::find(&*error).is_some() => timed_out += 1,
            Err(error) => return Err(error),
        }
    }
    Ok([good, shed, timed_out])
}

async fn serve() -> Result<String, BoxError> {
    async fn told(headers: HeaderMap) -> String {
        headers.get("x-time-left").and_then(|left| left.to_str().ok()).unwrap_or_default().to_owned()
    }
    let app = Router::new()
        .route("/works", get(|| sleep(50 * MS)))
        .route("/hangs", get(std::future::pending::<()>))
        .route("/told", get(told));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(uri)
}
