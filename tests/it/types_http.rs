//! The service among the types of axum, tonic and reqwest.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, error_handling::HandleErrorLayer, response::IntoResponse, routing};
use http::{Request, Response, StatusCode};
use tonic::{client::GrpcService, transport::Channel};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_breaker::{
    BoxError, Circuit, CircuitBreaker, CircuitBreakerLayer, Config, Outcome, Rejected, State,
    classify::{HttpClassifier, http_fn},
    service::{Fail, Single},
};

use crate::support::{THREE, circuit, record};

fn open() -> Circuit {
    circuit(Config::new().initial_state(State::Open))
}

async fn status(app: Router) -> StatusCode {
    app.oneshot(Request::get("/").body(Body::empty()).expect("a request")).await.expect("infallible").status()
}

async fn handler() -> &'static str {
    "hello"
}

/// Peers: `cf_f`.
#[tokio::test]
async fn axum_takes_the_layer_on_a_router_on_its_routes_and_on_a_handler() {
    let layer = CircuitBreakerLayer::new(open()).reply_503();
    let router = Router::new().route("/", routing::get(handler)).layer(layer.clone());
    let routes = Router::new().route("/", routing::get(handler)).route_layer(layer.clone());
    let method = Router::new().route("/", routing::get(handler).layer(layer.clone()));
    let method_route = Router::new().route("/", routing::get(handler).route_layer(layer.clone()));
    let nested = Router::new().nest("/nested", Router::new().route("/", routing::get(handler)).layer(layer.clone()));
    let service = Router::new().route_service(
        "/",
        layer.layer(service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) })),
    );
    for app in [router, routes, method, method_route, service] {
        assert_eq!(status(app).await, 503);
    }
    assert_eq!(status(nested).await, 404, "another path");
}

#[tokio::test]
async fn axum_takes_any_answer_to_a_rejection() {
    let layer = CircuitBreakerLayer::new(open()).reply_with(|request: Request<Body>, rejected: Rejected| {
        (StatusCode::IM_A_TEAPOT, format!("{} {rejected}", request.uri())).into_response()
    });
    assert_eq!(status(Router::new().route("/", routing::get(handler)).layer(layer)).await, 418);
}

#[tokio::test]
async fn axum_takes_the_error_mode_behind_its_error_handler() {
    let handle = HandleErrorLayer::new(|error: BoxError| async move {
        match Rejected::find(&*error) {
            Some(rejected) => (StatusCode::SERVICE_UNAVAILABLE, rejected.to_string()),
            None => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
        }
    });
    let app = |circuit: Circuit| {
        let chain = ServiceBuilder::new()
            .layer(handle.clone())
            .layer(CircuitBreakerLayer::new(circuit))
            .timeout(Duration::from_secs(60));
        Router::new().route("/", routing::get(handler)).layer(chain)
    };
    assert_eq!(status(app(open())).await, 503);
    assert_eq!(status(app(circuit(THREE))).await, 200);
}

#[tokio::test]
async fn a_mode_stands_in_for_an_optional_layer() {
    let circuit = Circuit::builder("optional").mode(tower_breaker::Mode::Disabled).build().unwrap();
    let app = Router::new().route("/", routing::get(handler)).layer(CircuitBreakerLayer::new(circuit).reply_503());
    assert_eq!(status(app).await, 200);
}

#[tokio::test]
async fn closures_over_http_need_no_annotations() {
    let circuit = circuit(THREE);
    let layer = CircuitBreakerLayer::new(circuit.clone()).classify(http_fn(|seen| match seen.status() {
        Some(status) if status == 599 => Outcome::Ignored,
        _ if seen.header("x-degraded").is_some() => Outcome::failure(),
        _ if seen.find_error::<tower::timeout::error::Elapsed>().is_some() => Outcome::Ignored,
        _ => seen.default_outcome(),
    }));
    let answers = |status: u16| {
        service_fn(move |_: Request<()>| async move {
            Ok::<_, Infallible>(
                Response::builder().status(status).header("x-degraded", "1").body(()).expect("a response"),
            )
        })
    };
    for code in [599, 200, 500] {
        assert!(layer.layer(answers(code)).oneshot(Request::new(())).await.is_ok());
    }
    let late = ServiceBuilder::new()
        .layer(layer)
        .timeout(Duration::from_millis(1))
        .service(service_fn(|_: Request<()>| std::future::pending::<Result<Response<()>, Infallible>>()));
    assert!(late.oneshot(Request::new(())).await.is_err());
    let ledger = circuit.snapshot().ledger;
    assert_eq!((ledger.ignored, ledger.failed), (2, 2));
}

#[test]
fn http_services_fit_into_a_box() {
    let inner = service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::empty())) });
    let service = CircuitBreakerLayer::new(open()).layer(inner);
    let _boxed: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError> = BoxCloneSyncService::new(service);
}

type Guarded = CircuitBreaker<Channel, Single<HttpClassifier, Fail>>;

fn grpc_client<T>(service: T) -> tonic::client::Grpc<T>
where
    T: GrpcService<tonic::body::Body, ResponseBody: Send + 'static, Error: Into<BoxError>>,
{
    tonic::client::Grpc::new(service)
}

/// A port that was free a moment ago and has no listener.
async fn nobody() -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    Channel::from_shared(format!("http://{address}")).expect("an address").connect_lazy()
}

