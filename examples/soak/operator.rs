//! An operator who meddles: other settings, forced modes, a reset, all in the middle of traffic.
//!
//! Not [`Mode::Disabled`], in which nothing is counted: then there is nothing to balance.

use std::time::Duration;

use tokio::time::sleep;
use tower_breaker::{
    Circuit, Config, Mode,
    config::{Consecutive, FailureRate, Probing, Ramp, Recovery, RecoveryWindow, SlowCalls, Window},
};

use crate::{gateway::ATTEMPT_TIMEOUT, rng::Rng};

/// Meddles from time to time, until this is dropped.
pub(crate) async fn meddle(circuit: &Circuit, rng: &mut Rng) {
    loop {
        sleep(rng.millis(1_000, 4_000)).await;
        match rng.below(8) {
            0 => circuit.reset(),
            1 => circuit.set_mode(Mode::ForcedOpen, Some(rng.millis(50, 400))),
            2 => circuit.set_mode(Mode::ForcedClosed, Some(rng.millis(50, 400))),
            3 => circuit.set_mode(Mode::MetricsOnly, Some(rng.millis(100, 1_000))),
            4 => circuit.auto(),
            _ => circuit.reconfigure(settings(rng.below(3))).expect("the settings are within bounds"),
        }
    }
}

/// One of three: what is recommended, the textbook, and a ramp; each in fast motion.
pub(crate) fn settings(which: u64) -> Config {
    let millis = Duration::from_millis;
    let config = match which {
        0 => Config::new()
            .failure_rate(FailureRate::new(0.5).window(Window::time(millis(1_000))))
            .recovery(Recovery::Window(RecoveryWindow::new().max_probation(millis(1_000)))),
        1 => Config::classic()
            .failure_rate(FailureRate::new(0.5).window(Window::count(100)))
            .consecutive_failures(Consecutive::new(10))
            .probing(Probing::backoff(millis(100), millis(500))),
        _ => Config::new()
            .failure_rate(FailureRate::new(0.3).window(Window::time(millis(2_000))))
            .recovery(Recovery::Ramp(Ramp::new().step(millis(150)))),
    };
    let half_open = config.half_open.probe_timeout(2 * ATTEMPT_TIMEOUT).max_wait(4 * ATTEMPT_TIMEOUT);
    config
        .half_open(half_open)
        .max_retry_after(millis(1_000))
        .slow_calls(SlowCalls::new(millis(200)).window(Window::time(millis(1_000))))
}
