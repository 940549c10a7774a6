//! The stacks of tonic.

use http::Request;
use tonic::body::Body;
use tower::{
    layer::util::{Identity, Stack},
    retry::RetryLayer,
    util::{Either, MapRequestLayer, option_layer},
};

use crate::{
    bulkhead::BulkheadLayer,
    classify::GrpcClassifier,
    config::ConfigError,
    retry::{GrpcRetry, ReplayBody},
    service::{CircuitBreakerLayer, EndOfBody, Fail, Single},
    stack::{BoxErrors, StackBuilder, StackLayer},
    timeout::{AttemptTimeoutLayer, TotalTimeoutLayer},
};

/// A tonic client, see [`Stack::grpc_client`](crate::stack::Stack::grpc_client).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcClient {
    classifier: GrpcClassifier,
}

/// A tonic server, see [`Stack::grpc_server`](crate::stack::Stack::grpc_server).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcServer {
    classifier: GrpcClassifier,
}

type Breaker = CircuitBreakerLayer<Single<GrpcClassifier, Fail, EndOfBody>>;
/// Requests of tonic as such that can be sent again, and back.
type Keep = MapRequestLayer<fn(Request<Body>) -> Request<ReplayBody<Body>>>;
type Send = MapRequestLayer<fn(Request<ReplayBody<Body>>) -> Request<Body>>;

/// The layers of a tonic client, from inside out.
pub type GrpcClientLayers = Stack<
    BoxErrors,
    Stack<
        Either<AttemptTimeoutLayer, Identity>,
        Stack<
            Either<BulkheadLayer, Identity>,
            Stack<
                Breaker,
                Stack<
                    Send,
                    Stack<Either<RetryLayer<GrpcRetry>, Identity>, Stack<Keep, Either<TotalTimeoutLayer, Identity>>>,
                >,
            >,
        >,
    >,
>;

/// The layers of a tonic server, from inside out.
pub type GrpcServerLayers =
    Stack<BoxErrors, Stack<Either<AttemptTimeoutLayer, Identity>, Stack<Breaker, Either<BulkheadLayer, Identity>>>>;

/// How much of a request is kept to be sent again: most unary messages, and no upload.
const KEPT: usize = 64 * 1024;

fn keep(request: Request<Body>) -> Request<ReplayBody<Body>> {
    request.map(|body| ReplayBody::new(body, KEPT))
}

fn send(request: Request<ReplayBody<Body>>) -> Request<Body> {
    request.map(Body::new)
}

fn breaker(circuit: crate::Circuit, classifier: GrpcClassifier) -> Breaker {
    CircuitBreakerLayer::with_classifier(circuit, classifier).until_end_of_body()
}

impl StackBuilder<GrpcClient> {
    /// Sets what is a failure for the circuit. Default: [`GrpcClassifier::new`].
    pub fn classify(mut self, classifier: GrpcClassifier) -> Self {
        self.kind.classifier = classifier;
        self
    }

    /// Makes the stack.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as [`StackConfig::check`](crate::stack::StackConfig::check) has it.
    pub fn build(self) -> Result<StackLayer<GrpcClientLayers>, ConfigError> {
        let (parts, kind) = self.client()?;
        let retry = parts.retries()?.map(|retries| RetryLayer::new(GrpcRetry::new(retries)));
        let total = Stack::new(MapRequestLayer::new(keep as fn(_) -> _), option_layer(parts.total()?));
        let outside = Stack::new(MapRequestLayer::new(send as fn(_) -> _), Stack::new(option_layer(retry), total));
        let outside = Stack::new(breaker(parts.circuit.clone(), kind.classifier), outside);
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let inside = Stack::new(option_layer(parts.attempt()?), Stack::new(option_layer(bulkhead), outside));
        Ok(StackLayer { layers: Stack::new(BoxErrors, inside), parts })
    }
}

impl StackBuilder<GrpcServer> {
    /// Sets what is a failure for the circuit. Default: [`GrpcClassifier::new`].
    pub fn classify(mut self, classifier: GrpcClassifier) -> Self {
        self.kind.classifier = classifier;
        self
    }

    /// Makes the stack.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as [`StackConfig::check`](crate::stack::StackConfig::check) has it.
    pub fn build(self) -> Result<StackLayer<GrpcServerLayers>, ConfigError> {
        let (parts, kind) = self.server()?;
        let bulkhead = parts.bulkhead.clone().map(BulkheadLayer::new);
        let outside = Stack::new(breaker(parts.circuit.clone(), kind.classifier), option_layer(bulkhead));
        let layers = Stack::new(BoxErrors, Stack::new(option_layer(parts.attempt()?), outside));
        Ok(StackLayer { layers, parts })
    }
}
