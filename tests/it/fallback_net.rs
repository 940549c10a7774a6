//! The last good answer, another service and the queue, over real sockets to a server that dies.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State as Shared},
    http::HeaderMap,
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{sync::mpsc, task::JoinHandle};
use tower::{ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Rejected, State,
    clock::ManualClock,
    fallback::{Counts, FallbackLayer, FallenBack, Stale, StaleBody, StaleCache},
};

use crate::support::{
    SECOND, THREE, manual,
    net::{Bad, Hits, listen, misbehave},
};

/// An axum server that can be killed, with all its connections.
struct Server {
    uri: String,
    hits: Hits,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let (listener, address) = listen().await;
        let hits = Hits::default();
        let app = Router::new().route("/{what}", get(page).post(page)).with_state(hits.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { uri: format!("http://{address}"), hits, task }
    }

    async fn die(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

/// Its number, and who has asked, so that nobody can take one page for another.
async fn page(Shared(hits): Shared<Hits>, Path(what): Path<String>, headers: HeaderMap) -> impl IntoResponse {
    let hit = hits.hit();
    let user = headers.get("authorization").or(headers.get("x-tenant"));
    let user = user.and_then(|user| user.to_str().ok()).unwrap_or("nobody");
    let body = match what.as_str() {
        "large" => Body::from(vec![b'x'; 70_000]),
        "streamed" => {
            let chunks = ["one ", "two ", "three"].map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from(chunk))));
            Body::new(StreamBody::new(stream::iter(chunks)))
        }
        _ => Body::from(format!("page {hit} for {user}")),
    };
    let control = match what.as_str() {
        "secret" => "no-store",
        "public" => "public, max-age=1",
        _ => "max-age=1",
    };
    let mut response = ([("cache-control", control), ("x-page", "yes"), ("age", "5")], body).into_response();
    if what == "login" {
        response.headers_mut().insert("set-cookie", "session=1".parse().expect("a value"));
    }
    response
}

/// A client with a fallback, of which everything is known.
struct Rig {
    circuit: Circuit,
    clock: ManualClock,
    cache: StaleCache,
    counts: Counts,
    client: tower::util::BoxCloneService<Request<String>, Response<StaleBody<Incoming>>, BoxError>,
}

impl Rig {
    fn new() -> Self {
        let (circuit, clock) = manual(THREE);
        let cache = StaleCache::new(100, 60 * SECOND).clock(clock.clone());
        let fallback = FallbackLayer::stale(cache.clone(), |uri, headers| {
            let tenant = headers.get("x-tenant").map_or("", |tenant| tenant.to_str().expect("text"));
            Some(format!("{tenant} {}", uri.path()))
        });
        let counts = fallback.counts();
        let client = ServiceBuilder::new()
            .boxed_clone()
            .layer(fallback.mark())
            .layer(CircuitBreakerLayer::new(circuit.clone()))
            .service(Client::builder(TokioExecutor::new()).build_http::<String>());
        Self { circuit, clock, cache, counts, client }
    }

    async fn send(&self, request: http::request::Builder) -> Result<Response<StaleBody<Incoming>>, BoxError> {
        self.client.clone().oneshot(request.body(String::new()).expect("a request")).await
    }

    /// The text of a page, and its age if it is stale.
    async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> Result<(String, Option<Duration>), BoxError> {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let response = self.send(request).await?;
        let stale = response.extensions().get::<Stale>().map(|stale| stale.age);
        assert_eq!(response.body().is_stale(), stale.is_some());
        let body = response.into_body().collect().await?.to_bytes();
        Ok((String::from_utf8(body.to_vec())?, stale))
    }
}

