//! Who is compared, and in which situations.

use std::time::Duration;

use super::{
    apart::Apart,
    ours,
    payload::{Http, Number, Payload},
    peers,
    runner::{Around, NEVER, Runner},
};

/// What opens a breaker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Half of the last calls.
    Count(u32),
    /// Our recommended settings.
    Default,
    /// Our adaptive evidence alone.
    Evidence,
    /// Failures in a row.
    Run(u32),
    /// Half of the calls of this time.
    Time(Duration),
}

/// How we say no.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    Boxed,
    Reply,
    Typed,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Closed, no call fails.
    Success,
    /// Closed, every so many calls one fails, which is too few to open.
    Failures(u64),
    /// Open: every call is rejected.
    Open,
    /// Closed, no call fails, and each call has its own clone of the service.
    Clones,
}

/// One row of the tables.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    make: Box<dyn Fn() -> Box<dyn Runner>>,
}

/// A row, for who must find it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Bare,
    LoadShed,
    ConcurrencyLimit,
    Timeout,
    ResilienceCount,
    ResilienceTime,
    ResilienceRun,
    /// Not put to sleep by a runtime where it waits, but polled again at once.
    ResilienceSpun,
    Failsafe,
    Recloser,
    Default,
    DefaultTyped,
    DefaultReply,
    Default503,
    /// Each thread has a circuit of its own.
    DefaultApart,
    Evidence,
    Count,
    Run,
    RunApart,
}

/// The rows that are ours with a rule each, rejecting by a boxed error.
pub(crate) const OURS: [Who; 4] = [Who::Default, Who::Evidence, Who::Count, Who::Run];

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

impl Contender {
    fn new(who: Who, name: &'static str, make: impl Fn() -> Box<dyn Runner> + 'static) -> Self {
        Self { name, who, make: Box::new(make) }
    }

    /// Whether there is anything to open.
    pub(crate) fn is_breaker(&self) -> bool {
        !matches!(self.who, Who::Bare | Who::LoadShed | Who::ConcurrencyLimit | Who::Timeout)
    }

    /// Whether its calls cost more the more there were; then it is measured from one to two thousand calls on.
    pub(crate) fn grows(&self) -> bool {
        self.who == Who::ResilienceTime
    }

    pub(crate) fn make(&self) -> Box<dyn Runner> {
        (self.make)()
    }

    /// Makes it anew, warm and in the state that a scene wants; none if it has no such state.
    pub(crate) fn ready(&self, scene: Scene) -> Option<Box<dyn Runner>> {
        if scene == Scene::Open && !self.is_breaker() {
            return None;
        }
        let mut runner = self.make();
        match scene {
            Scene::Success | Scene::Clones => runner.calls(1_000, NEVER),
            Scene::Failures(every) => runner.calls(1_000, every),
            Scene::Open => open(&mut *runner),
        }
        self.check(scene, &mut *runner);
        Some(runner)
    }

    /// Panics if the breaker is not in the state that is measured.
    pub(crate) fn check(&self, scene: Scene, runner: &mut dyn Runner) {
        assert_eq!(runner.refuses(), scene == Scene::Open, "{} left its state", self.name);
    }
}

fn open(runner: &mut dyn Runner) {
    for _ in 0..1_000 {
        if runner.refuses() {
            return;
        }
        runner.calls(500, 1);
    }
}

/// Makes calls as the scene wants them.
pub(crate) fn run(runner: &mut dyn Runner, scene: Scene, calls: u64) {
    match scene {
        Scene::Success | Scene::Open => runner.calls(calls, NEVER),
        Scene::Failures(every) => runner.calls(calls, every),
        Scene::Clones => runner.clones(calls),
    }
}

/// All rows for numbers.
pub(crate) fn numbers() -> Vec<Contender> {
    all::<Number>()
}

/// All rows for HTTP.
pub(crate) fn http() -> Vec<Contender> {
    let mut rows = all::<Http>();
    let at = rows.iter().position(|row| row.who == Who::Evidence).expect("it is a row");
    let row = Contender::new(Who::Default503, "ours (default), reply_503", || {
        ours::guarded_503(ours::circuit(Rule::Default))
    });
    rows.insert(at, row);
    rows
}

fn all<P: Payload>() -> Vec<Contender> {
    let ours =
        |who, name, rule, refusal| Contender::new(who, name, move || ours::guarded::<P>(ours::circuit(rule), refusal));
    let resilience =
        |who, name, rule| Contender::new(who, name, move || peers::tower_resilience::<P>(rule, Around::Nothing));
    vec![
        Contender::new(Who::Bare, "bare inner service", peers::bare::<P>),
        Contender::new(Who::LoadShed, "tower LoadShed", peers::load_shed::<P>),
        Contender::new(Who::ConcurrencyLimit, "tower ConcurrencyLimit", peers::concurrency_limit::<P>),
        Contender::new(Who::Timeout, "tower Timeout", peers::timeout::<P>),
        resilience(Who::ResilienceCount, "tower-resilience (count 100)", Rule::Count(100)),
        resilience(Who::ResilienceTime, "tower-resilience (time 60 s)", Rule::Time(MINUTE)),
        resilience(Who::ResilienceRun, "tower-resilience (5 in a row)", Rule::Run(5)),
        Contender::new(Who::Failsafe, "failsafe (5 in a row)", || peers::failsafe::<P>(5)),
        Contender::new(Who::Recloser, "recloser (count 100)", || peers::recloser::<P>(100)),
        ours(Who::Default, "ours (default)", Rule::Default, Refusal::Boxed),
        ours(Who::DefaultTyped, "ours (default), fail_with", Rule::Default, Refusal::Typed),
        ours(Who::DefaultReply, "ours (default), reply_with", Rule::Default, Refusal::Reply),
        ours(Who::Evidence, "ours (evidence alone)", Rule::Evidence, Refusal::Boxed),
        ours(Who::Count, "ours (count 100)", Rule::Count(100), Refusal::Boxed),
        ours(Who::Run, "ours (5 in a row)", Rule::Run(5), Refusal::Boxed),
    ]
}

/// The rows for threads. Who waits for a lock of tokio's has a runtime for each thread, as its users have.
pub(crate) fn threads() -> Vec<Contender> {
    let mut rows = numbers();
    for row in &mut rows {
        let rule = match row.who {
            Who::ResilienceCount => Rule::Count(100),
            Who::ResilienceRun => Rule::Run(5),
            _ => continue,
        };
        row.make = Box::new(move || peers::tower_resilience::<Number>(rule, Around::runtime()));
    }
    rows.retain(|row| row.who != Who::ResilienceTime);
    let at = rows.iter().position(|row| row.who == Who::Failsafe).expect("it is a row");
    let spun = Contender::new(Who::ResilienceSpun, "tower-resilience (count 100), polled in a spin", || {
        peers::tower_resilience::<Number>(Rule::Count(100), Around::Nothing)
    });
    rows.insert(at, spun);
    rows.push(Contender::new(Who::DefaultApart, "ours (default), a circuit each", || {
        Apart::boxed(|| own(Rule::Default))
    }));
    rows.push(Contender::new(Who::RunApart, "ours (5 in a row), a circuit each", || {
        Apart::boxed(|| own(Rule::Run(5)))
    }));
    rows
}

fn own(rule: Rule) -> Box<dyn Runner> {
    ours::guarded::<Number>(ours::circuit(rule), Refusal::Boxed)
}
