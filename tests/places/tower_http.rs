//! The classifiers of tower-http, as they judge here, beside ours.

use ::tower_http::classify::{
    GrpcCode, GrpcErrorsAsFailures, GrpcFailureClass, MakeClassifier, ServerErrorsAsFailures, ServerErrorsFailureClass,
    StatusInRangeAsFailures,
};
use ::tower_http::trace::TraceLayer;
use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreakerLayer, Outcome, State,
    classify::{Classifier, TowerHttp},
};

use crate::support::{ask, back_end, circuit, counts, serve};

type Counts = (u64, u64, u64);

/// Guards a client by a classifier, asks for a path, reads the body, and says what was counted.
async fn judged<C>(classifier: C, server: std::net::SocketAddr, path: &str) -> Counts
where
    C: Classifier<Response<hyper::body::Incoming>, BoxError> + Clone,
{
    let (circuit, _clock) = circuit();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(circuit.clone()).until_end_of_body().classify(classifier))
        .map_err(BoxError::from)
        .service(client);
    let request = Request::get(format!("http://{server}{path}")).body(Empty::new()).expect("a request");
    if let Ok(response) = service.oneshot(request).await {
        let _ = response.into_body().collect().await;
    }
    counts(&circuit)
}

const SUCCEEDED: Counts = (1, 0, 0);
const FAILED: Counts = (0, 1, 0);
const IGNORED: Counts = (0, 0, 1);

#[tokio::test]
async fn a_class_of_failure_means_what_the_closure_says() {
    let (server, _) = back_end().await;
    let errors = TowerHttp::new(ServerErrorsAsFailures::make_classifier(), |class| match class {
        ServerErrorsFailureClass::StatusCode(StatusCode::NOT_IMPLEMENTED) => Outcome::Ignored,
        ServerErrorsFailureClass::StatusCode(_) | ServerErrorsFailureClass::Error(_) => Outcome::failure(),
    });
    for (path, expected) in [
        ("/200", SUCCEEDED),
        ("/404", SUCCEEDED),
        ("/500", FAILED),
        ("/501", IGNORED),
        ("/body/ends", SUCCEEDED),
        ("/body/breaks", FAILED),
    ] {
        assert_eq!(judged(errors.clone(), server, path).await, expected, "{path}");
    }
    let (listener, closed) = crate::support::listen().await;
    drop(listener);
    assert_eq!(judged(errors, closed, "/").await, FAILED);

    let range = StatusInRangeAsFailures::new(400..=599).into_make_classifier();
    let range = TowerHttp::new(range, |_| Outcome::failure());
    assert_eq!(judged(range.clone(), server, "/404").await, FAILED);
    assert_eq!(judged(range, server, "/200").await, SUCCEEDED);
}

/// A server of one answer, with these trailers.
async fn answering(trailers: Option<&'static str>) -> std::net::SocketAddr {
    let answer = move || async move {
        let end = trailers.map(|code| {
            Frame::trailers(HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static(code),
            )]))
        });
        let frames = std::iter::once(Frame::data(Bytes::from_static(b"data"))).chain(end);
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, BoxError>)));
        Body::new(body)
    };
    serve(Router::new().route("/", get(answer))).await
}

/// Over HTTP/2, where trailers need no announcement.
async fn judged_at_the_end(trailers: Option<&'static str>, read: bool) -> Counts {
    let server = answering(trailers).await;
    let (circuit, _clock) = circuit();
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let grpc = TowerHttp::new(GrpcErrorsAsFailures::make_classifier(), |class| match class {
        GrpcFailureClass::Status(status) if status.code() == Some(GrpcCode::NotFound) => Outcome::Ignored,
        _ => Outcome::failure(),
    });
    let service = CircuitBreakerLayer::grpc_client(circuit.clone()).classify(grpc).layer(client);
    let request = Request::get(format!("http://{server}/")).body(Empty::new()).expect("a request");
    let mut response = service.oneshot(request).await.expect("an answer");
    assert_eq!(counts(&circuit), (0, 0, 0), "not at the head");
    if read {
        let _ = response.body_mut().collect().await;
    }
    drop(response);
    counts(&circuit)
}

#[tokio::test]
async fn a_classifier_that_waits_for_the_end_is_asked_there() {
    assert_eq!(judged_at_the_end(Some("0"), true).await, SUCCEEDED);
    assert_eq!(judged_at_the_end(Some("14"), true).await, FAILED);
    assert_eq!(judged_at_the_end(Some("5"), true).await, IGNORED);
    assert_eq!(judged_at_the_end(None, true).await, SUCCEEDED, "tower-http thinks so; GrpcClassifier does not");
    assert_eq!(judged_at_the_end(Some("14"), false).await, IGNORED, "dropped before");
}

#[tokio::test]
async fn errors_of_our_own_making_are_not_put_to_it() {
    let ((outer, _), (inner, _)) = (circuit(), circuit());
    inner.force_open();
    let all = TowerHttp::new(ServerErrorsAsFailures::make_classifier(), |_| Outcome::failure());
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(outer.clone()).classify(all))
        .layer(CircuitBreakerLayer::http_client(inner))
        .service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    service.oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(counts(&outer), IGNORED);
}

/// The log and the circuit agree, since they ask the same.
#[tokio::test]
async fn a_trace_layer_and_a_circuit_share_a_classifier() {
    let (circuit, _clock) = circuit();
    let make = StatusInRangeAsFailures::new(404..=404).into_make_classifier();
    let layers = ServiceBuilder::new().layer(TraceLayer::new(make.clone())).layer(layer(&circuit, make));
    let server = serve(Router::new().layer(layers)).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(server, "/nowhere").await.0);
    }
    assert_eq!((statuses, circuit.state()), (vec![404, 404, 404, 503], State::Open));
}

fn layer<M>(circuit: &Circuit, make: M) -> CircuitBreakerLayer<tower_breaker::service::Single<ByClass<M>, Reply>>
where
    M: MakeClassifier,
{
    CircuitBreakerLayer::http_server(circuit.clone()).classify(TowerHttp::new(make, |_| Outcome::failure()))
}

type ByClass<M> = TowerHttp<M, fn(<M as MakeClassifier>::FailureClass) -> Outcome>;
type Reply = tower_breaker::service::Reply503;
