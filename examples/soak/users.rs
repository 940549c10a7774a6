//! The users: several tasks that call on a schedule, whatever becomes of the calls before; some lose patience.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tower_breaker::BoxError;

use crate::{
    book::Fate,
    clock,
    gateway::{CALL, FATE},
    rng::Rng,
};

/// How many tasks call at the same time, and how many calls each makes in a second.
pub(crate) const USERS: u32 = 8;
pub(crate) const CALLS_PER_SECOND: u32 = 50;
/// How long a patient user waits: far longer than the gateway needs for its worst answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many of a hundred calls are given up early.
const IMPATIENT: u64 = 8;

/// One user with connections of its own.
#[derive(Clone)]
pub(crate) struct User {
    client: Client<HttpConnector, Empty<Bytes>>,
    gateway: Uri,
}

/// A call as its user knows it.
pub(crate) struct Call {
    pub(crate) number: usize,
    pub(crate) patient: bool,
    pub(crate) answer: Option<Fate>,
}

impl User {
    pub(crate) fn new(gateway: SocketAddr) -> Result<Self, BoxError> {
        // A call that was sent again by itself would come twice.
        let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        Ok(Self { client, gateway: format!("http://{gateway}/").parse()? })
    }

    /// Makes calls for so long, and returns when the last one has ended. Their numbers begin at `first`.
    pub(crate) async fn call_for(self, lasts: Duration, first: usize, mut rng: Rng) -> Vec<Call> {
        let start = clock::now();
        let mut under_way = JoinSet::new();
        let mut calls = Vec::new();
        for (number, due) in (first..).zip(schedule(lasts)) {
            sleep_until(start + due).await;
            // Half of them give up what is as quick as ever.
            let longest = if rng.percent(50) { 10 } else { 250 };
            let patience = if rng.percent(IMPATIENT) { rng.millis(1, longest) } else { PATIENCE };
            let user = self.clone();
            under_way.spawn(async move {
                let answer = timeout(patience, user.call(number)).await;
                Call { number, patient: patience == PATIENCE, answer: answer.ok().and_then(Result::ok) }
            });
            while let Some(call) = under_way.try_join_next() {
                calls.push(call.expect("a user does not panic"));
            }
        }
        calls.extend(under_way.join_all().await);
        calls
    }

    async fn call(&self, number: usize) -> Result<Fate, BoxError> {
        let request = Request::get(self.gateway.clone()).header(CALL, number).body(Empty::new())?;
        let response = self.client.request(request).await?;
        let fate = response.headers().get(FATE).and_then(|fate| Fate::parse(fate.to_str().ok()?));
        response.into_body().collect().await?;
        fate.ok_or_else(|| "an answer without a fate".into())
    }
}

/// When calls are due, since the start.
fn schedule(lasts: Duration) -> impl Iterator<Item = Duration> {
    (0..).map(|number| Duration::from_secs(1) * number / CALLS_PER_SECOND).take_while(move |due| *due < lasts)
}

/// How many calls a user makes in that time.
pub(crate) fn calls_in(lasts: Duration) -> usize {
    schedule(lasts).count()
}
