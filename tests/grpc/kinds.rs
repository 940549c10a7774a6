//! All kinds of calls, with errors in the head, in the trailers and after half of the messages.

use tonic::{Code, Status, codec::CompressionEncoding, service::interceptor::InterceptedService};
use tower::{Layer, ServiceBuilder};
use tower_breaker::{
    CircuitBreaker, CircuitBreakerLayer, State,
    classify::{GrpcClassifier, GrpcCode},
    service::{EndOfBody, ReplyGrpc, Single},
};

use crate::support::{Client, KINDS, Kind, SECOND, channel, circuit, counts, read, serve};

type Guarded<S> = CircuitBreaker<S, Single<GrpcClassifier, ReplyGrpc, EndOfBody>>;

const STREAMS: [Kind; 2] = [Kind::ServerStream, Kind::Bidi];

#[tokio::test]
async fn a_good_call_of_each_kind_is_one_success_at_its_end() {
    let server = serve().await;
    for kind in KINDS {
        let (circuit, _clock) = circuit();
        let service: Guarded<_> = CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server));
        let mut client = Client::new(service);
        let messages = if STREAMS.contains(&kind) { 10 } else { 1 };
        let request = format!("send {messages}");
        let started = client.start(kind, &request).await.unwrap();
        assert_eq!(counts(&circuit).0, u64::from(messages == 1), "{kind:?}: a stream is not over at its head");
        assert_eq!(read(started, usize::MAX).await.0, messages);
        assert_eq!(counts(&circuit), (1, 0, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn each_code_means_the_same_in_each_kind_wherever_it_stands() {
    let server = serve().await;
    for kind in KINDS {
        for (code, expected) in [(14, (0, 1, 0)), (8, (0, 1, 0)), (5, (0, 0, 1)), (16, (0, 0, 1)), (4, (0, 1, 0))] {
            for request in [format!("head {code}"), format!("send 0 then {code}"), format!("send 5 then {code}")] {
                let (circuit, _clock) = circuit();
                let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
                let (messages, end) = client.call(kind, &request).await;
                if STREAMS.contains(&kind) || !request.starts_with("send 5") {
                    assert_eq!(end.unwrap_err().code() as i32, code, "the answer goes on to the caller");
                    assert_eq!(messages, if request.starts_with("send 5") { 5 } else { 0 });
                    assert_eq!(counts(&circuit), expected, "{kind:?} {request}");
                }
            }
        }
    }
}

#[tokio::test]
async fn errors_in_trailers_open_the_circuit_and_a_good_probe_closes_it() {
    let server = serve().await;
    for kind in STREAMS {
        for compressed in [false, true] {
            let (circuit, clock) = circuit();
            let check = move |response: http::Response<tonic::body::Body>| {
                assert_eq!(response.headers().contains_key("grpc-encoding"), compressed);
                response
            };
            let layer = CircuitBreakerLayer::grpc_client(circuit.clone());
            let chain = ServiceBuilder::new().layer(layer).map_response(check).service(channel(server));
            let mut client = Client::new(chain);
            if compressed {
                let gzip = CompressionEncoding::Gzip;
                client.0 = client.0.send_compressed(gzip).accept_compressed(gzip);
            }
            for _ in 0..3 {
                assert_eq!(circuit.state(), State::Closed);
                assert_eq!(client.code(kind, "send 3 then 13").await, Code::Internal);
            }
            assert_eq!(circuit.state(), State::Open, "{kind:?}");
            assert_eq!(client.code(kind, "send 1").await, Code::Unavailable);
            clock.advance(SECOND * 4);
            assert_eq!(client.code(kind, "send 1").await, Code::Unavailable, "the server asked for five seconds");
            clock.advance(SECOND);
            assert_eq!(client.code(kind, "send 3").await, Code::Ok);
            assert_eq!((circuit.state(), counts(&circuit).1), (State::Closed, 3));
        }
    }
}

#[tokio::test]
async fn at_the_head_the_errors_in_trailers_are_not_seen() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let layer = CircuitBreakerLayer::with_classifier(circuit.clone(), GrpcClassifier::new());
    let mut client = Client::new(layer.layer(channel(server)));
    assert_eq!(client.code(Kind::ServerStream, "send 0 then 14").await, Code::Unavailable);
    assert_eq!(client.code(Kind::Unary, "head 14").await, Code::Unavailable);
    assert_eq!(counts(&circuit), (1, 1, 0));
}

#[tokio::test]
async fn a_long_stream_as_a_probe_does_not_hold_the_circuit_half_open() {
    let server = serve().await;
    for kind in STREAMS {
        let (circuit, clock) = circuit();
        let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
        for _ in 0..3 {
            client.code(Kind::Unary, "head 14").await;
        }
        clock.advance(SECOND * 5);
        let stream = client.start(kind, "send 1 then wait").await.unwrap();
        assert_eq!(circuit.state(), State::Closed);
        assert_eq!(client.code(Kind::Unary, "send 1").await, Code::Ok);
        let (messages, _) = read(stream, 1).await;
        assert_eq!((messages, counts(&circuit)), (1, (2, 3, 0)));
    }
}

#[tokio::test]
async fn a_probe_that_fails_in_its_head_opens_the_circuit_again() {
    let server = serve().await;
    let (circuit, clock) = circuit();
    let mut client = Client::new(CircuitBreakerLayer::grpc_client(circuit.clone()).layer(channel(server)));
    for _ in 0..3 {
        client.code(Kind::Unary, "head 14").await;
    }
    clock.advance(SECOND * 5);
    assert_eq!(client.code(Kind::Bidi, "head 14").await, Code::Unavailable);
    assert_eq!((circuit.state(), counts(&circuit)), (State::Open, (0, 4, 0)));
}

#[tokio::test]
async fn codes_can_be_moved() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let codes = GrpcClassifier::new().failure(GrpcCode::NotFound).ignore(GrpcCode::Unavailable);
    let layer = CircuitBreakerLayer::grpc_client(circuit.clone()).classify(codes);
    let mut client = Client::new(layer.layer(channel(server)));
    for request in ["head 5", "send 1 then 5", "send 1 then 14"] {
        client.code(Kind::ServerStream, request).await;
    }
    assert_eq!(counts(&circuit), (0, 2, 1));
}

