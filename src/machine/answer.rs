//! What a call would be told, and what a rejected one is.

use std::time::Duration;

use crate::{
    machine::{
        RejectReason, Rejection,
        core::{Core, Phase},
        half_open::Verdict,
    },
    state::Mode,
    time::Instant,
};

impl Core {
    /// Answers as [`Core::admit`] would, and changes nothing.
    pub(crate) fn would_admit(&self, now: Instant) -> Result<(), Rejection> {
        match self.effective_mode(now) {
            Mode::Disabled | Mode::ForcedClosed | Mode::MetricsOnly => return Ok(()),
            Mode::ForcedOpen => return Err(self.forced(now)),
            Mode::Auto => {}
        }
        let admits = match &self.phase {
            Phase::Closed => true,
            Phase::Open { next_probe } => now >= *next_probe,
            Phase::HalfOpen(_) | Phase::Recovering(_) if self.is_due(now) => return self.after_what_is_due(now),
            Phase::HalfOpen(half_open) => half_open.would_admit(&self.settings.config.half_open, now),
            Phase::Recovering(recovering) => recovering.would_admit(now),
        };
        if admits { Ok(()) } else { Err(self.rejection(now)) }
    }

    /// Reports whether [`Core::move_on`] may have something to do.
    fn is_due(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::Closed | Phase::Open { .. } => false,
            Phase::HalfOpen(half_open) => half_open.due(&self.settings.config.half_open, now) != Verdict::Wait,
            Phase::Recovering(recovering) => recovering.is_due(now),
        }
    }

    /// A wait that is drawn when the circuit opens can be told before only by opening a copy.
    fn after_what_is_due(&self, now: Instant) -> Result<(), Rejection> {
        let mut ahead = self.clone();
        ahead.move_on(now);
        ahead.would_admit(now)
    }

    pub(super) fn rejection(&self, now: Instant) -> Rejection {
        let (reason, wait) = match &self.phase {
            Phase::Closed => (RejectReason::NotReady, Duration::ZERO),
            Phase::Open { next_probe } => (RejectReason::Open, next_probe.since(now)),
            // The lease is the only bound that is known, but most probes end sooner: come back at the pace of probes.
            Phase::HalfOpen(half_open) => {
                let pace = if self.last_wait == 0 { UNKNOWN_WAIT } else { Duration::from_nanos(self.last_wait) };
                let wait = half_open.first_deadline(now).map_or(pace, |lease| lease.min(pace));
                (RejectReason::HalfOpen, wait)
            }
            Phase::Recovering(recovering) => (
                RejectReason::Recovering,
                self.outage.as_ref().map_or(Duration::ZERO, |outage| recovering.retry_after(outage)),
            ),
        };
        Rejection { state: self.state(), reason, retry_after: Some(wait) }
    }

    pub(super) fn forced(&self, now: Instant) -> Rejection {
        let retry_after = self.mode_until().map(|until| until.since(now));
        Rejection { state: self.state(), reason: RejectReason::Forced, retry_after }
    }
}

/// What a rejected caller is told where nothing is known: long enough to be no burden, short enough to be no outage.
pub(super) const UNKNOWN_WAIT: Duration = Duration::from_millis(100);
