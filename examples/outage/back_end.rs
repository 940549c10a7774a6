//! The dependency: an axum server that can be told to misbehave, with a capacity that is real.
//!
//! It has [`WORKERS`] workers and a queue, first come first served. As in most back ends, work whose caller has given up
//! is done all the same; that is what keeps an overloaded one down.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};

use crate::timeline::Behaviour;

/// How many calls are worked on at once.
const WORKERS: u32 = 20;
/// How long a worker takes for one: 20 workers carry 2,000 calls a second, five times the load; two carry half of it.
const WORK: Duration = Duration::from_millis(10);
/// How long a silent connection is held: longer than any caller waits, and not for ever, so that few files are open.
const SILENCE: Duration = Duration::from_millis(400);
const BODY: [u8; 2_048] = [b'.'; 2_048];

/// A running back end.
pub(crate) struct BackEnd {
    control: Arc<Control>,
    /// The workers that are missing while it is at a tenth of its capacity.
    missing: Option<OwnedSemaphorePermit>,
    address: SocketAddr,
}

struct Control {
    behaviour: watch::Sender<Behaviour>,
    workers: Arc<Semaphore>,
    reached: AtomicU64,
}

impl BackEnd {
    /// Starts a back end that works.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let control = Arc::new(Control {
            behaviour: watch::Sender::new(Behaviour::Works),
            workers: Arc::new(Semaphore::new(WORKERS as usize)),
            reached: AtomicU64::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&control));
        tokio::spawn(accept(listener, router, Arc::clone(&control)));
        Ok(Self { control, missing: None, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many calls have reached it, answered or not.
    pub(crate) fn reached(&self) -> u64 {
        self.control.reached.load(Ordering::Relaxed)
    }

    /// Makes it behave otherwise from now on.
    pub(crate) async fn behave(&mut self, behaviour: Behaviour) {
        self.missing = None;
        if behaviour == Behaviour::TenthOfCapacity {
            let workers = Arc::clone(&self.control.workers);
            self.missing = workers.acquire_many_owned(WORKERS - WORKERS / 10).await.ok();
        }
        self.control.behaviour.send_replace(behaviour);
    }
}

async fn accept(listener: TcpListener, router: Router, control: Arc<Control>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(socket, router.clone(), Arc::clone(&control)))),
            // Too many open files: they become fewer.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves a connection; says nothing on a new one, and cuts an old one off, while that is how it behaves.
async fn connection(socket: TcpStream, router: Router, control: Arc<Control>) {
    let mut behaviour = control.behaviour.subscribe();
    if *behaviour.borrow_and_update() == Behaviour::SaysNothing {
        control.reached.fetch_add(1, Ordering::Relaxed);
        sleep(SILENCE).await;
        return;
    }
    let serve = http1::Builder::new().serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    let silent = async { drop(behaviour.wait_for(|now| *now == Behaviour::SaysNothing).await) };
    tokio::select! {
        _ = serve => {} // Callers that hang up are none of our business.
        () = silent => {}
    }
}

async fn answer(State(control): State<Arc<Control>>) -> Response {
    let number = control.reached.fetch_add(1, Ordering::Relaxed);
    let behaviour = *control.behaviour.borrow();
    match behaviour {
        Behaviour::Answers500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behaviour::Hangs | Behaviour::SaysNothing => std::future::pending().await,
        // Spread evenly: 37 and 401 have no common factor.
        Behaviour::Slow => sleep(Duration::from_millis(220 + number * 37 % 401)).await,
        Behaviour::BreaksOff | Behaviour::TenthOfCapacity | Behaviour::Works => {}
    }
    work(&control).await;
    if behaviour == Behaviour::BreaksOff { broken_body() } else { BODY.into_response() }
}

/// Waits for a worker and its work. A task of its own, so that a caller who gives up does not end it.
async fn work(control: &Control) {
    let workers = Arc::clone(&control.workers);
    let work = tokio::spawn(async move {
        let _worker = workers.acquire().await;
        sleep(WORK).await;
    });
    // The work cannot panic, and nobody aborts it.
    let _ = work.await;
}

/// A `200` that promises a whole body, sends half of it and cuts the connection.
fn broken_body() -> Response {
    let half = Bytes::from_static(&[b'.'; BODY.len() / 2]);
    let broken = io::Error::from(io::ErrorKind::ConnectionAborted);
    let mut response = Body::from_stream(stream::iter([Ok(half), Err(broken)])).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(BODY.len()));
    response
}
