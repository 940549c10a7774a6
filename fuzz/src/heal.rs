//! Never stuck: once the dependency is healthy and calls come, the circuit closes within a stated time.
//!
//! From the moment on at which every admitted call succeeds at once and a call comes every `pace`, it takes at most
//!
//! ```text
//! lease + wait + 2 · need · pace + 2 · recovery
//! recovery = 4 · step + pace                              with a ramp
//!          = full · pace + max_probation + pace           with a window
//! ```
//!
//! each the largest of the settings that were ever in force: `wait` is the longest open time (jitter and `Retry-After`
//! included), `need` the number of probes, `full` the number of successes that fill the recovery window. Twice, since
//! calls that hang from before may end the first attempt. `full` depends on the usual traffic and latency, which no setting bounds;
//! where it is more than [`MOST_TO_FILL`], a recovery that lets every call pass is taken for healed.

use std::time::Duration;

use tower_breaker::{
    Config, Instant, State,
    config::{Jitter, ProbeVerdict, Probing, Recovery},
};

/// So that an input ends within some milliseconds.
const MOST_TO_FILL: f64 = 500.0;
/// Beyond this the end of time is near, where no clock can go on.
pub const LATEST: Instant = Instant::from_nanos(u64::MAX / 4);
/// How long healing may take in all, so that it ends before time does: a third of what is left at the latest.
const AGE: Duration = Duration::from_nanos(u64::MAX / 4);

/// A circuit of whatever kind, behind a clock that the caller holds.
pub trait Patient {
    /// Makes a call that succeeds at once, if it is let through; reports whether it was.
    fn call(&mut self, now: Instant) -> bool;
    fn state(&mut self) -> State;
}

/// The largest of the settings that were ever in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub wait: Duration,
    lease: Duration,
    need: u32,
    ramp: Duration,
    probation: Duration,
    window: bool,
    half_open: Duration,
    shortest_lease: Duration,
}

impl Limits {
    pub fn add(&mut self, config: &Config) {
        self.wait = self.wait.max(longest_wait(config));
        self.lease = self.lease.max(config.half_open.probe_timeout);
        self.half_open = self.half_open.max(config.half_open.max_wait);
        let first = self.shortest_lease.is_zero();
        let known = if first { Duration::MAX } else { self.shortest_lease };
        self.shortest_lease = known.min(config.half_open.probe_timeout);
        self.need = self.need.max(match config.half_open.verdict {
            ProbeVerdict::Rate { probes, .. } => probes,
            ProbeVerdict::Successes(successes) => successes,
            _ => unreachable!("there are two"),
        });
        match config.recovery {
            Recovery::Probes => {}
            Recovery::Ramp(ramp) => self.ramp = self.ramp.max(4 * ramp.step),
            Recovery::Window(window) => {
                self.window = true;
                self.probation = self.probation.max(window.max_probation);
            }
            _ => unreachable!("there are three"),
        }
    }

    /// A pace at which there are up to `most` calls in the time that it takes.
    pub fn pace(&self, most: u8) -> Duration {
        let all = self.wait + self.lease + self.ramp + self.probation;
        let pace = all / (u32::from(most) + 1);
        pace.min(AGE / (4 * self.need + 20_000)).max(Duration::from_millis(1))
    }

    /// The longest that it can be half-open while a call comes every `pace` and none of them ends.
    ///
    /// Probes whose leases overlap and are all over when the next call comes are counted as one lease.
    pub fn longest_half_open(&self, pace: Duration) -> Duration {
        let leases = (self.half_open.as_secs_f64() / self.shortest_lease.as_secs_f64()).ceil() + 1.0;
        let longest = leases * (self.half_open + self.lease + pace).as_secs_f64() + 2.0 * pace.as_secs_f64();
        Duration::from_secs_f64(longest.min((AGE / 8).as_secs_f64()))
    }

    /// How long it takes until an open circuit has been half-open, and is open again, some times over.
    pub fn some_outages(&self, pace: Duration) -> Duration {
        2 * (self.wait + self.longest_half_open(pace))
    }

    fn bound(&self, pace: Duration) -> Duration {
        let recovery = self.ramp + self.probation + 2 * pace;
        self.lease + self.wait + 2 * recovery + (2 * self.need + 2) * pace
    }
}

/// The longest open time of these settings.
pub fn longest_wait(config: &Config) -> Duration {
    let (longest, jitter) = match config.probing {
        Probing::Backoff { max, jitter, .. } => (max, jitter),
        Probing::Fixed { wait, jitter } => (wait, jitter),
        Probing::SquareRoot { max, spread, .. } => (max, Jitter::Spread(spread)),
        _ => unreachable!("there are three"),
    };
    let longest = match jitter {
        // The last bit of a product is not worth an argument.
        Jitter::Spread(share) => longest.mul_f64(1.0 + share) + Duration::from_micros(1),
        _ => longest,
    };
    longest.max(config.max_retry_after)
}

/// What is known of the traffic before: it tells how many successes fill the recovery window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// All calls that were let through; no second can have seen more.
    pub calls: u32,
    /// The longest that a call took.
    pub longest: Duration,
    /// Rejections; each may widen the full window by 2 %.
    pub rejected: u32,
}

impl Past {
    fn full(&self) -> f64 {
        let usual = (f64::from(self.calls) * self.longest.as_secs_f64()).min(1e6);
        (2.0 + 3.0 * usual) * 1.02f64.powf(f64::from(self.rejected))
    }
}

/// Calls a healthy dependency until the circuit is closed; panics if that takes longer than it may.
///
/// `latest` is the latest that the clock has ever shown; it may have been set back since.
pub fn heal(
    patient: &mut impl Patient,
    limits: &Limits,
    mut past: Past,
    mut now: Instant,
    latest: Instant,
    pace: Duration,
) {
    let start = now;
    let late = latest.since(now);
    // Until then nothing can be due, so a few calls do.
    let leap = pace.max(late / 64);
    let bound = limits.bound(pace) + late + leap;
    // How many calls the circuit has let through, one after the other, since the bound was over.
    let mut passed = 0.0;
    let mut state = patient.state();
    while state != State::Closed {
        let lets_pass = patient.call(now);
        past.rejected += u32::from(!lets_pass);
        state = patient.state();
        if now.since(start) > bound {
            passed += 1.0;
            let fills = limits.window && state == State::Recovering && lets_pass;
            let most = 2.0 * past.full() + 2.0;
            if fills && passed > MOST_TO_FILL && most > MOST_TO_FILL {
                return;
            }
            let may_fill = fills && passed <= most;
            assert!(
                state == State::Closed || may_fill,
                "stuck: {state} for {:?} with a call every {pace:?}, at most {bound:?} and {most} calls ({limits:?}, {past:?})",
                now.since(start),
            );
        }
        now = now.after(if now < latest { leap } else { pace });
    }
}
