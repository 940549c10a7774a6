//! Orders that were taken down, to be carried out once a department is back.
//!
//! This one lives as long as the process. A shop that earns money puts a table behind it.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};
use tower::ServiceExt;
use tower_breaker::{Circuit, fallback::Queue};

use crate::{client::Client, order::Order};

/// Far more than one outage brings; where it is full the customer gets the original error.
const ROOM: usize = 10_000;

/// A queue, and somebody who works it off. Clones are the same queue.
#[derive(Clone)]
pub(crate) struct Outbox {
    orders: mpsc::Sender<Order>,
    waiting: Arc<AtomicU64>,
    /// Which orders may wait.
    takes: fn(&Order) -> bool,
}

impl Outbox {
    /// Begins to work off what comes, by way of `client`, whenever its circuit lets it.
    pub(crate) fn start(client: Client<Order>, circuit: Circuit, takes: fn(&Order) -> bool) -> Self {
        let (orders, queue) = mpsc::channel(ROOM);
        let waiting = Arc::default();
        tokio::spawn(work_off(queue, client, circuit, Arc::clone(&waiting)));
        Self { orders, waiting, takes }
    }

    /// Returns how many orders are not carried out yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Queue<Order> for Outbox {
    type Push = Ready<bool>;

    fn push(&self, order: Order) -> Ready<bool> {
        // Counted first: it could be carried out before it is counted.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let taken = (self.takes)(&order) && self.orders.try_send(order).is_ok();
        if !taken {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        ready(taken)
    }
}

async fn work_off(mut queue: mpsc::Receiver<Order>, client: Client<Order>, circuit: Circuit, waiting: Arc<AtomicU64>) {
    while let Some(order) = queue.recv().await {
        // No knocking at a closed door: it waits with the circuit, and may be the probe that finds it open.
        circuit.until_ready().await;
        while !client.clone().oneshot(order).await.is_ok_and(|answer| answer.status().is_success()) {
            sleep(Duration::from_millis(20)).await;
            circuit.until_ready().await;
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
