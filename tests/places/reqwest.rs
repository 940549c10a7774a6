//! A client of reqwest, which is a tower service of its own.

use std::net::SocketAddr;

use ::reqwest::{Client, Method, Request, Response};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, Circuit, CircuitBreaker, CircuitBreakerLayer, Rejected, State,
    classify::{ErrorsAsFailures, HttpClassifier},
    service::{EndOfBody, Fail, Single},
};

use crate::support::{SECOND, SHORT, back_end, circuit, counts, listen, trip};

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

fn get(server: SocketAddr, path: &str) -> Request {
    Request::new(Method::GET, format!("http://{server}{path}").parse().expect("an address"))
}

/// A client whose bodies are watched; its type can be named.
type Guarded = CircuitBreaker<Client, Single<HttpClassifier, Fail, EndOfBody>>;

fn watched(circuit: &Circuit) -> Guarded {
    CircuitBreakerLayer::http_client(circuit.clone()).until_end_of_body().layer(client())
}

async fn ask<S>(service: &S, request: Request) -> Result<Response, BoxError>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone,
{
    service.clone().oneshot(request).await
}

#[tokio::test]
async fn its_answers_are_judged_as_those_of_http() {
    let (server, hits) = back_end().await;
    let (circuit, clock) = circuit();
    let service = CircuitBreakerLayer::http_client(circuit.clone()).layer(client());
    for path in ["/200", "/404", "/301"] {
        ask(&service, get(server, path)).await.unwrap();
    }
    assert_eq!(counts(&circuit), (2, 0, 1));
    for _ in 0..3 {
        assert_eq!(ask(&service, get(server, "/503")).await.unwrap().status(), 503);
    }
    let error = ask(&service, get(server, "/200")).await.unwrap_err();
    let rejected = Rejected::find(&*error).expect("a rejection");
    assert_eq!(rejected.retry_after(), Some(7 * SECOND), "the server has asked for it");
    assert_eq!(hits.count(), 6);
    clock.advance(7 * SECOND);
    assert_eq!(ask(&service, get(server, "/200")).await.unwrap().status(), 200);
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test]
async fn what_does_not_answer_is_a_failure() {
    let (server, _) = back_end().await;
    let (listener, closed) = listen().await;
    drop(listener);
    let (circuit, _clock) = circuit();
    let impatient = Client::builder().no_proxy().timeout(SHORT).build().unwrap();
    let service = CircuitBreakerLayer::http_client(circuit.clone()).layer(impatient);
    let error = ask(&service, get(server, "/hangs")).await.unwrap_err();
    assert!(error.downcast_ref::<::reqwest::Error>().unwrap().is_timeout(), "the error is reqwest's own");
    let patient = CircuitBreakerLayer::http_client(circuit.clone()).layer(client());
    let error = ask(&patient, get(closed, "/")).await.unwrap_err();
    assert!(error.downcast_ref::<::reqwest::Error>().unwrap().is_connect());
    assert_eq!(counts(&circuit), (0, 2, 0));
}

#[tokio::test]
async fn what_is_the_callers_own_doing_is_ignored() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    let service = CircuitBreakerLayer::http_client(circuit.clone()).layer(client());
    let no_http = Request::new(Method::GET, "ftp://127.0.0.1/".parse().unwrap());
    for request in [no_http, get(server, "/loop")] {
        ask(&service, request).await.unwrap_err();
    }
    assert_eq!(counts(&circuit), (0, 0, 2));
}

#[tokio::test]
async fn a_status_that_was_made_an_error_below_is_judged_by_its_status() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(circuit.clone()))
        .map_err(BoxError::from)
        .map_result(|result: Result<Response, ::reqwest::Error>| result?.error_for_status())
        .service(client());
    for path in ["/404", "/500", "/200", "/501"] {
        let _ = ask(&service, get(server, path)).await;
    }
    assert_eq!(counts(&circuit), (1, 1, 2));
}

