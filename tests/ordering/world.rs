//! A minute in the life of a client: fifty calls a second, and an outage from the tenth second to the fortieth.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use tower::{Service, ServiceExt, util::BoxCloneService};
use tower_breaker::{
    BoxError, Circuit, Config, Rejected, State,
    config::{FailureRate, Probing, Recovery},
    machine::Event,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
const OUTAGE: std::ops::Range<u64> = 10..40;
const CALLS: u64 = 3_000;

pub(crate) type Client = BoxCloneService<Request<()>, Response<()>, BoxError>;

/// Half of at least ten calls in ten seconds; five seconds open; then one good probe closes it.
pub(crate) const REFERENCE: Config = Config::without_rules()
    .failure_rate(FailureRate::new(0.5).minimum_calls(10))
    .probing(Probing::fixed(Duration::from_secs(5)))
    .recovery(Recovery::Probes);

/// What the back end does in the outage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outage {
    /// Answers 503 after ten milliseconds.
    Fails,
    /// … so many of a hundred.
    FailsPartly(u64),
    /// Never answers.
    Hangs,
    /// There is none.
    None,
}

/// The back end and what was seen of it. The same story each time: time is paused and nothing is drawn at random.
#[derive(Clone)]
pub(crate) struct World {
    began: Instant,
    outage: Outage,
    /// How long a good answer takes.
    takes: Duration,
    calls: Arc<AtomicU64>,
    in_outage: Arc<AtomicU64>,
    opened: Arc<Mutex<Vec<Duration>>>,
}

/// What users saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// How long after the outage began it opened, and how often.
    pub(crate) opened: Option<Duration>,
    pub(crate) times_opened: usize,
    /// Calls at the back end in the outage.
    pub(crate) back_end: u64,
    /// Calls of users that began in the outage: good answers, and how many ended by a rejection.
    pub(crate) good: usize,
    pub(crate) rejected: usize,
    /// How long they took.
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "paused time is the time of this world")]
    pub(crate) fn new(outage: Outage) -> Self {
        Self {
            began: Instant::now(),
            outage,
            takes: Duration::from_millis(10),
            calls: Arc::default(),
            in_outage: Arc::default(),
            opened: Arc::default(),
        }
    }

    pub(crate) fn takes(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn is_out(&self) -> bool {
        OUTAGE.contains(&self.now().as_secs())
    }

    pub(crate) fn circuit(&self, config: Config) -> Circuit {
        let (world, began) = (self.clone(), Duration::from_secs(OUTAGE.start));
        Circuit::builder("back end")
            .config(config)
            .seed(7)
            .observe(move |event: &Event| {
                if let Event::Transition(transition) = event {
                    if (transition.from, transition.to) == (State::Closed, State::Open) {
                        let after = world.now().saturating_sub(began);
                        world.opened.lock().expect("no panic under it").push(after);
                    }
                }
            })
            .build()
            .expect("the settings are within bounds")
    }

    /// The innermost service.
    pub(crate) fn back_end(
        &self,
    ) -> impl Service<Request<()>, Response = Response<()>, Error = BoxError, Future: Send> + Clone + Send + 'static
    {
        let world = self.clone();
        tower::service_fn(move |_: Request<()>| {
            let world = world.clone();
            async move {
                let number = world.calls.fetch_add(1, Ordering::Relaxed);
                let out = world.is_out();
                world.in_outage.fetch_add(u64::from(out), Ordering::Relaxed);
                let fails = match world.outage {
                    Outage::Hangs if out => pending().await,
                    Outage::Fails => out,
                    // Seven and a hundred have no common factor, so the bad ones are spread evenly.
                    Outage::FailsPartly(share) => out && number * 7 % 100 < share,
                    Outage::Hangs | Outage::None => false,
                };
                time::sleep(world.takes).await;
                Ok(Response::builder().status(if fails { 503 } else { 200 }).body(())?)
            }
        })
    }

    /// Fifty users a second for a minute, or as many as `each` says.
    pub(crate) async fn live(&self, client: impl Into<Client>, every: Duration) -> Seen {
        let client = client.into();
        let mut users = JoinSet::new();
        for _ in 0..CALLS {
            let (world, client) = (self.clone(), client.clone());
            users.spawn(async move {
                let (began, out) = (world.now(), world.is_out());
                let result = client.oneshot(Request::new(())).await;
                let good = result.as_ref().is_ok_and(|response| response.status().is_success());
                let rejected = result.is_err_and(|error| Rejected::find(&*error).is_some());
                (out, good, rejected, world.now() - began)
            });
            time::sleep(every).await;
        }
        let all = users.join_all().await;
        let whole = matches!(self.outage, Outage::None);
        let seen: Vec<_> = all.into_iter().filter(|(out, ..)| *out || whole).collect();
        let mut took: Vec<Duration> = seen.iter().map(|(.., took)| *took).collect();
        took.sort_unstable();
        let opened = self.opened.lock().expect("no panic under it").clone();
        let counted = if whole { &self.calls } else { &self.in_outage };
        Seen {
            opened: opened.first().copied(),
            times_opened: opened.len(),
            back_end: counted.load(Ordering::Relaxed),
            good: seen.iter().filter(|(_, good, ..)| *good).count(),
            rejected: seen.iter().filter(|(_, _, rejected, _)| *rejected).count(),
            median: took[took.len() / 2],
            p99: took[took.len() * 99 / 100],
            longest: took[took.len() - 1],
        }
    }
}