#[tokio::test]
async fn after_the_death_of_a_server_its_last_good_answer_is_served_with_its_age_until_it_is_too_old() {
    let mut server = Server::start().await;
    let rig = Rig::new();
    let page = format!("{}/page", server.uri);
    assert_eq!(rig.get(&page, &[]).await.unwrap(), ("page 1 for nobody".into(), None));
    assert_eq!(rig.get(&page, &[]).await.unwrap(), ("page 2 for nobody".into(), None), "no cache for speed");
    server.die().await;
    for _ in 0..3 {
        let error = rig.get(&page, &[]).await.unwrap_err();
        assert!(Rejected::find(&*error).is_none(), "the first failures are the caller's to see: {error}");
    }
    assert_eq!(rig.circuit.state(), State::Open);

    rig.circuit.force_open();
    rig.clock.advance(20 * SECOND);
    let response = rig.send(Request::get(&page)).await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().expect("text");
    assert_eq!((response.status(), header("x-page"), header("age")), (StatusCode::OK, "yes", "25"));
    assert_eq!(header("warning"), "110 - \"Response is Stale\"");
    assert_eq!(response.extensions().get::<Stale>().expect("a mark").age, 20 * SECOND);
    let because = response.extensions().get::<FallenBack>().expect("a mark").error().expect("an error");
    assert!(Rejected::find(because).is_some());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "page 2 for nobody");

    rig.clock.advance(40 * SECOND);
    assert_eq!(rig.get(&page, &[]).await.unwrap(), ("page 2 for nobody".into(), Some(60 * SECOND)));
    rig.clock.advance(Duration::from_nanos(1));
    assert!(Rejected::find(&*rig.get(&page, &[]).await.unwrap_err()).is_some(), "too old: the original error");
    assert!(rig.cache.is_empty(), "and forgotten");
    assert_eq!((rig.counts.used(), rig.counts.failed(), server.hits.count()), (2, 1, 2));
}

#[tokio::test]
async fn what_must_not_be_kept_is_not_and_takes_what_was_kept_with_it() {
    let server = Server::start().await;
    let rig = Rig::new();
    for what in ["secret", "login", "large", "page"] {
        let uri = format!("{}/{what}", server.uri);
        rig.get(&uri, &[]).await.unwrap();
        assert_eq!(rig.cache.len(), usize::from(what == "page"), "{what}");
    }
    let (breaks_off, _) = misbehave(Bad::HalfABody, || ()).await;
    let broken = format!("http://{breaks_off}/broken");
    assert!(rig.get(&broken, &[]).await.is_err());
    let page = format!("{}/page", server.uri);
    drop(rig.send(Request::get(&page)).await.unwrap()); // unread
    rig.send(Request::post(&page)).await.unwrap().into_body().collect().await.unwrap();
    rig.send(Request::head(&page)).await.unwrap().into_body().collect().await.unwrap();
    rig.circuit.force_open();
    for what in ["secret", "login", "large", "broken"] {
        assert!(rig.get(&format!("{}/{what}", server.uri), &[]).await.is_err(), "{what}");
    }
    assert!(rig.send(Request::post(&page)).await.is_err(), "nothing stands in for a POST");
    let (text, stale) = rig.get(&page, &[]).await.unwrap();
    assert_eq!((text.as_str(), stale), ("page 4 for nobody", Some(Duration::ZERO)), "the one that was read");
}

#[tokio::test]
async fn nobody_gets_the_answer_of_another() {
    let server = Server::start().await;
    let rig = Rig::new();
    let (page, public) = (format!("{}/page", server.uri), format!("{}/public", server.uri));
    rig.get(&page, &[("authorization", "alice")]).await.unwrap();
    rig.get(&page, &[("cookie", "alice")]).await.unwrap();
    assert!(rig.cache.is_empty(), "personal");
    rig.get(&page, &[("x-tenant", "one")]).await.unwrap();
    rig.get(&public, &[("authorization", "alice")]).await.unwrap();
    rig.circuit.force_open();
    assert!(rig.get(&page, &[("authorization", "bob")]).await.is_err());
    assert!(rig.get(&page, &[]).await.is_err());
    assert!(rig.get(&page, &[("x-tenant", "two")]).await.is_err(), "another key");
    assert_eq!(rig.get(&page, &[("x-tenant", "one")]).await.unwrap().0, "page 3 for one");
    let personal = [("x-tenant", "one"), ("authorization", "bob")];
    assert!(rig.get(&page, &personal).await.is_err(), "not for who says who asks, unless it is public");
    assert_eq!(rig.get(&public, &[("authorization", "bob")]).await.unwrap().0, "page 4 for alice", "public, it says");
}

#[tokio::test]
async fn a_streamed_body_is_kept_whole_and_not_with_its_framing() {
    let server = Server::start().await;
    let rig = Rig::new();
    let uri = format!("{}/streamed", server.uri);
    let fresh = rig.send(Request::get(&uri)).await.unwrap();
    assert_eq!(fresh.headers()["transfer-encoding"], "chunked");
    assert_eq!(fresh.into_body().collect().await.unwrap().to_bytes(), "one two three");
    rig.circuit.force_open();
    let stale = rig.send(Request::get(&uri)).await.unwrap();
    assert!(!stale.headers().contains_key("transfer-encoding"));
    assert_eq!(stale.into_body().collect().await.unwrap().to_bytes(), "one two three");
}