/// As clients that are generated take one.
#[tokio::test]
async fn interceptors_go_outside_and_inside() {
    let server = serve().await;
    let (circuit, _clock) = circuit();
    let refuse = |_: tonic::Request<()>| Err::<tonic::Request<()>, _>(Status::unauthenticated("who?"));
    let pass = |request: tonic::Request<()>| Ok::<_, Status>(request);
    let layer = CircuitBreakerLayer::grpc_client(circuit.clone());

    let mut outside = Client::new(InterceptedService::new(layer.layer(channel(server)), refuse));
    assert_eq!(outside.code(Kind::Unary, "send 1").await, Code::Unauthenticated);
    assert_eq!(counts(&circuit), (0, 0, 0), "the call was not made");
    let mut outside = Client::new(InterceptedService::new(layer.layer(channel(server)), pass));
    assert_eq!(outside.code(Kind::ServerStream, "send 2 then 14").await, Code::Unavailable);
    assert_eq!(counts(&circuit), (0, 1, 0));

    let mut inside = Client::new(layer.layer(InterceptedService::new(channel(server), refuse)));
    assert_eq!(inside.code(Kind::Bidi, "send 1").await, Code::Unauthenticated);
    let interceptor = tonic::service::InterceptorLayer::new(pass);
    let chain = ServiceBuilder::new().layer(layer).layer(interceptor).service(channel(server));
    assert_eq!(Client::new(chain).code(Kind::Bidi, "send 2 then 14").await, Code::Unavailable);
    assert_eq!(counts(&circuit), (0, 2, 1));
}
