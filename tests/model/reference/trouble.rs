//! When the trouble began, from the list of all calls.

use tower_breaker::{Config, Instant};

use super::log::{Call, Item, Log};

impl Log {
    /// When the longest stretch began, up to the last call, in which bad calls have outweighed good ones all along.
    pub(crate) fn trouble_began(&self) -> Option<Instant> {
        let calls: Vec<(Instant, &Call)> = self
            .phase()
            .iter()
            .filter_map(|(at, item)| if let Item::Call(call) = item { Some((*at, call)) } else { None })
            .collect();
        let outweigh = |calls: &[(Instant, &Call)]| {
            let mut balance = 0;
            calls.iter().all(|(_, call)| {
                balance += weight(call);
                balance > 0
            })
        };
        (0..calls.len()).find(|from| outweigh(&calls[*from..])).map(|from| calls[from].0)
    }
}

/// How bad a call was, in hundredths; below zero if it was good.
fn weight(call: &Call) -> i128 {
    match call.failure {
        Some(failure) => failure.hundredths.into(),
        None if call.slow => 100,
        None => -call.comfort,
    }
}

/// How many hundredths of a bad call a good one makes up for: as many as keep the balance at the share of bad calls that the
/// settings call an outage.
pub(super) fn comfort(config: &Config) -> i128 {
    let useless = config.evidence.map(|rule| rule.useless);
    let rates = [config.failure_rate, config.burst].map(|rule| rule.map(|rule| rule.threshold));
    let slow = config.slow_calls.map(|rule| rule.threshold);
    let shares = [useless, rates[0], rates[1], slow];
    let only_a_run = config.consecutive_failures.is_some() && config.failure_count.is_none();
    match shares.into_iter().flatten().next() {
        Some(share) if share < 1.0 => (share / (1.0 - share) * 100.0).round() as i128,
        None if !only_a_run => 100,
        // None is enough but all of them.
        Some(_) | None => i128::from(u32::MAX),
    }
}
