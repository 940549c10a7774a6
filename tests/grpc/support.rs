//! A tonic server that does what its requests say, and a plain tonic client. Messages are text; nothing is generated.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut};
use futures_util::{Stream, StreamExt, stream};
use http::Request;
use tokio::net::TcpListener;
use tonic::{
    Code, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::Service;
use tower_breaker::{
    BoxError, Circuit, Config,
    clock::ManualClock,
    config::{Consecutive, Probing, Recovery},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Three failures in a row open it for a second; then one good probe closes it.
pub(crate) const THREE: Config = Config::without_rules()
    .consecutive_failures(Consecutive::new(3))
    .probing(Probing::fixed(SECOND))
    .recovery(Recovery::Probes);

pub(crate) fn circuit() -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let builder = Circuit::builder("größer 5 %").config(THREE).clock(clock.clone());
    (builder.build().expect("the settings are within bounds"), clock)
}

/// Successes, failures and ignored calls.
pub(crate) fn counts(circuit: &Circuit) -> (u64, u64, u64) {
    let ledger = circuit.snapshot().ledger;
    (ledger.succeeded, ledger.failed, ledger.ignored)
}

/// Waits until something has come about in another task; a busy machine may take its time.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came about: {what}");
}

/// Text as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::internal("no text"))
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// What a request asks for.
///
/// | request | answer |
/// |---|---|
/// | `head CODE` | that code, in the head |
/// | `send N` | N messages and OK |
/// | `send N then CODE` | N messages and that code, in the trailers |
/// | `send N then wait` | N messages and silence |
/// | `wait` | silence, without a head |
async fn answer(request: &str) -> Result<Messages, Status> {
    let words: Vec<&str> = request.split(' ').collect();
    let number = |word: &str| word.parse::<i32>().expect("a number");
    let send = |count| stream::iter((0..number(count)).map(|n| Ok(format!("message {n}"))));
    Ok(match *words {
        ["head", code] => return Err(status(number(code))),
        ["send", count] => send(count).boxed(),
        ["send", count, "then", "wait"] => send(count).chain(stream::pending()).boxed(),
        ["send", count, "then", code] => {
            let status = status(number(code));
            // A step later, so that the messages are sent before.
            let end = stream::once(async {
                tokio::task::yield_now().await;
                Err(status)
            });
            send(count).chain(end).boxed()
        }
        ["wait"] => std::future::pending().await,
        _ => panic!("no such request: {request}"),
    })
}

fn status(code: i32) -> Status {
    let mut status = Status::new(Code::from_i32(code), "as asked");
    status.metadata_mut().insert("grpc-retry-pushback-ms", 5_000.into());
    status
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// The four methods, as what is generated would call them.
struct Methods;

impl UnaryService<String> for Methods {
    type Response = String;
    type Future = Answer<String>;

    fn call(&mut self, request: tonic::Request<String>) -> Answer<String> {
        Box::pin(async move { first(answer(request.get_ref()).await?).await })
    }
}

impl ServerStreamingService<String> for Methods {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<String>) -> Answer<Messages> {
        Box::pin(async move { answer(request.get_ref()).await.map(Response::new) })
    }
}

impl ClientStreamingService<String> for Methods {
    type Response = String;
    type Future = Answer<String>;

    fn call(&mut self, request: tonic::Request<Streaming<String>>) -> Answer<String> {
        Box::pin(async move { first(answer_to_many(request).await?).await })
    }
}

impl StreamingService<String> for Methods {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<Streaming<String>>) -> Answer<Messages> {
        Box::pin(async move { answer_to_many(request).await.map(Response::new) })
    }
}

async fn answer_to_many(request: tonic::Request<Streaming<String>>) -> Result<Messages, Status> {
    let mut requests = request.into_inner();
    answer(&requests.message().await?.expect("a request")).await
}

async fn first(mut messages: Messages) -> Result<Response<String>, Status> {
    messages.next().await.unwrap_or_else(|| Err(Status::internal("no message"))).map(Response::new)
}

/// The service of the server.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    compressed: bool,
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(Text);
        if self.compressed {
            grpc = grpc.accept_compressed(CompressionEncoding::Gzip).send_compressed(CompressionEncoding::Gzip);
        }
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/test.Echo/Unary" => grpc.unary(Methods, request).await,
                "/test.Echo/ServerStream" => grpc.server_streaming(Methods, request).await,
                "/test.Echo/ClientStream" => grpc.client_streaming(Methods, request).await,
                "/test.Echo/Bidi" => grpc.streaming(Methods, request).await,
                path => panic!("no such method: {path}"),
            })
        })
    }
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Starts a server without layers.
pub(crate) async fn serve() -> SocketAddr {
    serve_behind(Server::builder()).await
}

/// Starts a server with its layers and settings.
pub(crate) async fn serve_behind<L, B>(mut server: Server<L>) -> SocketAddr
where
    L: tower::Layer<tonic::service::Routes> + Clone + Send + 'static,
    L::Service: Service<Request<Body>, Response = http::Response<B>, Error: Into<BoxError> + Send, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (listener, address) = listen().await;
    let server = server.add_service(Echo { compressed: true });
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

pub(crate) fn channel(server: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{server}")).expect("an address").connect_lazy()
}

/// The kinds of calls that gRPC has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unary,
    ServerStream,
    ClientStream,
    Bidi,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Unary, Kind::ServerStream, Kind::ClientStream, Kind::Bidi];

/// A plain tonic client over any service.
pub(crate) struct Client<T>(pub(crate) tonic::client::Grpc<T>);

impl<T> Client<T>
where
    T: GrpcService<Body, Error: Into<BoxError>>,
    T::ResponseBody: http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    pub(crate) fn new(service: T) -> Self {
        Self(tonic::client::Grpc::new(service))
    }

    /// Makes a call and returns the number of messages and how it ended.
    pub(crate) async fn call(&mut self, kind: Kind, request: &str) -> (usize, Result<(), Status>) {
        match self.start(kind, request).await {
            Ok(messages) => read(messages, usize::MAX).await,
            Err(status) => (0, Err(status)),
        }
    }

    /// The code with which a call ends.
    pub(crate) async fn code(&mut self, kind: Kind, request: &str) -> Code {
        self.call(kind, request).await.1.map_or_else(|status| status.code(), |()| Code::Ok)
    }

    /// Makes a call up to the head, or to the one message of an answer that has only one.
    pub(crate) async fn start(&mut self, kind: Kind, request: &str) -> Result<Messages, Status> {
        self.0.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let one = tonic::Request::new(request.to_owned());
        let many = tonic::Request::new(stream::iter([request.to_owned(), "more".to_owned()]));
        let path = format!("/test.Echo/{kind:?}").parse().expect("a path");
        let only = |message| stream::iter([Ok(message)]).boxed();
        Ok(match kind {
            Kind::Unary => only(self.0.unary(one, path, Text).await?.into_inner()),
            Kind::ClientStream => only(self.0.client_streaming(many, path, Text).await?.into_inner()),
            Kind::ServerStream => self.0.server_streaming(one, path, Text).await?.into_inner().boxed(),
            Kind::Bidi => self.0.streaming(many, path, Text).await?.into_inner().boxed(),
        })
    }
}

/// Reads so many messages, or to the end, and says how it ended.
pub(crate) async fn read(mut messages: Messages, most: usize) -> (usize, Result<(), Status>) {
    let mut count = 0;
    while count < most {
        match messages.next().await {
            None => return (count, Ok(())),
            Some(Err(status)) => return (count, Err(status)),
            Some(Ok(_)) => count += 1,
        }
    }
    (count, Ok(()))
}
