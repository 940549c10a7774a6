//! The users: calls on a schedule, whatever becomes of those before.
//!
//! A load that waits for answers would slow down with the back end and hide the damage. So each call has a time when it is
//! due, and is sent then (tokio's timers are up to 1 ms late), however many are under way.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{sleep_until, timeout},
};
use tower_breaker::BoxError;

use crate::clock::{self, Instant};

/// How many calls the users make in a second.
pub(crate) const CALLS_PER_SECOND: u32 = 400;
/// How long a user waits for the gateway: longer than the gateway waits for the back end.
const USER_TIMEOUT: Duration = Duration::from_secs(1);

/// One call of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Since the start of the load.
    pub(crate) due: Duration,
    /// From the sending to the answer.
    pub(crate) waited: Duration,
    pub(crate) answer: Answer,
}

/// What a user got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An error, a broken connection, or nothing in time.
    Failed,
    /// A `503` at once.
    Refused,
    /// A `200` with its whole body.
    Served,
}

/// A load on one gateway.
pub(crate) struct Load {
    calls: Arc<Mutex<Vec<Call>>>,
    task: JoinHandle<()>,
}

impl Load {
    /// Begins at `start` and ends after `lasts`.
    pub(crate) fn start(gateway: SocketAddr, start: Instant, lasts: Duration) -> Result<Self, BoxError> {
        let calls = Arc::default();
        let user = User {
            client: Client::builder(TokioExecutor::new()).build_http(),
            gateway: format!("http://{gateway}/").parse()?,
        };
        let task = tokio::spawn(call_on_schedule(user, start, lasts, Arc::clone(&calls)));
        Ok(Self { calls, task })
    }

    /// Returns the calls that have ended since `from`.
    pub(crate) fn ended_since(&self, from: Duration) -> Vec<Call> {
        let calls = lock(&self.calls);
        calls.iter().rev().take_while(|call| call.due + call.waited >= from).copied().collect()
    }

    /// Waits for the last answers and returns all calls, in the order in which they were due.
    pub(crate) async fn finish(self) -> Result<Vec<Call>, BoxError> {
        self.task.await?;
        let mut calls = std::mem::take(&mut *lock(&self.calls));
        calls.sort_by_key(|call| call.due);
        Ok(calls)
    }
}

fn lock(calls: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    calls.lock().expect("no code panics under the lock")
}

async fn call_on_schedule(user: User, start: Instant, lasts: Duration, calls: Arc<Mutex<Vec<Call>>>) {
    let mut under_way = JoinSet::new();
    for number in 0.. {
        let due = Duration::from_secs(1) * number / CALLS_PER_SECOND;
        if due >= lasts {
            break;
        }
        sleep_until(start + due).await;
        let sent = clock::now();
        let (user, calls) = (user.clone(), Arc::clone(&calls));
        under_way.spawn(async move {
            let answer = user.call().await;
            let waited = clock::now() - sent;
            lock(&calls).push(Call { due, waited, answer });
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

#[derive(Clone)]
struct User {
    client: Client<HttpConnector, Empty<Bytes>>,
    gateway: Uri,
}

impl User {
    async fn call(&self) -> Answer {
        let answer = async {
            let response = self.client.get(self.gateway.clone()).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok::<_, BoxError>(status)
        };
        match timeout(USER_TIMEOUT, answer).await {
            Ok(Ok(StatusCode::OK)) => Answer::Served,
            Ok(Ok(StatusCode::SERVICE_UNAVAILABLE)) => Answer::Refused,
            Ok(Ok(_) | Err(_)) | Err(_) => Answer::Failed,
        }
    }
}
