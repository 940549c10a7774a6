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
mod client;
mod config;
mod describe;
mod ext;
mod layer;
mod lint;
mod server;

pub use self::{
    answer::{Answer, AnswerErrors, Answering},
    boxed::{BoxErrors, Boxing, ErrorsInBoxes},
    client::{HttpClient, HttpClientLayers},
    config::StackConfig,
    ext::ServiceBuilderExt,
    layer::{Parts, StackLayer},
    lint::{Misplaced, lint},
    server::{HttpServer, HttpServerLayers},
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
    pub fn http_client(name: impl Into<Arc<str>>) -> HttpClient {
        HttpClient::new(name.into())
    }

    /// Begins the stack of an HTTP server: no retry, the bulkhead outside of the circuit, and whatever is turned away is a `503`.
    ///
    /// The response body must be `Default`, and the error of the handler `Infallible`, as axum has both.
    pub fn http_server(name: impl Into<Arc<str>>) -> HttpServer {
        HttpServer::new(name.into())
    }
}