#[tokio::test]
async fn another_server_takes_over_and_the_rest_get_the_original_error() {
    let (mut first, second) = (Server::start().await, Server::start().await);
    let (circuit, _clock) = manual(THREE);
    let replica = second.uri.clone();
    let http = || Client::builder(TokioExecutor::new()).build_http::<String>();
    let fallback = FallbackLayer::service(
        |request: &Request<String>| request.uri().clone(),
        http().map_request(move |uri: http::Uri| {
            Request::get(format!("{replica}{}", uri.path())).body(String::new()).expect("a request")
        }),
    );
    let counts = fallback.counts();
    let client = ServiceBuilder::new().layer(fallback).layer(CircuitBreakerLayer::new(circuit.clone())).service(http());
    let ask = || client.clone().oneshot(Request::get(format!("{}/page", first.uri)).body(String::new()).unwrap());
    assert_eq!(ask().await.unwrap().status(), 200);
    assert_eq!((first.hits.count(), second.hits.count()), (1, 0));
    circuit.force_open();
    let body = ask().await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "page 1 for nobody");
    assert_eq!((first.hits.count(), second.hits.count()), (1, 1));

    let mut second = second;
    second.die().await;
    assert!(Rejected::find(&*ask().await.unwrap_err()).is_some(), "the original error, not that of the replica");
    assert_eq!((counts.used(), counts.failed()), (1, 1));
    first.die().await;
}

#[tokio::test]
async fn the_limit_holds_against_a_replica_that_hangs() {
    let (circuit, _clock) = manual(THREE.initial_state(State::Open));
    let (replica, hits) = misbehave(Bad::Hangs, || ()).await;
    let http = Client::builder(TokioExecutor::new()).build_http::<String>();
    let fallback = FallbackLayer::service(
        |_: &Request<String>| (),
        http.clone().map_request(move |()| Request::get(format!("http://{replica}/")).body(String::new()).unwrap()),
    )
    .limit(3);
    let counts = fallback.counts();
    circuit.force_open();
    let client = ServiceBuilder::new().layer(fallback).layer(CircuitBreakerLayer::new(circuit)).service(http);
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.clone().oneshot(Request::get("http://never/").body(String::new()).unwrap())))
        .collect();
    crate::support::net::eventually("three hang, the others are told", || counts.shed() == 17 && hits.count() == 3)
        .await;
    let (mut hanging, mut told) = (0, 0);
    for call in calls {
        if call.is_finished() {
            assert!(Rejected::find(&*call.await.unwrap().unwrap_err()).is_some());
            told += 1;
        } else {
            call.abort();
            let _ = call.await;
            hanging += 1;
        }
    }
    assert_eq!((hanging, told, counts.under_way()), (3, 17, 0));
}

/// A caller who was told 202 finds the order at the server once that is back, and one who was told of an error does not.
#[tokio::test]
async fn an_order_is_carried_out_when_the_server_is_back() {
    let mut dead = Server::start().await;
    dead.die().await;
    let (circuit, _clock) = manual(THREE);
    let (queue, mut later) = mpsc::channel(2);
    let http = Client::builder(TokioExecutor::new()).build_http::<String>();
    let accepted = || Response::builder().status(StatusCode::ACCEPTED).body(Body::empty()).expect("a response");
    let client = ServiceBuilder::new()
        .layer(FallbackLayer::queue(|request: &Request<String>| request.body().clone(), queue, accepted))
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .map_response(|response: Response<Incoming>| response.map(Body::new))
        .service(http.clone());
    let order = |uri: &str, order: &str| Request::post(format!("{uri}/order")).body(order.to_owned()).unwrap();
    for n in 0..3 {
        assert!(client.clone().oneshot(order(&dead.uri, &format!("failed {n}"))).await.is_err());
    }
    assert_eq!(circuit.state(), State::Open);
    for n in 0..2 {
        let response = client.clone().oneshot(order(&dead.uri, &format!("order {n}"))).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
    let full = client.clone().oneshot(order(&dead.uri, "order 2")).await.unwrap_err();
    assert!(Rejected::find(&*full).is_some(), "no room: not accepted");

    let orders = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&orders);
    let take = move |order: String| async move { seen.lock().expect("no panic under the lock").push(order) };
    let (listener, back) = listen().await;
    tokio::spawn(async { axum::serve(listener, Router::new().route("/order", post(take))).await });
    drop(client);
    while let Some(queued) = later.recv().await {
        http.request(order(&format!("http://{back}"), &queued)).await.unwrap();
    }
    assert_eq!(*orders.lock().unwrap(), ["order 0", "order 1"]);
}
