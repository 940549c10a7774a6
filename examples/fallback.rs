//! Fallbacks outside a circuit: pages are served stale, prices come from a replica, orders are queued.
//!
//! ```sh
//! cargo run --example fallback
//! ```
//!
//! Prints what a user sees while the shop's server is up, dead, and back; ends in an instant.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tower::{Service, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer,
    fallback::{FallbackLayer, Stale, StaleCache},
};

type Http = BoxCloneSyncService<Request<String>, Response<Body>, BoxError>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (shop, mut server) = serve("shop").await?;
    let (replica, _running) = serve("replica").await?;
    let circuit = Circuit::builder("shop").build()?;
    let guarded = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone())) // one circuit for all three
        .timeout(Duration::from_secs(1))
        .service(http());

    let stale = FallbackLayer::stale(StaleCache::new(1_000, Duration::from_secs(60)), |uri, _| Some(uri.to_string()));
    let elsewhere = http().map_request(move |uri: Uri| request("GET", &format!("{replica}{}", uri.path()), ""));
    let other = FallbackLayer::service(|request: &Request<String>| request.uri().clone(), elsewhere);
    let (queue, mut later) = mpsc::channel(100);
    let accepted = || Response::builder().status(StatusCode::ACCEPTED).body(Body::empty()).expect("it is valid");
    let queue = FallbackLayer::queue(|request: &Request<String>| request.body().clone(), queue, accepted);
    let counts = [stale.counts(), other.counts(), queue.counts()];
    let mut pages = ServiceBuilder::new().layer(stale).service(guarded.clone());
    let mut prices = ServiceBuilder::new().layer(other).service(guarded.clone());
    let mut orders = ServiceBuilder::new().layer(queue).service(guarded);

    for is_up in [true, false] {
        if !is_up {
            server.abort();
            let _ = (&mut server).await;
            circuit.force_open(); // it would open by itself after a few failed calls
        }
        println!("the server is {}", if is_up { "up" } else { "dead" });
        let (page, is_stale) = ask(&mut pages, request("GET", &format!("{shop}/page"), "")).await?;
        assert_eq!((&*page, is_stale), ("200 OK the page of shop", !is_up));
        let (price, _) = ask(&mut prices, request("GET", &format!("{shop}/price"), "")).await?;
        assert_eq!(price, format!("200 OK the price of {}", if is_up { "shop" } else { "replica" }));
        let (order, _) = ask(&mut orders, request("POST", &format!("{shop}/order"), "a teapot")).await?;
        assert_eq!(order, if is_up { "200 OK shop sends a teapot" } else { "202 Accepted " });
    }

    println!("the server is back");
    let (shop, _running) = serve("shop").await?;
    let order = later.try_recv()?;
    let (sent, _) = ask(&mut http(), request("POST", &format!("{shop}/order"), &order)).await?;
    assert_eq!(sent, "200 OK shop sends a teapot");
    assert!(counts.iter().all(|counts| (counts.used(), counts.failed(), counts.shed()) == (1, 0, 0)));
    Ok(())
}

async fn ask<S, B>(service: &mut S, request: Request<String>) -> Result<(String, bool), BoxError>
where
    S: Service<Request<String>, Response = Response<B>, Error = BoxError>,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let what = format!("{} {}", request.method(), request.uri().path());
    let response = service.ready().await?.call(request).await?;
    let (status, stale) = (response.status(), response.extensions().get::<Stale>().copied());
    let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
    let answer = format!("{status} {}", String::from_utf8_lossy(&body));
    println!("  {what}: {answer}{}", stale.map(|stale| format!(" ({:.1?} ago)", stale.age)).unwrap_or_default());
    Ok((answer, stale.is_some()))
}

/// Its answers have a body that can be made, unlike hyper's, so that there can be others in their place.
fn http() -> Http {
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let mapped = client.map_response(|response: Response<Incoming>| response.map(Body::new));
    BoxCloneSyncService::new(mapped.map_err(BoxError::from))
}

fn request(method: &str, uri: &str, body: &str) -> Request<String> {
    Request::builder().method(method).uri(uri).body(body.to_owned()).expect("it is valid")
}

async fn serve(name: &'static str) -> Result<(String, JoinHandle<()>), BoxError> {
    let app = Router::new()
        .route("/page", get(move || async move { format!("the page of {name}") }))
        .route("/price", get(move || async move { format!("the price of {name}") }))
        .route("/order", post(move |order: String| async move { format!("{name} sends {order}") }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}", listener.local_addr()?);
    Ok((uri, tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") })))
}
