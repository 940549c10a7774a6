//! How long an open circuit waits for its next probe.

use std::time::Duration;

use crate::{
    config::{Jitter, Probing},
    machine::Outage,
    rng::Rng,
    time::{Instant, seconds},
};

/// The wait before the next probe of an outage.
///
/// `streak` counts the openings since the circuit was last closed, this one not among them.
pub(crate) fn wait(probing: Probing, outage: &Outage, streak: u32, now: Instant, rng: &mut Rng) -> Duration {
    match probing {
        Probing::Backoff { base, factor, max, jitter } => {
            // f64 saturates to infinity where a Duration would overflow.
            let grown = base.as_secs_f64() * factor.powf(f64::from(streak));
            spread(seconds(grown).min(max), jitter, rng)
        }
        Probing::Fixed { wait, jitter } => spread(wait, jitter, rng),
        // Whatever the traffic: a blip is over by then.
        Probing::SquareRoot { .. } if outage.failed_probes == 0 => seconds(rng.between(0.1, 0.25)),
        Probing::SquareRoot { scale, max, spread } => {
            let elapsed = outage.lasted(now).as_secs_f64();
            let (root, floor) = if outage.traffic > 0.0 {
                ((2.0 * elapsed / outage.traffic).sqrt(), (20.0 / outage.traffic).clamp(0.02, 1.0))
            } else {
                (scale.as_secs_f64() * elapsed.sqrt(), 0.1)
            };
            let max = max.as_secs_f64();
            let wait = root.clamp(floor.min(max), max);
            seconds(wait * rng.between(1.0 - spread, 1.0 + spread))
        }
    }
}

fn spread(wait: Duration, jitter: Jitter, rng: &mut Rng) -> Duration {
    let (low, high) = match jitter {
        Jitter::Equal => (0.5, 1.0),
        Jitter::Full => (0.0, 1.0),
        Jitter::None => return wait,
        Jitter::Spread(share) => (1.0 - share, 1.0 + share),
    };
    seconds(wait.as_secs_f64() * rng.between(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Vitals;

    fn outage(traffic: f64, failed_probes: u32) -> Outage {
        Outage { failed_probes, ..Outage::begin(Vitals { traffic, ..Vitals::default() }, 0, Instant::ZERO) }
    }

    fn bounds(probing: Probing, outage: &Outage, streak: u32, now: u64) -> (f64, f64) {
        let mut rng = Rng::new(1);
        let now = Instant::ZERO.after(Duration::from_secs(now));
        let waits = (0..2_000).map(|_| wait(probing, outage, streak, now, &mut rng).as_secs_f64());
        waits.fold((f64::MAX, 0.0), |(low, high), wait| (low.min(wait), high.max(wait)))
    }

    fn about((low, high): (f64, f64), expected: (f64, f64)) {
        let near = |a: f64, b: f64| (a - b).abs() <= 0.02 * b;
        assert!(near(low, expected.0) && near(high, expected.1), "{low}..{high} is not {expected:?}");
    }

    #[test]
    fn backoff_doubles_to_its_cap_and_is_spread_after_it() {
        let probing = Probing::backoff(Duration::from_secs(5), Duration::from_secs(60));
        about(bounds(probing, &outage(0.0, 0), 0, 0), (2.5, 5.0));
        about(bounds(probing, &outage(0.0, 0), 3, 0), (20.0, 40.0));
        about(bounds(probing, &outage(0.0, 0), 10, 0), (30.0, 60.0));
        about(bounds(probing, &outage(0.0, 0), u32::MAX, 0), (30.0, 60.0));
    }

    #[test]
    fn the_square_root_of_the_outage_spaces_probes() {
        let probing = Probing::SQUARE_ROOT;
        about(bounds(probing, &outage(1_000.0, 0), 0, 0), (0.1, 0.25));
        about(bounds(probing, &outage(0.0, 1), 0, 100), (2.5 * 0.75, 2.5 * 1.25));
        about(bounds(probing, &outage(0.5, 1), 0, 100), (20.0 * 0.75, 20.0 * 1.25));
        about(bounds(probing, &outage(1_000.0, 1), 0, 0), (0.02 * 0.75, 0.02 * 1.25));
        about(bounds(probing, &outage(20.0, 1), 0, 1), (0.75, 1.25)); // a twentieth of the traffic, not √0.1 s
        about(bounds(probing, &outage(0.01, 1), 0, 1_000_000), (30.0 * 0.75, 30.0 * 1.25));
        let short = Probing::SquareRoot { scale: Duration::from_secs(1), max: Duration::from_millis(300), spread: 0.0 };
        about(bounds(short, &outage(1.0, 1), 0, 100), (0.3, 0.3)); // the longest wait wins
    }

    #[test]
    fn each_jitter_spreads_the_wait_within_its_bounds() {
        let wait = Duration::from_secs(10);
        let around = Jitter::Spread(0.25);
        for (jitter, expected) in [(Jitter::None, (10.0, 10.0)), (Jitter::Equal, (5.0, 10.0)), (around, (7.5, 12.5))] {
            about(bounds(Probing::Fixed { wait, jitter }, &outage(0.0, 0), 0, 0), expected);
        }
        let (low, high) = bounds(Probing::Fixed { wait, jitter: Jitter::Full }, &outage(0.0, 0), 0, 0);
        assert!(low < 0.2 && (9.8..10.0).contains(&high), "{low}..{high}");
    }
}
