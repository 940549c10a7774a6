//! The run: rounds of traffic, a quiet moment after each, and the way back to nothing at the end.

use std::{hint::black_box, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower_breaker::{BoxError, Circuit, Mode, State, machine::Snapshot};

use crate::{
    args::{Options, Plant},
    back_end::BackEnd,
    book::{Book, Sums},
    clock,
    gateway::Gateway,
    operator::{meddle, settings},
    rng::Rng,
    system,
    users::{USERS, User, calls_in},
    weather::Weather,
};

/// How long the traffic goes on before the books are balanced.
const ROUND: Duration = Duration::from_secs(4);
/// What is left at the end is no round.
const SHORTEST: Duration = Duration::from_millis(500);
/// How long the circuit may take to close once all is well.
const HEALING: u32 = 15;
/// How long what ends by itself may take.
const ENDING: Duration = Duration::from_secs(5);

/// All that was found.
pub(crate) struct Found {
    pub(crate) lasted: Duration,
    pub(crate) sums: Sums,
    pub(crate) snapshot: Snapshot,
    pub(crate) at_transition: u64,
    /// How often the books were balanced, and what did not.
    pub(crate) rounds: u32,
    pub(crate) faults: Vec<String>,
    /// How long it took the circuit to close once all was well.
    pub(crate) healed: Option<Duration>,
    /// In bytes, during the storms.
    pub(crate) memory: Vec<u64>,
    pub(crate) tasks: [usize; 2],
    pub(crate) files: Option<[usize; 2]>,
}

struct Soak {
    circuit: Circuit,
    weather: Arc<Weather>,
    book: Arc<Book>,
    users: Vec<User>,
    sums: Sums,
    rounds: u32,
    faults: Vec<String>,
    memory: Vec<u64>,
}

/// Soaks for as long as was asked for.
pub(crate) async fn run(options: &Options) -> Result<Found, BoxError> {
    let (tasks, files) = (system::tasks(), system::open_files());
    let start = clock::now();
    let weather = Arc::new(Weather::new(options.seed));
    let back_end = BackEnd::start(Arc::clone(&weather)).await?;
    let book = Arc::new(Book::new(USERS as usize * calls_in(ROUND)));
    let circuit = Circuit::builder("back end").config(settings(0)).seed(options.seed).build()?;
    let gateway = Gateway::start(back_end.address, &circuit, Arc::clone(&book), options.plant).await?;
    let users = (0..USERS).map(|_| User::new(gateway.address)).collect::<Result<_, _>>()?;
    let (sums, rounds, faults, memory) = (Sums::default(), 0, Vec::new(), Vec::new());
    let mut soak = Soak { circuit, weather, book, users, sums, rounds, faults, memory };
    let mut rng = Rng::nth(options.seed, u64::MAX);
    loop {
        let left = options.lasts.saturating_sub(clock::now().duration_since(start));
        if left < SHORTEST {
            break;
        }
        soak.stormy_round(left.min(ROUND), &mut rng).await?;
        plant(options.plant).await?;
    }
    let lasted = clock::now().duration_since(start);
    let healed = soak.heal(&mut rng).await?;

    let Soak { circuit, users, book, sums, rounds, faults, memory, .. } = soak;
    let at_transition = book.at_transition_times();
    drop(users);
    gateway.stop().await?;
    back_end.stop();
    let ended = || system::tasks() <= tasks && system::open_files() <= files;
    let _ = timeout(ENDING, until(ended)).await;
    let files = files.zip(system::open_files()).map(|(before, after)| [before, after]);
    let tasks = [tasks, system::tasks()];
    Ok(Found {
        lasted,
        sums,
        snapshot: circuit.snapshot(),
        at_transition,
        rounds,
        faults,
        healed,
        memory,
        tasks,
        files,
    })
}

impl Soak {
    async fn stormy_round(&mut self, lasts: Duration, rng: &mut Rng) -> Result<(), BoxError> {
        let (weather, circuit) = (Arc::clone(&self.weather), self.circuit.clone());
        let (mut sky, mut whims) = (Rng::new(rng.next()), Rng::new(rng.next()));
        let mut memory = Vec::new();
        let round = tokio::select! {
            round = self.round(lasts, rng) => round,
            () = weather.change(&mut sky) => Ok(()),
            () = meddle(&circuit, &mut whims) => Ok(()),
            () = watch(&mut memory) => Ok(()),
        };
        self.memory.append(&mut memory);
        round
    }

    /// Lets the users call for so long, waits until nothing is under way, and balances the books.
    async fn round(&mut self, lasts: Duration, rng: &mut Rng) -> Result<(), BoxError> {
        let mut users = JoinSet::new();
        for (user, first) in self.users.iter().zip((0..).step_by(calls_in(ROUND))) {
            users.spawn(user.clone().call_for(lasts, first, Rng::new(rng.next())));
        }
        let calls = users.join_all().await;
        let book = Arc::clone(&self.book);
        timeout(ENDING, until(|| book.inside() == 0)).await.map_err(|_| "calls never left the gateway")?;
        for call in calls.into_iter().flatten() {
            self.sums.add(call.patient, call.answer, self.book.take(call.number));
        }
        self.balance();
        Ok(())
    }

    fn balance(&mut self) {
        self.rounds += 1;
        let snapshot = self.circuit.snapshot();
        let mut faults = self.sums.faults(&snapshot.ledger);
        if snapshot.in_flight > 0 {
            faults.push(format!("{} slots are lent while it is {}", snapshot.in_flight, snapshot.state));
        }
        if self.book.strangers() > 0 {
            faults.push(format!("{} calls came twice or from nobody", self.book.strangers()));
        }
        self.faults.extend(faults.into_iter().map(|fault| format!("round {}: {fault}", self.rounds)));
    }

    /// Breaks down once more, then makes all well and waits until the circuit is closed; returns how long that took.
    async fn heal(&mut self, rng: &mut Rng) -> Result<Option<Duration>, BoxError> {
        self.circuit.set_mode(Mode::Auto, None);
        self.weather.break_down();
        self.round(Duration::from_secs(2), rng).await?;
        if self.circuit.state() == State::Closed {
            self.faults.push("every call fails for two seconds, and it is closed".into());
        }
        self.weather.clear();
        let start = clock::now();
        for _ in 0..HEALING {
            if self.circuit.state() == State::Closed {
                return Ok(Some(clock::now().duration_since(start)));
            }
            self.round(Duration::from_secs(1), rng).await?;
        }
        Ok(None)
    }
}

/// Looks at the memory a few times a second, until this is dropped.
async fn watch(memory: &mut Vec<u64>) {
    loop {
        memory.extend(system::memory());
        sleep(Duration::from_millis(250)).await;
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Leaks something, so that the checks are seen to find it. The faults in answers and permits are the gateway's.
async fn plant(plant: Option<Plant>) -> Result<(), BoxError> {
    match plant {
        Some(Plant::Memory) => drop(black_box(Box::leak(vec![1_u8; 4 * 1024 * 1024].into_boxed_slice()))),
        Some(Plant::Socket) => std::mem::forget(TcpListener::bind("127.0.0.1:0").await?),
        Some(Plant::Task) => drop(tokio::spawn(std::future::pending::<()>())),
        Some(Plant::Answer | Plant::Permit) | None => {}
    }
    Ok(())
}