/// As `connector_layer` puts one; there it sees connections only, and all hosts share it.
#[tokio::test]
async fn a_rejection_in_the_connector_is_ignored_further_out() {
    let (server, hits) = back_end().await;
    let ((outer, _), (inner, _)) = (circuit(), circuit());
    trip(&inner);
    let connector = CircuitBreakerLayer::with_classifier(inner, ErrorsAsFailures::new());
    let below = Client::builder().no_proxy().connector_layer(connector).build().unwrap();
    let service = CircuitBreakerLayer::http_client(outer.clone()).layer(below);
    let error = ask(&service, get(server, "/200")).await.unwrap_err();
    assert!(Rejected::find(&*error).is_some());
    assert_eq!((counts(&outer), hits.count()), ((0, 0, 1), 0));
}

#[tokio::test]
async fn bodies_that_break_off_open_the_circuit_and_the_response_stays_what_it_is() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    let service = watched(&circuit);
    for _ in 0..3 {
        let request = get(server, "/body/breaks");
        let url = request.url().clone();
        let response = ask(&service, request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.url()), (200, &url));
        assert_eq!(response.remote_addr(), Some(server));
        assert!(response.bytes().await.is_err());
    }
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 3, 0)));
}

#[tokio::test]
async fn a_body_is_settled_by_its_end_or_its_drop_and_no_body_at_the_head() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    let service = watched(&circuit);
    let response = ask(&service, get(server, "/body/ends")).await.unwrap();
    assert_eq!(counts(&circuit), (0, 0, 0));
    assert_eq!(response.text().await.unwrap(), "first");
    assert_eq!(counts(&circuit), (1, 0, 0));
    let mut response = ask(&service, get(server, "/body/stalls")).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "first");
    assert_eq!(counts(&circuit), (1, 0, 0));
    drop(response);
    assert_eq!(counts(&circuit), (2, 0, 0));
    let mut head = get(server, "/200");
    *head.method_mut() = Method::HEAD;
    let response = ask(&service, head).await.unwrap();
    assert_eq!(counts(&circuit), (3, 0, 0), "before it is dropped");
    drop(response);
    let response = ask(&service, get(server, "/404")).await.unwrap();
    assert_eq!((response.text().await.unwrap().as_str(), counts(&circuit)), ("a page", (3, 0, 1)));
}

#[tokio::test]
async fn a_timeout_in_the_body_is_a_failure_and_still_a_timeout() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    // It is the time to the head too, which must come in time.
    let impatient = Client::builder().no_proxy().read_timeout(SECOND).build().unwrap();
    let service = CircuitBreakerLayer::http_client(circuit.clone()).until_end_of_body().layer(impatient);
    let response = ask(&service, get(server, "/body/stalls")).await.unwrap();
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert_eq!(counts(&circuit), (0, 1, 0));
}

#[tokio::test]
async fn a_stream_as_a_probe_does_not_hold_the_circuit_half_open() {
    let (server, _) = back_end().await;
    let (circuit, clock) = circuit();
    let service = watched(&circuit);
    trip(&circuit);
    clock.advance(SECOND);
    let stream = ask(&service, get(server, "/body/stalls")).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
    drop(stream);
}

/// For who wants the types of `http`, say for layers of tower-http.
#[tokio::test]
async fn it_can_stand_below_the_types_of_http() {
    let (server, _) = back_end().await;
    let (circuit, _clock) = circuit();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::http_client(circuit.clone()).reply_503().until_end_of_body())
        .map_request(|request: http::Request<&'static str>| Request::try_from(request).expect("an absolute address"))
        .map_response(http::Response::<::reqwest::Body>::from)
        .service(client());
    let request = |path: &str| http::Request::get(format!("http://{server}{path}")).body("").unwrap();
    for _ in 0..3 {
        let response = service.clone().oneshot(request("/body/breaks")).await.unwrap();
        assert!(http_body_util::BodyExt::collect(response.into_body()).await.is_err());
    }
    assert_eq!(service.clone().oneshot(request("/200")).await.unwrap().status(), 503);
}
