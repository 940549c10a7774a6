//! On a real axum server, which makes its services anew for each route, method and connection.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Row, STAYS_OPEN};
use crate::{
    breaker::{Settings, Unbuilt},
    crates::Crate,
    dependency,
    table::Cell,
};

const ROUTES: [&str; 3] = ["/a", "/b", "/c"];
/// 20 to each route.
const REQUESTS: usize = 60;

pub(super) const KEPT: Row = Row {
    name: "axum: three failing routes, one kept connection",
    note: "`axum::serve`, the crate's layer by `Router::layer`, three handlers that answer `500`, 20 requests to each in turn over \
one connection. Does anything open? Calls that reached each handler. failsafe and recloser are no layers: a middleware of this test \
holds the breaker, so the rows say nothing for or against them.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(on_axum(of, true)),
};

pub(super) const NEW: Row = Row {
    name: "axum: the same, a new connection for each request",
    note: "In tower-resilience the state is in each service that the layer makes, and axum makes one for each connection; built by \
`build_with_handle()` all of them share it, as that method's documentation says. The verdict is for `build()`.",
    alone: false,
    known_gap: None,
    ask: |of| Box::pin(on_axum(of, false)),
};

async fn on_axum(of: Crate, kept: bool) -> Cell {
    let settings = Settings::run_of_five(STAYS_OPEN);
    let (router, handlers) = failing();
    let hits = hits(of.on_axum(router, settings), &handlers, kept).await;
    let mut seen = counted(hits);
    let (router, handlers) = failing();
    if let Some((how, router)) = of.on_axum_otherwise(router, settings) {
        let hits = self::hits(router, &handlers, kept).await;
        seen += &format!("; with {how} {}", counted(hits));
    }
    match of {
        Crate::Ours | Crate::TowerResilience | Crate::ThrottleNet => {
            Cell::when(hits.iter().sum::<usize>() < REQUESTS, seen)
        }
        Crate::Failsafe | Crate::Recloser => Cell::none(format!("no layer; behind our middleware: {seen}")),
    }
}

fn counted(hits: [usize; 3]) -> String {
    let [a, b, c] = hits;
    format!("{} of {REQUESTS} reach the handlers ({a}, {b}, {c})", a + b + c)
}

type Handlers = [Arc<AtomicUsize>; 3];

/// A router whose handlers count their calls and fail.
fn failing() -> (Router, Handlers) {
    let handlers = Handlers::default();
    let router = ROUTES.into_iter().zip(&handlers).fold(Router::new(), |router, (path, calls)| {
        let calls = Arc::clone(calls);
        router.route(
            path,
            get(move || {
                calls.fetch_add(1, Ordering::SeqCst);
                async { StatusCode::INTERNAL_SERVER_ERROR }
            }),
        )
    });
    (router, handlers)
}

/// How many requests reach each handler.
async fn hits(router: Result<Router, Unbuilt>, handlers: &Handlers, kept: bool) -> [usize; 3] {
    let router = router.unwrap_or_else(|why| panic!("{why:?}"));
    let (address, server) = serve(router).await.expect("loopback");
    let mut connection = dependency::connect(address).await.expect("loopback");
    for path in ROUTES.into_iter().cycle().take(REQUESTS) {
        if !kept {
            connection = dependency::connect(address).await.expect("loopback");
        }
        let response = dependency::get(&mut connection, path).await.expect("the server answers");
        assert!(response.status().is_server_error(), "the handler fails, or the breaker rejects");
    }
    server.abort();
    std::array::from_fn(|i| handlers[i].load(Ordering::SeqCst))
}

async fn serve(router: Router) -> io::Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(async move { axum::serve(listener, router).await })))
}
