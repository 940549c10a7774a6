//! A real HTTP server that can die with all its connections, and come back on the same port.

use std::net::SocketAddr;

use axum::Router;
use tokio::{net::TcpListener, runtime::Runtime};

/// A server on loopback. It has a runtime of its own, so that its death ends all of it at once.
pub struct Server {
    address: SocketAddr,
    router: Router,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves on a free port.
    pub async fn start(router: Router) -> Self {
        let mut server = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), router, runtime: None };
        server.restart().await;
        server
    }

    /// What its addresses begin with: `http://127.0.0.1:4711`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Dies as a process that is killed: nobody listens, and all connections break.
    pub fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Lives again, on the same port.
    pub async fn restart(&mut self) {
        self.die();
        let runtime = Runtime::new().expect("threads can be had");
        let (address, router) = (self.address, self.router.clone());
        let bound = runtime.spawn(async move {
            // The port is free once the tasks of the life before have been dropped, which takes a moment.
            let listener = loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let address = listener.local_addr().expect("it is bound");
            tokio::spawn(async { axum::serve(listener, router).await });
            address
        });
        self.address = bound.await.expect("binding does not panic");
        self.runtime = Some(runtime);
    }

    /// Serves something else from the next life on.
    pub fn replace(&mut self, router: Router) {
        self.router = router;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.die();
    }
}