#[tokio::test]
async fn tonic_takes_a_guarded_channel() {
    let service: Guarded = CircuitBreakerLayer::new(circuit(THREE)).layer(nobody().await);
    let mut client = grpc_client(service.clone());
    assert!(client.ready().await.is_ok());
    let chain = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit(THREE)))
        .concurrency_limit(8)
        .timeout(Duration::from_secs(1))
        .service(nobody().await);
    let _ = grpc_client(chain);
    let _ = grpc_client(CircuitBreakerLayer::new(circuit(THREE)).reply_503().layer(nobody().await));
}

/// Peers: m03. tonic walks the chain of sources to find a code.
#[tokio::test]
async fn the_errors_of_a_channel_mean_the_same_behind_the_breaker() {
    let code = |error: BoxError| tonic::Status::from_error(error).code();
    let request = || Request::post("http://loopback/a/b").body(tonic::body::Body::empty()).expect("a request");
    let bare = nobody().await.oneshot(request()).await.unwrap_err();
    let circuit = circuit(THREE);
    let guarded = CircuitBreakerLayer::new(circuit.clone()).layer(nobody().await);
    let guarded = guarded.oneshot(request()).await.unwrap_err();
    assert_eq!(code(guarded), code(bare.into()));
    assert_eq!(circuit.snapshot().ledger.failed, 1);
}

/// What reqwest needs until there is a classifier of ours: a status to look at, and `Err` as it comes.
#[cfg(feature = "test-util")]
#[tokio::test]
async fn a_reqwest_client_is_guarded_by_a_classifier_of_ones_own() {
    use tower::Service;
    use tower_breaker::classify::classify_fn;
    let judge = |result: Result<&reqwest::Response, &reqwest::Error>| match result {
        Ok(response) => HttpClassifier::new().classify_head(response.status(), response.headers()),
        Err(error) if error.is_builder() || error.is_redirect() => Outcome::Ignored,
        Err(_) => Outcome::failure(),
    };
    let (server, hits) =
        crate::support::net::serve(|n| async move { crate::support::net::status(if n == 1 { 404 } else { 503 }) })
            .await;
    let circuit = circuit(THREE);
    let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), classify_fn(judge));
    let mut client = ServiceBuilder::new().layer(layer).concurrency_limit(8).service(reqwest::Client::new());
    for _ in 0..4 {
        let request = reqwest::Request::new(reqwest::Method::GET, format!("http://{server}/").parse().unwrap());
        client.ready().await.unwrap().call(request).await.unwrap();
    }
    assert_eq!((circuit.state(), hits.count(), circuit.snapshot().ledger.ignored), (State::Open, 4, 1));
    let request = reqwest::Request::new(reqwest::Method::GET, "http://localhost/".parse().unwrap());
    let error = client.ready().await.unwrap().call(request).await.unwrap_err();
    assert!(Rejected::find(&*error).is_some());
}

/// A rejection in the error type that one has anyway.
#[tokio::test]
async fn a_rejection_can_be_an_error_of_ones_own() {
    #[derive(Debug, PartialEq)]
    enum Own {
        Broken(String),
    }
    let circuit = circuit(THREE);
    record(&circuit, Outcome::failure(), 3);
    let layer =
        CircuitBreakerLayer::new(circuit).fail_with(|rejected: Rejected| Own::Broken(rejected.circuit().into()));
    let service = layer.layer(service_fn(|_: Request<()>| async { Ok::<Response<()>, Own>(Response::new(())) }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), Own::Broken("test".into()));
}

#[test]
fn a_closure_finds_an_error_whether_it_is_boxed_or_not() {
    use std::io;

    use tower_breaker::classify::{Classifier, http_fn};
    let classifier = http_fn(|seen| match seen.find_error::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::InvalidInput => Outcome::Ignored,
        _ => seen.default_outcome(),
    });
    let bare = io::Error::from(io::ErrorKind::InvalidInput);
    assert_eq!(classifier.classify(Err::<&Response<()>, _>(&bare)), Outcome::Ignored);
    let boxed: BoxError = bare.into();
    assert_eq!(classifier.classify(Err::<&Response<()>, _>(&boxed)), Outcome::Ignored);
    let other: BoxError = io::Error::from(io::ErrorKind::TimedOut).into();
    assert!(classifier.classify(Err::<&Response<()>, _>(&other)).is_failure());
}

#[test]
fn a_closure_sees_all_of_a_response_but_its_body_or_an_error() {
    use tower_breaker::classify::{Classifier, http_fn};
    let mut response = Response::builder().status(503).header("x-cause", "maintenance").body(()).unwrap();
    response.extensions_mut().insert(7_u8);
    let of_response = http_fn(|seen| {
        assert_eq!(
            (seen.status(), seen.header("x-cause")),
            (Some(StatusCode::SERVICE_UNAVAILABLE), Some("maintenance"))
        );
        assert_eq!(seen.extensions().and_then(|extensions| extensions.get::<u8>()), Some(&7));
        assert!(!seen.is_error() && seen.default_outcome().is_failure());
        Outcome::Ignored
    });
    assert_eq!(of_response.classify(Ok::<_, &BoxError>(&response)), Outcome::Ignored);
    let of_error = http_fn(|seen| {
        assert!(seen.is_error() && seen.status().is_none() && seen.headers().is_none() && seen.extensions().is_none());
        Outcome::Ignored
    });
    assert_eq!(of_error.classify(Err::<&Response<()>, _>(&BoxError::from("down"))), Outcome::Ignored);
}
