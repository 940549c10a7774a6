//! Two threads on one circuit: each has its own clone of the service and its own busy loop.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    sampler::{Canary, Effort, TRIES, float},
    support::{
        contenders::{Contender, Scene, Who, run},
        machine::{nanos, now},
        payload::Number,
        peers,
        runner::Runner,
        table::{Measured, Table, digits, shown},
    },
};

const SCENES: [Scene; 3] = [Scene::Success, Scene::Failures(10), Scene::Open];

/// Nanoseconds per call of one row in one scene: alone, and as each of two threads sees it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cell {
    pub(crate) one: Option<Measured>,
    pub(crate) two: Option<Measured>,
}

impl Cell {
    /// Calls per microsecond of two threads together.
    pub(crate) fn throughput(self) -> Option<f64> {
        Some(2e3 / self.two?.median)
    }

    /// How much more two threads do than one: 2 is perfect.
    pub(crate) fn scaling(self) -> Option<f64> {
        Some(2.0 * self.one?.median / self.two?.median)
    }
}

pub(crate) struct Threads(Vec<(Who, [Cell; 3])>);

impl Threads {
    pub(crate) fn success(&self, who: Who) -> Cell {
        self.cells(who)[0]
    }

    pub(crate) fn open(&self, who: Who) -> Cell {
        self.cells(who)[2]
    }

    fn cells(&self, who: Who) -> [Cell; 3] {
        self.0.iter().find(|(row, _)| *row == who).map(|(_, cells)| *cells).unwrap_or_default()
    }
}

/// Nanoseconds per call of each sample of one thread, and of two.
type Samples = [Vec<f64>; 2];

pub(crate) fn measure(rows: &[Contender], effort: Effort) -> Threads {
    let mut pair = Pair::new();
    let mut samples: Vec<[Samples; 3]> = rows.iter().map(|_| Default::default()).collect();
    // At another place each time, see `single`.
    let mut kept = Vec::new();
    for _ in 0..effort.rounds {
        for (row, samples) in rows.iter().zip(&mut samples) {
            for (scene, samples) in SCENES.into_iter().zip(samples) {
                // Spun by hand it would wait for a timer that nobody drives; and circuits apart are measured closed.
                let closed = matches!(row.who, Who::ResilienceSpun | Who::DefaultApart | Who::RunApart);
                if scene == Scene::Open && closed {
                    continue;
                }
                if let Some(runner) = row.ready(scene) {
                    kept.push(pair.sample(row, scene, runner, effort, samples));
                }
            }
        }
    }
    let cell = |[one, two]: Samples| Cell { one: Measured::of(&one), two: Measured::of(&two) };
    let threads = Threads(rows.iter().map(|row| row.who).zip(samples.into_iter().map(|row| row.map(cell))).collect());
    print(rows, &threads);
    println!("{} samples kept, {} thrown away (a thread preempted, or not at full speed)\n", pair.kept, pair.thrown);
    threads
}

/// Two threads that live as long as the bench.
struct Pair {
    workers: [Sender<Job>; 2],
    done: Receiver<(Box<dyn Runner>, Run)>,
    canaries: [Canary; 2],
    kept: u64,
    thrown: u64,
}

#[derive(Clone, Copy)]
struct Task {
    scene: Scene,
    lasting: Duration,
    /// How many calls are made between two looks at the clock.
    batch: u64,
}

struct Job {
    runner: Box<dyn Runner>,
    task: Task,
    /// How many have not yet come to the start.
    missing: Arc<AtomicUsize>,
}

/// What one thread did.
struct Run {
    calls: u64,
    start: Instant,
    end: Instant,
    preempted: bool,
}

impl Pair {
    fn new() -> Self {
        let (results, done) = channel();
        let workers = [0, 1].map(|_| {
            let (jobs, mine) = channel::<Job>();
            let results = results.clone();
            thread::spawn(move || {
                for job in mine {
                    if results.send(work(job)).is_err() {
                        return;
                    }
                }
            });
            jobs
        });
        let mut pair = Self { workers, done, canaries: Default::default(), kept: 0, thrown: 0 };
        for threads in [1, 2].repeat(100) {
            pair.is_calm(threads);
        }
        pair
    }

