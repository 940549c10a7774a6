//! A whole client or server in the measured order, every part optional, checked as a whole.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::stack::Stack;
//!
//! let stack = Stack::http_client("payments").build()?;
//! println!("{}", stack.describe());
//!
//! let client = ServiceBuilder::new()
//!     .layer(stack)
//!     .service(service_fn(|_: Request<String>| async { Response::builder().body(String::new()) }));
//! let answer = client.oneshot(Request::get("/").body(String::new())?).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(()) }
//! ```
//!
//! From outside in: total timeout, retry, circuit, bulkhead, timeout of each attempt. A fallback goes outside of it, see
//! [the fallback](crate::guide::ordering). Why this order is the subject of [a chapter](crate::guide::ordering).
//!
//! Everything in it can be put together by hand, with `ServiceBuilder` and [`ServiceBuilderExt`]; [`lint`] finds the orders
//! that do harm and say nothing.

mod answer;
mod boxed;
mod builder;
mod config;
mod describe;
mod ext;
#[cfg(feature = "tonic")]
mod grpc;
mod http;
mod layer;
mod lint;

#[cfg(feature = "tonic")]
pub use self::grpc::{GrpcClient, GrpcClientLayers, GrpcServer, GrpcServerLayers};
pub use self::{
    answer::{Answer, AnswerErrors, Answering},
    boxed::{BoxErrors, Boxing, ErrorsInBoxes},
    builder::StackBuilder,
    config::StackConfig,
    ext::ServiceBuilderExt,
    http::{HttpClient, HttpClientLayers, HttpServer, HttpServerLayers},
    layer::{Parts, StackLayer},
    lint::{Misplaced, lint},
};

use crate::sync::Arc;

/// Begins a stack. See the [module docs](self) for an example.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stack;

impl Stack {
    /// Begins the stack of an HTTP client: [`HttpClassifier`](crate::classify::HttpClassifier),
    /// [`HttpRetry`](crate::retry::HttpRetry), rejections are errors.
    ///
    /// Bodies of requests must be [`Replay`](crate::retry::Replay), as all that are `Clone` are; the inner service must be `Clone`.
    pub fn http_client(name: impl Into<Arc<str>>) -> StackBuilder<HttpClient> {
        StackBuilder::new(name.into(), StackConfig::new(), HttpClient::default())
    }

    /// Begins the stack of an HTTP server: no retry, the bulkhead outside of the circuit, and what is turned away is a `503`, a
    /// handler that takes too long a `504`, so that the error is `Infallible`, as axum wants it.
    ///
    /// The response body must be `Default`.
    pub fn http_server(name: impl Into<Arc<str>>) -> StackBuilder<HttpServer> {
        StackBuilder::new(name.into(), StackConfig::new(), HttpServer::default())
    }

    /// Begins the stack of a tonic client: [`GrpcClassifier`](crate::classify::GrpcClassifier) until the end of the body,
    /// [`GrpcRetry`](crate::retry::GrpcRetry) for requests of up to 64 KiB. What is turned away or takes too long is an error with a
    /// status as its source, which tonic finds: `UNAVAILABLE`, `RESOURCE_EXHAUSTED`, `DEADLINE_EXCEEDED`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tonic::{client::Grpc, transport::Channel};
    /// use tower::ServiceBuilder;
    /// use tower_breaker::stack::Stack;
    ///
    /// let channel = Channel::from_static("http://[::1]:50051").connect_lazy();
    /// let guarded = ServiceBuilder::new().layer(Stack::grpc_client("ledger").build()?).service(channel);
    /// let client = Grpc::new(guarded); // or the client that was generated: LedgerClient::new(guarded)
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tonic")]
    pub fn grpc_client(name: impl Into<Arc<str>>) -> StackBuilder<GrpcClient> {
        StackBuilder::new(name.into(), StackConfig::new(), GrpcClient::default())
    }

    /// Begins the stack of a tonic server: `Server::builder().layer(stack)`. As the client's, without retries, and the bulkhead
    /// outside of the circuit.
    #[cfg(feature = "tonic")]
    pub fn grpc_server(name: impl Into<Arc<str>>) -> StackBuilder<GrpcServer> {
        StackBuilder::new(name.into(), StackConfig::new(), GrpcServer::default())
    }
}
