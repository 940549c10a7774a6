//! A department: an axum server that can be told to misbehave, and remembers what it has done.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::plan::{Behaviour, Name, Plan};

/// How long an answer takes when all is well.
const WORK: Duration = Duration::from_millis(5);

/// A running department.
pub(crate) struct BackEnd {
    desk: Arc<Desk>,
    address: SocketAddr,
}

struct Desk {
    behaviour: watch::Sender<Behaviour>,
    /// What it says when all is well.
    answer: &'static str,
    reached: AtomicU64,
    /// The keys of what was carried out; what comes twice is done once.
    done: Mutex<HashSet<u64>>,
}

/// Where the departments are.
pub(crate) struct Addresses {
    pub(crate) inventory: SocketAddr,
    pub(crate) mail: SocketAddr,
    pub(crate) payment: SocketAddr,
    pub(crate) shipping: SocketAddr,
}

/// All departments.
pub(crate) struct BackEnds {
    pub(crate) inventory: BackEnd,
    pub(crate) mail: BackEnd,
    pub(crate) payment: BackEnd,
    pub(crate) shipping: BackEnd,
}

impl BackEnds {
    pub(crate) async fn start() -> io::Result<Self> {
        Ok(Self {
            inventory: BackEnd::start("17").await?,
            mail: BackEnd::start("sent").await?,
            payment: BackEnd::start("charged").await?,
            shipping: BackEnd::start("440").await?,
        })
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let Self { inventory, mail, payment, shipping } = self;
        Addresses {
            inventory: inventory.address,
            mail: mail.address,
            payment: payment.address,
            shipping: shipping.address,
        }
    }

    /// Lets all behave as planned from now on.
    pub(crate) fn behave(&self, plan: &Plan) {
        for name in Name::ALL {
            let dead = plan.dead.iter().find(|(dead, _)| *dead == name);
            let behaviour = dead.map_or(Behaviour::Works, |(_, behaviour)| *behaviour);
            self.get(name).desk.behaviour.send_replace(behaviour);
        }
    }

    pub(crate) fn get(&self, name: Name) -> &BackEnd {
        match name {
            Name::Inventory => &self.inventory,
            Name::Mail => &self.mail,
            Name::Payment => &self.payment,
            Name::Shipping => &self.shipping,
        }
    }
}

impl BackEnd {
    async fn start(answer: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let behaviour = watch::Sender::new(Behaviour::Works);
        let desk = Arc::new(Desk { behaviour, answer, reached: AtomicU64::new(0), done: Mutex::default() });
        tokio::spawn(keep_open(listener, address, Arc::clone(&desk)));
        Ok(Self { desk, address })
    }

    /// Returns how many calls have reached it, answered or not.
    pub(crate) fn reached(&self) -> u64 {
        self.desk.reached.load(Ordering::Relaxed)
    }

    /// Returns the keys of what it has carried out.
    pub(crate) fn done(&self) -> HashSet<u64> {
        self.desk.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Listens unless it is to refuse connections; then it keeps the port, so that nobody else gets it.
async fn keep_open(mut listener: TcpListener, address: SocketAddr, desk: Arc<Desk>) {
    let mut behaviour = desk.behaviour.subscribe();
    loop {
        tokio::select! {
            () = refuses(&mut behaviour) => {}
            () = accept(&listener, &desk) => {}
        }
        drop(listener);
        let closed = until_bound(|| bind(address)).await;
        if behaviour.wait_for(|now| *now != Behaviour::Refuses).await.is_err() {
            return;
        }
        drop(closed);
        listener = until_bound(|| bind(address)?.listen(1_024)).await;
    }
}

async fn refuses(behaviour: &mut watch::Receiver<Behaviour>) {
    // It cannot fail: the sender is on the desk.
    let _ = behaviour.wait_for(|now| *now == Behaviour::Refuses).await;
}

/// A socket that is bound and does not listen refuses connections.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn until_bound<T>(bind: impl Fn() -> io::Result<T>) -> T {
    loop {
        match bind() {
            Ok(bound) => return bound,
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    let router = Router::new().fallback(answer).with_state(Arc::clone(desk));
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(socket, router.clone(), desk.behaviour.subscribe()))),
            // Too many open files: they become fewer.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves a connection, and cuts it off when the department dies that way.
async fn connection(socket: TcpStream, router: Router, mut behaviour: watch::Receiver<Behaviour>) {
    let serve = http1::Builder::new().serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    tokio::select! {
        _ = serve => {} // Callers that hang up are none of our business.
        () = refuses(&mut behaviour) => {}
    }
}

async fn answer(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    desk.reached.fetch_add(1, Ordering::Relaxed);
    let behaviour = *desk.behaviour.borrow();
    match behaviour {
        Behaviour::Fails => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behaviour::Hangs => std::future::pending().await,
        Behaviour::Refuses | Behaviour::Works => sleep(WORK).await,
    }
    if let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()?.parse().ok()) {
        desk.done.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }
    desk.answer.into_response()
}