    /// Adds a sample of one thread and one of two, if there is a calm moment for each, and gives the runner back.
    fn sample(
        &mut self,
        row: &Contender,
        scene: Scene,
        mut runner: Box<dyn Runner>,
        effort: Effort,
        samples: &mut Samples,
    ) -> Box<dyn Runner> {
        // Who is put to sleep for each call needs longer for as many calls.
        let sleeps = matches!(row.who, Who::ResilienceCount | Who::ResilienceRun);
        // Short, so that many a sample ends before another program wants the core.
        let (lasting, batch) = if sleeps { (effort.sample * 4, 8) } else { (effort.sample / 2, 256) };
        for threads in [1, 2] {
            for _ in 0..TRIES {
                let calm = self.is_calm(threads);
                let runs;
                (runner, runs) = self.run(runner, threads, Task { scene, lasting, batch });
                row.check(scene, &mut *runner);
                if calm && at_once(&runs, lasting) && self.is_calm(threads) {
                    self.kept += 1;
                    samples[threads - 1].push(cost(&runs));
                    break;
                }
                self.thrown += 1;
            }
        }
        runner
    }

    /// Whether the bare service has all the speed that so many threads can have.
    fn is_calm(&mut self, threads: usize) -> bool {
        let task = Task { scene: Scene::Success, lasting: Duration::from_micros(200), batch: 256 };
        let (_, runs) = self.run(peers::bare::<Number>(), threads, task);
        self.canaries[threads - 1].is_calm(cost(&runs))
    }

    fn run(&self, runner: Box<dyn Runner>, threads: usize, task: Task) -> (Box<dyn Runner>, Vec<Run>) {
        let missing = Arc::new(AtomicUsize::new(threads));
        let twin = (threads == 2).then(|| runner.twin());
        for (runner, worker) in [Some(runner), twin].into_iter().flatten().zip(&self.workers) {
            let job = Job { runner, task, missing: Arc::clone(&missing) };
            worker.send(job).expect("a worker lives as long as the pair");
        }
        let (mut runners, runs): (Vec<_>, Vec<_>) = self.done.iter().take(threads).unzip();
        (runners.pop().expect("one at least"), runs)
    }
}

/// Whether the threads ran side by side for nearly the whole time, and were not interrupted.
///
/// A virtual core can be held back by its host, of which the system below knows nothing.
fn at_once(runs: &[Run], lasting: Duration) -> bool {
    let first = runs.iter().map(|run| run.start).max();
    let last = runs.iter().map(|run| run.end).min();
    let together = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.saturating_duration_since(first));
    together >= lasting.mul_f64(0.95) && !runs.iter().any(|run| run.preempted)
}

/// Nanoseconds per call as a thread sees it, on average over the calls.
fn cost(runs: &[Run]) -> f64 {
    let threads: f64 = runs.iter().map(|_| 1.0).sum();
    threads / runs.iter().map(|run| float(run.calls) / nanos(run.end - run.start)).sum::<f64>()
}

fn work(mut job: Job) -> (Box<dyn Runner>, Run) {
    let Task { scene, lasting, batch } = job.task;
    let preemptions = preemptions();
    job.missing.fetch_sub(1, Ordering::AcqRel);
    // Without a pause for the core: a host takes that for a chance to run somebody else.
    while job.missing.load(Ordering::Acquire) > 0 {}
    let start = now();
    let mut calls = 0;
    let end = loop {
        run(&mut *job.runner, scene, batch);
        calls += batch;
        let now = now();
        if now - start >= lasting {
            break now;
        }
    };
    (job.runner, Run { calls, start, end, preempted: preemptions != self::preemptions() })
}

/// How often this thread has lost its core to another; always none where the system does not say.
fn preemptions() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

fn print(rows: &[Contender], threads: &Threads) {
    let mut head = vec!["contender".to_owned()];
    for scene in ["success", "10 % failures", "open"] {
        head.extend(["1 thread", "2 threads", "Mcalls/s", "scaling"].map(|column| format!("{scene}: {column}")));
    }
    let title =
        "u64, two threads on one circuit: ns per call as each thread sees it, both together, scaling (2.00 is perfect)";
    let mut table = Table::new(title, &head);
    for (row, (_, cells)) in rows.iter().zip(&threads.0) {
        let mut line = vec![row.name.to_owned()];
        for cell in cells {
            let number = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
            line.extend([shown(cell.one), shown(cell.two), number(cell.throughput()), number(cell.scaling())]);
        }
        table.row(&line);
    }
    table.print();
}
