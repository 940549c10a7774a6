//! Endpoints of one service: how many of them may be left out at once.

use std::{fmt, mem};

use crate::{
    circuit::{Circuit, Handle},
    config::{ConfigError, Fault},
    machine::Event,
    observe::Observer,
    state::{Giver, Mode, State},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// The circuits of the endpoints of one service, of which not too many may be open at once.
///
/// Each endpoint has a circuit of its own. What is wrong with the network, or with the callers, looks as if all endpoints were bad,
/// and the last that is left gets the traffic of all. So:
///
/// - No more than [`max_ejection`](Group::new) of them are left out, and at least one is not. Those that opened later pass all
///   calls, in the mode [`MetricsOnly`](Mode::MetricsOnly), until there is room or they have closed.
/// - If all are open, all pass: whom to leave out is not known then. A circuit around the whole service, see
///   [`Group::opens`], is the one to say that it is down.
///
/// It acts when a circuit changes its state, on the thread that changed it. A mode that an operator has set stays.
///
/// ```
/// use tower_breaker::{Circuit, Failure, Mode, State, circuit::Group};
///
/// let group = Group::new(0.5)?; // of two endpoints one may be left out
/// let a = Circuit::builder("10.0.0.1").group(&group).build()?;
/// let b = Circuit::builder("10.0.0.2").group(&group).build()?;
///
/// a.try_acquire()?.record(Failure::new().tripping());
/// assert!(a.try_acquire().is_err());
/// b.try_acquire()?.record(Failure::new().tripping());
/// assert_eq!((b.state(), b.mode()), (State::Open, Mode::MetricsOnly));
/// assert!(a.try_acquire().is_ok() && b.try_acquire().is_ok(), "all are open, so all are tried");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Group(Arc<Shared>);

struct Shared {
    max_ejection: f64,
    next: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    members: Vec<Member>,
    /// The numbers of those that are out, in the order in which they went.
    out: Vec<u64>,
    /// The circuit of the whole service, and the share of open endpoints that opens it.
    service: Option<(Weak<Handle>, f64)>,
    /// Whether the share is reached.
    down: bool,
    /// Somebody sets modes; whoever comes meanwhile leaves it to them.
    acting: bool,
    changed: bool,
}

struct Member {
    number: u64,
    circuit: Weak<Handle>,
    /// Whether it passes all calls although it is open.
    overruled: bool,
}

/// What is to be done outside of the lock.
#[derive(Default)]
struct Plan {
    modes: Vec<(Circuit, Mode)>,
    trip: Option<(Circuit, String)>,
}

impl Group {
    /// Makes a group of which at most this share may be left out: 0 to 1, rounded down, but one of two or more in any case, and
    /// never all. Half is a good start: with more than that out, those that are left are likely to be next.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is no share.
    pub fn new(max_ejection: f64) -> Result<Self, ConfigError> {
        share("max_ejection", max_ejection)?;
        Ok(Self(Arc::new(Shared { max_ejection, next: AtomicU64::new(0), inner: Mutex::default() })))
    }

    /// Has the circuit of the whole service open when this share of its endpoints is open, 0 (exclusive) to 1.
    ///
    /// So callers are told at once, before the outer circuit has seen failures of its own; to it a rejection by an endpoint says
    /// nothing. It recovers as it does from any trip. The group keeps no circuit alive.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is no share.
    pub fn opens(&self, service: &Circuit, at: f64) -> Result<(), ConfigError> {
        if at == 0.0 {
            return Err(ConfigError::new(vec![Fault::new("at", at, "above 0")]));
        }
        share("at", at)?;
        self.0.inner.lock().service = Some((Arc::downgrade(&service.0), at));
        self.act();
        Ok(())
    }

    /// Returns how many of how many circuits are open, half-open ones among them.
    #[must_use]
    pub fn open(&self) -> (usize, usize) {
        let inner = &mut *self.0.inner.lock();
        inner.forget_dropped();
        (inner.out.len(), inner.members.len())
    }

    /// A place for one more.
    pub(super) fn place(self) -> Place {
        // Relaxed: only different from the others.
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        Place { group: self, number }
    }

    fn went(&self, number: u64, to: State) {
        {
            let out = &mut self.0.inner.lock().out;
            match (to, out.iter().position(|out| *out == number)) {
                (State::Open | State::HalfOpen, None) => out.push(number),
                (State::Closed | State::Recovering, Some(at)) => _ = out.remove(at),
                (State::Open | State::HalfOpen, Some(_)) | (State::Closed | State::Recovering, None) => {}
            }
        }
        self.act();
    }

    /// Sets the modes that follow, one thread at a time and outside of the lock: a circuit tells its observers of them.
    fn act(&self) {
        loop {
            let plan = {
                let inner = &mut *self.0.inner.lock();
                if mem::replace(&mut inner.acting, true) {
                    inner.changed = true;
                    return;
                }
                inner.changed = false;
                inner.plan(self.0.max_ejection)
            };
            plan.carry_out();
            let inner = &mut *self.0.inner.lock();
            inner.acting = false;
            if !inner.changed {
                return;
            }
        }
    }
}

impl Inner {
    fn forget_dropped(&mut self) {
        self.members.retain(|member| member.circuit.strong_count() > 0);
        let members = &self.members;
        self.out.retain(|out| members.iter().any(|member| member.number == *out));
    }

    fn plan(&mut self, max_ejection: f64) -> Plan {
        self.forget_dropped();
        let (all, out) = (self.members.len(), self.out.len());
        let left_out = if out == all { &[] } else { &self.out[..out.min(allowed(max_ejection, all))] };
        let mut plan = Plan::default();
        for member in &mut self.members {
            let overruled = self.out.contains(&member.number) && !left_out.contains(&member.number);
            if mem::replace(&mut member.overruled, overruled) != overruled {
                let mode = if overruled { Mode::MetricsOnly } else { Mode::Auto };
                plan.modes.extend(member.circuit.upgrade().map(|handle| (Circuit(handle), mode)));
            }
        }
        if let Some((service, at)) = &self.service {
            let down = all > 0 && float(out) >= at * float(all);
            if !mem::replace(&mut self.down, down) && down {
                let said = || format!("{out} of {all} endpoints are open");
                plan.trip = service.upgrade().map(|handle| (Circuit(handle), said()));
            }
        }
        plan
    }
}

impl Plan {
    fn carry_out(self) {
        for (circuit, mode) in self.modes {
            // What anybody else has set stays.
            let is_free = match mode {
                Mode::Auto => circuit.mode_by(Giver::Group) != Mode::Auto,
                _ => circuit.mode() == Mode::Auto,
            };
            if is_free {
                circuit.give_mode(mode, Giver::Group);
            }
        }
        if let Some((service, said)) = self.trip {
            service.0.shared.trip(said.into());
        }
    }
}

/// How many of so many may be left out.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
fn allowed(max_ejection: f64, all: usize) -> usize {
    ((max_ejection * float(all)) as usize).max(1).min(all.saturating_sub(1))
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 endpoints")]
fn float(number: usize) -> f64 {
    number as f64
}

fn share(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(vec![Fault::new(field, value, "between 0 and 1")]))
}

/// The place of one circuit in its group, which it tells of its transitions.
#[derive(Clone)]
pub(super) struct Place {
    group: Group,
    number: u64,
}

impl Place {
    /// From now on it is `circuit`'s.
    pub(super) fn take(self, circuit: &Circuit) {
        let member = Member { number: self.number, circuit: Arc::downgrade(&circuit.0), overruled: false };
        self.group.0.inner.lock().members.push(member);
        self.group.went(self.number, circuit.state());
    }
}

impl Observer for Place {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Transition(transition) => self.group.went(self.number, transition.to),
            Event::ModeChanged { .. } => {}
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, all) = self.open();
        f.debug_struct("Group").field("open", &open).field("of", &all).finish_non_exhaustive()
    }
}
