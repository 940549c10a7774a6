//! What is recommended for a protocol and a side, in one word.

use super::{CircuitBreakerLayer, Fail, Reply503, Single};
#[cfg(feature = "grpc")]
use super::{EndOfBody, ReplyGrpc};
#[cfg(feature = "grpc")]
use crate::classify::GrpcClassifier;
use crate::{circuit::Circuit, classify::HttpClassifier};

impl CircuitBreakerLayer<Single<HttpClassifier, Fail>> {
    /// Guards an HTTP client: judged by the status, over at the head, and a rejection is an error.
    ///
    /// The same as [`CircuitBreakerLayer::new`]. Where bodies may break off, add
    /// [`until_end_of_body`](CircuitBreakerLayer::until_end_of_body).
    pub fn http_client(circuit: Circuit) -> Self {
        Self::new(circuit)
    }
}

impl CircuitBreakerLayer<Single<HttpClassifier, Reply503>> {
    /// Guards an HTTP server: judged by the status, over at the head, and a rejection is a `503` with `Retry-After`, so that
    /// the error type stays as it is.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_breaker::{Circuit, CircuitBreakerLayer};
    ///
    /// let circuit = Circuit::builder("handlers").build()?;
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(CircuitBreakerLayer::http_server(circuit));
    /// # Ok::<(), tower_breaker::ConfigError>(())
    /// ```
    pub fn http_server(circuit: Circuit) -> Self {
        CircuitBreakerLayer::new(circuit).reply_503()
    }
}

#[cfg(feature = "grpc")]
impl CircuitBreakerLayer<Single<GrpcClassifier, ReplyGrpc, EndOfBody>> {
    /// Guards a gRPC client: judged by the status code in head or trailers, over at the end of the body, and a rejection is
    /// an answer `UNAVAILABLE`. For tonic and any other stack over the types of `http`.
    ///
    /// The error type of the inner service stays as it is. Layers further out, such as retries, do not see a
    /// [`Rejected`](crate::Rejected) then; [`fail`](CircuitBreakerLayer::fail) makes it an error again, which tonic takes for
    /// `UNAVAILABLE` with the feature `tonic`, and for `UNKNOWN` without.
    ///
    /// ```
    /// use tonic::{client::Grpc, transport::Channel};
    /// use tower::ServiceBuilder;
    /// use tower_breaker::{Circuit, CircuitBreakerLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let circuit = Circuit::builder("ledger").build()?;
    /// let channel = Channel::from_static("http://[::1]:50051").connect_lazy();
    /// let guarded = ServiceBuilder::new().layer(CircuitBreakerLayer::grpc_client(circuit)).service(channel);
    /// let client = Grpc::new(guarded); // or the client that was generated: LedgerClient::new(guarded)
    /// # Ok(()) }
    /// ```
    pub fn grpc_client(circuit: Circuit) -> Self {
        CircuitBreakerLayer::with_classifier(circuit, GrpcClassifier::new()).reply_grpc().until_end_of_body()
    }

    /// Guards a gRPC server: as [`grpc_client`](CircuitBreakerLayer::grpc_client), on the other side.
    ///
    /// With tonic: `Server::builder().layer(CircuitBreakerLayer::grpc_server(circuit))`. Put it inside of a layer that
    /// translates gRPC-Web, whose answers have no trailers.
    pub fn grpc_server(circuit: Circuit) -> Self {
        Self::grpc_client(circuit)
    }
}
