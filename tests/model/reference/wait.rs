//! Between which bounds the wait of an open circuit is drawn.

use std::time::Duration;

use tower_breaker::{
    Instant,
    config::{Jitter, Probing},
};

use super::Outage;

/// The shortest and the longest wait, in seconds. `streak` counts the openings before this one.
pub(crate) fn bounds(probing: Probing, outage: &Outage, streak: u32, now: Instant) -> (f64, f64) {
    match probing {
        Probing::Fixed { wait, jitter } => spread(wait.as_secs_f64(), jitter),
        Probing::Backoff { base, factor, max, jitter } => {
            let mut wait = base.as_secs_f64();
            for _ in 0..streak {
                if wait >= max.as_secs_f64() || factor <= 1.0 {
                    break;
                }
                wait *= factor;
            }
            spread(wait.min(max.as_secs_f64()), jitter)
        }
        Probing::SquareRoot { .. } if outage.failed_probes == 0 => (0.1, 0.25),
        Probing::SquareRoot { scale, max, spread } => {
            let elapsed = now.since(outage.since).as_secs_f64();
            let wait = if outage.traffic > 0.0 {
                // Seldom enough to take a twentieth of the traffic, or a second apart; never closer than 20 ms.
                let seldom = (20.0 / outage.traffic).clamp(0.02, 1.0);
                (2.0 * elapsed / outage.traffic).sqrt().max(seldom)
            } else {
                (scale.as_secs_f64() * elapsed.sqrt()).max(0.1)
            };
            let wait = wait.min(max.as_secs_f64());
            (wait * (1.0 - spread), wait * (1.0 + spread))
        }
        _ => unreachable!("there are three ways to probe"),
    }
}

fn spread(wait: f64, jitter: Jitter) -> (f64, f64) {
    match jitter {
        Jitter::None => (wait, wait),
        Jitter::Equal => (wait / 2.0, wait),
        Jitter::Full => (0.0, wait),
        Jitter::Spread(share) => (wait * (1.0 - share), wait * (1.0 + share)),
        _ => unreachable!("there are four kinds of jitter"),
    }
}

/// Whether a wait was drawn within its bounds; what the dependency asked for lengthens it.
pub(crate) fn is_within(wait: Duration, (low, high): (f64, f64), asked: Duration) -> bool {
    let (wait, asked) = (wait.as_secs_f64(), asked.as_secs_f64());
    let slack = 1e-8 + 1e-9 * high;
    wait >= low.max(asked) - slack && wait <= high.max(asked) + slack
}
